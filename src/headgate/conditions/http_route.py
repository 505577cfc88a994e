"""What an HTTPRoute is told, per parent (`apis/v1/shared_types.go`)."""

from collections.abc import Sequence

from headgate.api.meta import Condition, Ref

from .build import envoy_message, new_condition
from .invalid import Invalid, Problem

ACCEPTED = "Accepted"
RESOLVED_REFS = "ResolvedRefs"
#: Only there when it is true.
PARTIALLY_INVALID = "PartiallyInvalid"


def accepted() -> Condition:
    """The route is attached."""
    return new_condition(ACCEPTED, True, "Accepted", "the route is attached")


def partially_invalid(message: str) -> Condition:
    """Some rules cannot be served, the others are. What matches the dropped ones is refused, not given to others."""
    return new_condition(
        PARTIALLY_INVALID, True, "UnsupportedValue", f"Dropped Rule: requests for it are refused; {message}"
    )


def pending() -> Condition:
    """Attached, and no Envoy forwards for it yet."""
    return new_condition(ACCEPTED, None, "Pending", "waiting for an Envoy to take the listener with this route")


def rejected_by_envoy(message: str) -> Condition:
    """Envoy did not take it."""
    return new_condition(ACCEPTED, False, "UnsupportedValue", f"Envoy refused the route: {envoy_message(message)}")


def refs_resolved() -> Condition:
    """Every backend exists and may be used."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


# Attaching: the parentRef.


def no_matching_parent(path: str, parent: Ref, section: str | None, port: int | None, names: Sequence[str]) -> Problem:
    """The Gateway or ListenerSet has no such listener."""
    wanted = " and ".join([f"named {section!r}"] * (section is not None) + [f"on port {port}"] * (port is not None))
    return Problem(
        ACCEPTED,
        "NoMatchingParent",
        path,
        f"{parent} has no listener {wanted}; it has {', '.join(names) or 'none'}",
    )


def parent_not_accepted(path: str, parent: Ref, why: str) -> Problem:
    """The ListenerSet has no listeners to attach to, because its Gateway does not take it."""
    return Problem(ACCEPTED, "NoMatchingParent", path, f"{parent} is not accepted: {why}")


def not_allowed_by_listeners(path: str, parent: Ref, reasons: Sequence[str]) -> Problem:
    """No listener takes routes of this kind from this namespace."""
    return Problem(ACCEPTED, "NotAllowedByListeners", path, f"{parent} does not allow it: {'; '.join(reasons)}")


def no_matching_listener_hostname(path: str, hostnames: Sequence[str], listeners: Sequence[str]) -> Problem:
    """Hostnames of route and listeners have nothing in common."""
    return Problem(
        ACCEPTED,
        "NoMatchingListenerHostname",
        path,
        f"spec.hostnames ({', '.join(hostnames)}) and the hostnames of the listeners ({', '.join(listeners)})"
        " have nothing in common; change one of them",
    )


# Values.


def unsupported_value(path: str, value: str, works: str) -> Invalid:
    """A value that this version does not know or does not support."""
    return Invalid(ACCEPTED, "UnsupportedValue", path, f"{value!r} is not supported; {works}")


def invalid_regex(path: str, pattern: str, why: str) -> Invalid:
    """A pattern that RE2, and so Envoy, refuses."""
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        path,
        f"{pattern!r} is no regular expression of RE2 ({why}); {_lacking(why)}",
    )


def _lacking(why: str) -> str:
    if "perl operator" in why or "escape" in why:
        return "RE2 has no look-around and no back-references"
    if "repetition" in why:
        return "RE2 repeats at most 1000 times, all nested repetitions together"
    return "RE2's syntax is at github.com/google/re2/wiki/Syntax"


def invalid_value(path: str, value: str, works: str) -> Invalid:
    """A value that cannot be programmed."""
    return Invalid(ACCEPTED, "UnsupportedValue", path, f"{value!r} cannot be used; {works}")


def unsupported_extension_ref(path: str, group: str, kind: str, name: str) -> Invalid:
    """A filter of a kind that nobody here knows; what it would have done cannot be left out."""
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        path,
        f"{group or 'core'}/{kind} {name!r} cannot be resolved: there are no kinds of filters beside the API's own",
    )


def incompatible_filters(path: str, why: str) -> Invalid:
    """Filters that cannot stand together."""
    return Invalid(ACCEPTED, "IncompatibleFilters", path, why)


# References.


def invalid_backend_kind(path: str, group: str, kind: str) -> Invalid:
    """A backend of a kind that we do not know."""
    return Invalid(
        RESOLVED_REFS, "InvalidKind", path, f"{group or 'core'}/{kind} is not a kind of backend here; use a Service"
    )


def backend_ref_not_permitted(path: str, namespace: str, name: str, kind: str, from_namespace: str) -> Invalid:
    """The backend's namespace has not said yes. Whether the backend exists is not told."""
    return Invalid(
        RESOLVED_REFS,
        "RefNotPermitted",
        path,
        f"Service {name!r} is in namespace {namespace!r}, which does not allow it; a ReferenceGrant there"
        f" from {kind} in {from_namespace!r} to Service would",
    )


def backend_not_found(path: str, namespace: str, name: str) -> Invalid:
    """No such Service."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"no Service {name!r} in namespace {namespace!r}; create it or change the name",
    )


def backend_port_missing(path: str, name: str, ports: Sequence[int]) -> Invalid:
    """A Service is used by one of its ports."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"a port is needed for Service {name!r}; it has {_ports(ports)}",
    )


def backend_port_not_found(path: str, name: str, port: int, ports: Sequence[int]) -> Invalid:
    """The Service has no such port."""
    return Invalid(
        RESOLVED_REFS, "BackendNotFound", path, f"Service {name!r} has no port {port}; it has {_ports(ports)}"
    )


def external_name_backend(path: str, name: str) -> Invalid:
    """A Service that is only a name elsewhere: the API advises against it (it lets a tenant reach any host)."""
    return Invalid(
        RESOLVED_REFS,
        "BackendNotFound",
        path,
        f"Service {name!r} is of type ExternalName, which has no endpoints of its own; use one with a selector"
        " or with EndpointSlices",
    )


def unsupported_backend_protocol(path: str, name: str, protocol: str, works: str) -> Invalid:
    """A port that speaks something else."""
    return Invalid(RESOLVED_REFS, "UnsupportedProtocol", path, f"Service {name!r} speaks {protocol} there; {works}")


def _ports(ports: Sequence[int]) -> str:
    return ", ".join(str(port) for port in ports) or "none"
