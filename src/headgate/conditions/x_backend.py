"""What an XBackend is told, per Gateway that uses it (`apisx/v1alpha1/xbackend_types.go`)."""

from headgate.api.meta import Condition

from .build import new_condition
from .invalid import Invalid, Problem

ACCEPTED = "Accepted"


def accepted() -> Condition:
    """The Gateway can send requests to it."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway sends what routes say to this backend")


def field_missing(path: str, kind: str) -> Problem:
    """The field of the type that is asked for."""
    return Problem(ACCEPTED, "Invalid", path, f"is needed for type {kind}")


def unknown(path: str, value: str | None, works: str) -> Problem:
    """A value that this version does not know."""
    return Problem(ACCEPTED, "Invalid", path, f"{value!r} is not known; {works}")


def bad_hostname(path: str, hostname: str) -> Problem:
    """No host outside of the cluster."""
    return Problem(
        ACCEPTED,
        "Invalid",
        path,
        f"{hostname!r} cannot be used; a DNS name outside of the cluster can, like api.example.com",
    )


def protocol_and_tls(path: str, protocol: str, works: str) -> Problem:
    """A protocol that is never, or only ever, spoken inside of TLS."""
    return Problem(ACCEPTED, "Invalid", path, f"protocol {protocol} needs {works}")


def of_part(problem: Problem) -> Problem:
    """What is wrong with a part that other kinds have as well."""
    return Problem(ACCEPTED, "Invalid", problem.path, problem.message)


# What routes are told.


def not_found(path: str, namespace: str, name: str) -> Invalid:
    """No such XBackend."""
    return Invalid(
        "ResolvedRefs",
        "BackendNotFound",
        path,
        f"no XBackend {name!r} in namespace {namespace!r}; create it or change the name",
    )


def of_another_namespace(path: str, namespace: str, name: str) -> Invalid:
    """XBackends are for routes of their own namespace; whether this one exists is not told."""
    return Invalid(
        "ResolvedRefs",
        "RefNotPermitted",
        path,
        f"XBackend {name!r} is in namespace {namespace!r}; an XBackend can only be used by routes of its own namespace",
    )


def invalid(path: str, name: str, why: str) -> Invalid:
    """It is not accepted."""
    return Invalid("ResolvedRefs", "BackendNotFound", path, f"XBackend {name!r} is not accepted: {why}")


def speaks(path: str, name: str, protocol: str, kind: str) -> Invalid:
    """Its protocol is none that this kind of route passes on."""
    return Invalid(
        "ResolvedRefs", "UnsupportedProtocol", path, f"XBackend {name!r} speaks {protocol}, which {kind} cannot send"
    )
