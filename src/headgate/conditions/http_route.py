"""Conditions of a route, per parent (`apis/v1/shared_types.go`); the same for all kinds of routes."""

from collections.abc import Sequence

from headgate.api.meta import Condition, Key, Ref
from headgate.api.problems import Problem

from .build import envoy_message, new_condition
from .invalid import Invalid, new_problem

ACCEPTED = "Accepted"
RESOLVED_REFS = "ResolvedRefs"
#: Present only while it is True.
PARTIALLY_INVALID = "PartiallyInvalid"


def accepted() -> Condition:
    """The route is attached."""
    return new_condition(ACCEPTED, True, "Accepted", "the route is attached")


def partially_invalid(message: str) -> Condition:
    """Some rules are invalid, the others are served. Requests for an invalid rule do not fall through to others."""
    return new_condition(
        PARTIALLY_INVALID,
        True,
        "UnsupportedValue",
        f"Dropped Rule: requests that match it get an error; {message}",
    )


def pending() -> Condition:
    """The route is attached, and no Envoy forwards for it."""
    return new_condition(ACCEPTED, None, "Pending", "waiting for an Envoy to accept the listener with this route")


def rejected_by_envoy(message: str) -> Condition:
    """Envoy rejected the virtual host of the route."""
    return new_condition(ACCEPTED, False, "UnsupportedValue", f"Envoy rejected the route: {envoy_message(message)}")


def refs_resolved() -> Condition:
    """Every backend exists and may be referred to."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


# Attachment: the parentRef.


def no_matching_parent(path: str, parent: Ref, section: str | None, port: int | None, known: Sequence[str]) -> Problem:
    """The Gateway or ListenerSet has no listener with this name and port; `known` are those that it has."""
    wanted = " and ".join([f"named {section!r}"] * (section is not None) + [f"on port {port}"] * (port is not None))
    return new_problem(
        ACCEPTED,
        "NoMatchingParent",
        path,
        f"{parent} has no listener {wanted}; it has {', '.join(known) or 'none'}",
        parent,
    )


def parent_not_accepted(path: str, parent: Ref, reason: str) -> Problem:
    """The Gateway does not accept the ListenerSet, so there is no listener to attach to."""
    return new_problem(ACCEPTED, "NoMatchingParent", path, f"{parent} is not accepted: {reason}", parent)


def not_allowed_by_listeners(path: str, parent: Ref, reasons: Sequence[str]) -> Problem:
    """No listener admits routes of this kind from this namespace."""
    return new_problem(
        ACCEPTED, "NotAllowedByListeners", path, f"{parent} does not admit the route: {'; '.join(reasons)}", parent
    )


def no_matching_listener_hostname(path: str, hostnames: Sequence[str], listeners: Sequence[str]) -> Problem:
    """The hostnames of the route and of the listeners do not intersect."""
    return new_problem(
        ACCEPTED,
        "NoMatchingListenerHostname",
        path,
        f"spec.hostnames ({', '.join(hostnames)}) does not intersect with the hostnames of the listeners"
        f" ({', '.join(listeners)}); change one of them",
    )


# Values.


def unsupported_value(path: str, value: str, remedy: str) -> Invalid:
    """The value is not in the API, or is not supported."""
    return Invalid(ACCEPTED, "UnsupportedValue", path, f"{value!r} is not supported; {remedy}")


def invalid_value(path: str, value: str, remedy: str) -> Invalid:
    """The value cannot be programmed."""
    return Invalid(ACCEPTED, "UnsupportedValue", path, f"{value!r} is invalid; {remedy}")


def missing_value(path: str, remedy: str) -> Invalid:
    """A required field is not set."""
    return Invalid(ACCEPTED, "UnsupportedValue", path, f"is missing; {remedy}")


def invalid_regex(path: str, pattern: str, error: str) -> Invalid:
    """RE2, and so Envoy, rejects the pattern."""
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        path,
        f"{pattern!r} is not a valid RE2 regular expression ({error}); {_re2_hint(error)}",
    )


def _re2_hint(error: str) -> str:
    if "perl operator" in error or "escape" in error:
        return "RE2 has no look-around and no back-references"
    if "repetition" in error:
        return "RE2 allows at most 1000 repetitions, including nested ones"
    return "see github.com/google/re2/wiki/Syntax"


def unsupported_extension_ref(path: str, group: str, kind: str, name: str) -> Invalid:
    """A filter of an unknown kind. It cannot be skipped: it might have denied the request."""
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        path,
        f"{group or 'core'}/{kind} {name!r} is not supported as a filter; use a filter type of the Gateway API",
    )


def incompatible_filters(path: str, message: str) -> Invalid:
    """Filters that exclude each other."""
    return Invalid(ACCEPTED, "IncompatibleFilters", path, message)


# References.


def invalid_backend_kind(path: str, group: str, kind: str) -> Invalid:
    """The kind cannot be a backend."""
    return Invalid(
        RESOLVED_REFS, "InvalidKind", path, f"{group or 'core'}/{kind} is not supported as a backend; use a Service"
    )


def backend_ref_not_permitted(path: str, service: Ref, owner: Ref) -> Invalid:
    """The namespace of the Service does not permit the reference. Whether the Service exists is not disclosed."""
    return Invalid(RESOLVED_REFS, "RefNotPermitted", path, not_permitted(service, owner), service)


def not_permitted(referent: Ref, owner: Ref) -> str:
    """The message of every reference to another namespace that no ReferenceGrant permits."""
    return (
        f"{referent.kind} {referent.name!r} is in namespace {referent.namespace!r}, which does not permit the"
        f" reference; add a ReferenceGrant there from {owner.kind} in {owner.namespace!r} to {referent.kind}"
    )


def backend_not_found(path: str, service: Ref) -> Invalid:
    """The Service does not exist."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"Service {service.name!r} does not exist in namespace {service.namespace!r}; create it or change the name",
        service,
    )


def backend_port_missing(path: str, service: Key, ports: Sequence[int]) -> Invalid:
    """A backendRef to a Service needs a port."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"a port is required for Service {service.name!r}, which has {_ports(ports)}; set it",
        _service(service),
    )


def backend_port_not_found(path: str, service: Key, port: int, ports: Sequence[int]) -> Invalid:
    """The Service has no such port."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"Service {service.name!r} has no port {port}; use {_ports(ports)}",
        _service(service),
    )


def external_name_backend(path: str, service: Key) -> Invalid:
    """A Service of type ExternalName: the API advises against it, since it lets a tenant reach any host."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"Service {service.name!r} is of type ExternalName, which has no endpoints; use one with a selector or with"
        " EndpointSlices",
        _service(service),
    )


def unsupported_backend_protocol(path: str, service: Key, protocol: str, remedy: str) -> Invalid:
    """The port speaks a protocol that the route cannot use."""
    return Invalid(
        RESOLVED_REFS,
        "UnsupportedProtocol",
        path,
        f"the port of Service {service.name!r} has {protocol}; {remedy}",
        _service(service),
    )


def _service(key: Key) -> Ref:
    return Ref("Service", key.namespace, key.name)


def _ports(ports: Sequence[int]) -> str:
    return ("port " if len(ports) == 1 else "ports ") + ", ".join(map(str, ports)) if ports else "no ports"
