"""Conditions of an XBackend, per Gateway that uses it (`apisx/v1alpha1/xbackend_types.go`), and problems of routes that
refer to one.
"""

import msgspec

from headgate.api.meta import Condition, Ref
from headgate.api.problems import Problem

from .build import new_condition
from .invalid import Invalid, new_problem

ACCEPTED = "Accepted"
RESOLVED_REFS = "ResolvedRefs"


def accepted() -> Condition:
    """The Gateway can send requests to the backend."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway sends requests of routes to this backend")


def missing_field(path: str, kind: str) -> Problem:
    """The field that belongs to the declared type is not set."""
    return new_problem(ACCEPTED, "Invalid", path, f"is missing; it is required for type {kind}")


def unsupported(path: str, value: str | None, works: str) -> Problem:
    """A value that this version does not support."""
    return new_problem(ACCEPTED, "Invalid", path, f"{value!r} is not supported; use {works}")


def invalid_reference(path: str, name: str, reason: str) -> Problem:
    """A referenced object is missing or holds no certificate."""
    return new_problem(ACCEPTED, "Invalid", path, f"{name}: {reason}")


def bad_hostname(path: str, hostname: str) -> Problem:
    """Not a host outside of the cluster."""
    return new_problem(
        ACCEPTED,
        "Invalid",
        path,
        f"{hostname!r} is not a DNS name outside of the cluster; use one like api.example.com",
    )


def protocol_and_tls(path: str, protocol: str, works: str) -> Problem:
    """A protocol that never runs over TLS, or only over TLS."""
    return new_problem(ACCEPTED, "Invalid", path, f"protocol {protocol} requires {works}")


def of_part(problem: Problem) -> Problem:
    """A problem of a part that other kinds have as well, as a condition of the XBackend."""
    return msgspec.structs.replace(problem, condition=ACCEPTED, reason="Invalid")


# Problems of routes.


def not_found(path: str, namespace: str, name: str) -> Invalid:
    """There is no such XBackend."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"XBackend {name!r} does not exist in namespace {namespace!r}; create it or change the name",
        Ref("XBackend", namespace, name),
    )


def of_another_namespace(path: str, namespace: str, name: str) -> Invalid:
    """XBackends serve routes of their own namespace only; the message does not reveal whether this one exists."""
    return Invalid(
        RESOLVED_REFS,
        "RefNotPermitted",
        path,
        f"XBackend {name!r} is in namespace {namespace!r}; use one of the route's own namespace",
        Ref("XBackend", namespace, name),
    )


def invalid(path: str, name: str, reason: str) -> Invalid:
    """The XBackend exists and is not accepted."""
    return Invalid(RESOLVED_REFS, "BackendNotFound", path, f"XBackend {name!r} is not accepted: {reason}")


def unsupported_protocol(path: str, name: str, protocol: str, kind: str) -> Invalid:
    """The XBackend's protocol is none that this kind of route forwards."""
    return Invalid(
        RESOLVED_REFS,
        "UnsupportedProtocol",
        path,
        f"XBackend {name!r} has protocol {protocol}, which {kind} does not forward; use another backend",
    )
