"""Conditions of an XTelemetryPolicy, per Gateway (`apisx/v1alpha1/xtelemetrypolicy_types.go`)."""

from collections.abc import Sequence

import msgspec

from headgate.api.meta import Condition
from headgate.api.problems import Problem

from .build import new_condition
from .invalid import new_problem
from .policies import ACCEPTED, RESOLVED_REFS, refs_resolved

__all__ = ["refs_resolved"]


def accepted() -> Condition:
    """The policy takes effect."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway traces requests as the policy declares")


def missing_field(path: str, why: str) -> Problem:
    """A required field is not set."""
    return new_problem(ACCEPTED, "Invalid", path, f"is missing; it is required {why}")


def needs_mode_enabled(path: str, mode: str) -> Problem:
    """A field that has an effect only while requests are traced."""
    return new_problem(ACCEPTED, "Invalid", path, f"has no effect with mode {mode}; remove it or set mode Enabled")


def unknown_value(path: str, value: str, supported: Sequence[str]) -> Problem:
    """A value that is not one of the supported ones."""
    return new_problem(ACCEPTED, "Invalid", path, f"{value!r} is not supported; use {' or '.join(supported)}")


def bad_fraction(path: str, numerator: int, denominator: int) -> Problem:
    """A fraction above one."""
    return new_problem(
        ACCEPTED,
        "Invalid",
        path,
        f"{numerator}/{denominator} is not a fraction of the requests; use a numerator from 0 to the denominator",
    )


def partial_parent_sampling(path: str) -> Problem:
    """Envoy either follows the caller's sampling decision or ignores it, for all requests."""
    return new_problem(
        ACCEPTED,
        "Invalid",
        path,
        "a fraction of the callers' sampling decisions is not supported; remove samplingRate to follow all of them, or"
        " set mode Disabled and tracing.samplingRate to sample a fraction of all requests",
    )


def unsupported_percent_sign(path: str, text: str) -> Problem:
    """Envoy expands `%` as a format command and has no escape for it in this field."""
    return new_problem(ACCEPTED, "Invalid", path, f"{text!r} contains %, which is not supported; use a text without %")


def unresolved_collector(problem: Problem) -> Problem:
    """The reference to the collector does not resolve."""
    known = ("InvalidKind", "RefNotPermitted")
    reason = problem.reason if problem.reason in known else "BackendNotFound"
    return msgspec.structs.replace(problem, condition=RESOLVED_REFS, reason=reason)
