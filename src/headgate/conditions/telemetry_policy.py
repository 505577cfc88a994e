"""What an XTelemetryPolicy is told, per Gateway (`apisx/v1alpha1/xtelemetrypolicy_types.go`)."""

from headgate.api.meta import Condition, Key

from .build import new_condition
from .invalid import Problem

ACCEPTED, RESOLVED_REFS = "Accepted", "ResolvedRefs"


def accepted() -> Condition:
    """It is the one that counts."""
    return new_condition(ACCEPTED, True, "Accepted", "the policy counts for the Gateway")


def refs_resolved() -> Condition:
    """The collector is there, or none is wanted."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


def unsupported_target(path: str, group: str, kind: str) -> Problem:
    """Only Gateways are traced."""
    return Problem(
        ACCEPTED,
        "Invalid",
        path,
        f"{group or 'core'}/{kind} cannot be the target of an XTelemetryPolicy; a Gateway can",
    )


def conflicted(path: str, gateway: Key, winner: Key) -> Problem:
    """Another policy has the same target and comes first."""
    return Problem(
        ACCEPTED,
        "Conflicted",
        path,
        f"Gateway {gateway} has the older XTelemetryPolicy {winner}; only one counts",
    )


def missing(path: str, why: str) -> Problem:
    """A field without which it cannot be done."""
    return Problem(ACCEPTED, "Invalid", path, f"is missing; it is needed {why}")


def not_now(path: str, mode: str) -> Problem:
    """A field that says something only when requests are traced."""
    return Problem(ACCEPTED, "Invalid", path, f"says nothing with mode {mode}; leave it out or set mode Enabled")


def unknown(path: str, value: str, works: str) -> Problem:
    """A value that is none of those that are known."""
    return Problem(ACCEPTED, "Invalid", path, f"{value!r} is not known; {works}")


def bad_share(path: str, numerator: int, denominator: int) -> Problem:
    """More than all."""
    return Problem(
        ACCEPTED, "Invalid", path, f"{numerator} of {denominator} is no share; the numerator is at most the denominator"
    )


def part_of_parents(path: str) -> Problem:
    """Envoy follows a caller's decision or does not; it cannot follow it for some requests."""
    return Problem(
        ACCEPTED,
        "Invalid",
        path,
        "a caller's decision cannot be followed for a part of the requests only; leave it out to follow it always, or "
        "set mode Disabled and samplingRate to trace a share of all requests",
    )


def bad_text(path: str, text: str) -> Problem:
    """Envoy would read more into it, and has no way to be told not to."""
    return Problem(ACCEPTED, "Invalid", path, f"{text!r} cannot be sent; a text without % can")


def part_of_route(problem: Problem) -> Problem:
    """What is wrong with the reference to the collector."""
    known = ("InvalidKind", "RefNotPermitted")
    reason = problem.reason if problem.reason in known else "BackendNotFound"
    return Problem(RESOLVED_REFS, reason, problem.path, problem.message)
