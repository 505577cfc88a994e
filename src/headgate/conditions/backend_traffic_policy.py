"""Conditions of an XBackendTrafficPolicy, per Gateway (`apis/v1/policy_types.go`)."""

import msgspec

from headgate.api.meta import Condition
from headgate.api.problems import Problem

from .build import new_condition
from .invalid import Invalid
from .policies import ACCEPTED


def accepted() -> Condition:
    """The policy takes effect."""
    return new_condition(
        ACCEPTED,
        True,
        "Accepted",
        "the Gateway applies retry budget and session persistence to the targets as declared",
    )


def bad_duration(path: str, text: str) -> Invalid:
    """Not a duration, or not longer than zero."""
    return Invalid(ACCEPTED, "Invalid", path, f"{text!r} is not a positive duration; use one like 10s, 500ms or 1h30m")


def invalid_session_persistence(problem: Problem) -> Problem:
    """A problem of `sessionPersistence`, as a condition of the policy."""
    return msgspec.structs.replace(problem, condition=ACCEPTED, reason="Invalid")
