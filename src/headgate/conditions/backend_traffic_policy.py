"""What an XBackendTrafficPolicy is told, per Gateway (`apis/v1/policy_types.go`)."""

from headgate.api.meta import Condition, Key

from .build import new_condition
from .invalid import Invalid, Problem

ACCEPTED = "Accepted"


def accepted() -> Condition:
    """The Gateway holds it."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway limits retries to the targets as the policy says")


def unsupported_target(path: str, group: str, kind: str) -> Problem:
    """Only Services can be limited."""
    return Problem(
        ACCEPTED,
        "Invalid",
        path,
        f"{group or 'core'}/{kind} cannot be the target of an XBackendTrafficPolicy; a Service can",
    )


def conflicted(path: str, target: str, winner: Key) -> Problem:
    """Another policy has the same target and comes first."""
    return Problem(
        ACCEPTED, "Conflicted", path, f"{target} has the older XBackendTrafficPolicy {winner}; only one counts"
    )


def bad_duration(path: str, text: str) -> Invalid:
    """No duration, or none that is longer than nothing."""
    return Invalid(ACCEPTED, "Invalid", path, f"{text!r} cannot be used; a duration is like 10s, 500ms or 1h30m")


def bad_session(problem: Problem) -> Problem:
    """Sessions that cannot be kept."""
    return Problem(ACCEPTED, "Invalid", problem.path, problem.message)
