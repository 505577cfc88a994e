"""Conditions of a listener of a Gateway or ListenerSet (`apis/v1/gateway_types.go`)."""

from collections.abc import Sequence

import msgspec

from headgate.api.meta import Condition, Key, Ref
from headgate.api.problems import Problem

from . import ca_certificates
from .build import envoy_message, new_condition
from .http_route import not_permitted
from .invalid import Invalid, new_problem

ACCEPTED = "Accepted"
CONFLICTED = "Conflicted"
RESOLVED_REFS = "ResolvedRefs"
PROGRAMMED = "Programmed"
#: Present only while it is True.
OVERLAPPING_TLS_CONFIG = "OverlappingTLSConfig"


def listener_names(names: Sequence[str]) -> str:
    """Listeners in a message."""
    return ", ".join(f"listener {name!r}" for name in names)


# Conditions.


def accepted() -> Condition:
    """The listener is valid."""
    return new_condition(ACCEPTED, True, "Accepted", "the listener is valid")


def not_accepted(reason: str, message: str) -> Condition:
    """The listener is invalid, or conflicts with another: then with the reason of the conflict."""
    return new_condition(ACCEPTED, False, reason, message)


def not_conflicted() -> Condition:
    """No other listener has the same port, protocol and hostname."""
    return new_condition(CONFLICTED, False, "NoConflicts", "no other listener has the same port, protocol and hostname")


def conflicted(problem: Problem) -> Condition:
    """Another listener has the same port, protocol or hostname. True means that the listener is not served."""
    return new_condition(CONFLICTED, True, problem.reason, str(problem))


def refs_resolved() -> Condition:
    """Certificates resolve, and the route kinds are supported."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


def programmed() -> Condition:
    """An Envoy accepted the listener."""
    return new_condition(PROGRAMMED, True, "Programmed", "Envoy serves the listener")


def not_programmed(message: str, reason: str = "Invalid") -> Condition:
    """The listener is invalid, so it was not sent to Envoy."""
    return new_condition(PROGRAMMED, False, reason, message)


def rejected_by_envoy(message: str) -> Condition:
    """Envoy rejected the listener."""
    return new_condition(PROGRAMMED, False, "Invalid", f"Envoy rejected the listener: {envoy_message(message)}")


def certificate_rejected_by_envoy(secret: Key, message: str) -> Condition:
    """Envoy rejected a certificate of the listener."""
    return new_condition(
        PROGRAMMED, False, "Invalid", f"Envoy rejected the certificate of Secret {secret}: {envoy_message(message)}"
    )


def pending(message: str) -> Condition:
    """No Envoy has accepted the listener."""
    return new_condition(PROGRAMMED, False, "Pending", message)


def overlapping_tls_config(reason: str, port: int, others: Sequence[str]) -> Condition:
    """A client may reuse a connection to this listener for requests to others; they get 421 (GEP-3567)."""
    what = "hostnames" if reason == "OverlappingHostnames" else "certificates"
    return new_condition(
        OVERLAPPING_TLS_CONFIG,
        True,
        reason,
        f"{what} overlap with {', '.join(others)} on port {port}: a client may reuse one connection for both, and its"
        " requests to the other listener get 421 Misdirected Request; use hostnames and certificates that do not"
        " overlap",
    )


# Conflicts.


def protocol_conflict(path: str, port: int, others: Sequence[str]) -> Problem:
    """Listeners on one port, with protocols that cannot share it. Without `others` the port belongs to a listener of
    another owner, which is not named.
    """
    return new_problem(
        CONFLICTED,
        "ProtocolConflict",
        f"{path}.protocol",
        f"port {port} is used by {_others(others)} with a protocol that cannot share it; change the port of one of"
        " them",
    )


def hostname_conflict(path: str, port: int, hostname: str, others: Sequence[str]) -> Problem:
    """Listeners on one port with one hostname. Without `others` it belongs to a listener of another owner."""
    what = f"hostname {hostname!r}" if hostname else "every hostname"
    return new_problem(
        CONFLICTED,
        "HostnameConflict",
        f"{path}.hostname",
        f"{what} on port {port} is used by {_others(others)} as well; change the hostname or port of one of them",
    )


def _others(names: Sequence[str]) -> str:
    return listener_names(names) if names else "a listener of the Gateway or of another ListenerSet"


# Values.


def unsupported_protocol(path: str, protocol: str) -> Invalid:
    """The protocol is not supported."""
    return Invalid(
        ACCEPTED,
        "UnsupportedProtocol",
        f"{path}.protocol",
        f"{protocol!r} is not supported; use HTTP, HTTPS, TLS, TCP or UDP",
    )


def port_unavailable(path: str, port: int, reason: str) -> Invalid:
    """Envoy cannot bind the port."""
    return Invalid(ACCEPTED, "PortUnavailable", f"{path}.port", f"port {port} {reason}; choose another port")


def invalid_hostname(path: str, hostname: str) -> Invalid:
    """The hostname is not a DNS name."""
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        f"{path}.hostname",
        f"{hostname!r} is invalid; use a hostname like shop.example.com or *.example.com",
    )


def unsupported_tls_mode(path: str, protocol: str, mode: str) -> Invalid:
    """HTTPS terminates TLS; only protocol TLS may pass it through."""
    remedy = "use Terminate" if protocol == "HTTPS" else "use Terminate or Passthrough"
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        f"{path}.tls.mode",
        f"{mode!r} is not supported with protocol {protocol}; {remedy}",
    )


def as_listener_filter(problem: Problem) -> Problem:
    """The problem of a route's filter as one of a listener's filter (GEP-5224)."""
    if problem.condition == RESOLVED_REFS and problem.reason != "RefNotPermitted":
        return msgspec.structs.replace(problem, reason="InvalidListenerFilterRef")
    return problem


def invalid_listener_filter(path: str, protocol: str) -> Problem:
    """Filters apply to requests; the protocol of the listener has none."""
    return new_problem(
        ACCEPTED,
        "InvalidListenerFilter",
        path,
        f"filters are not supported with protocol {protocol}; remove them, or use protocol HTTP or HTTPS",
    )


def invalid_route_kind(path: str, group: str, kind: str, supported: Sequence[str]) -> Problem:
    """`allowedRoutes.kinds` has a kind that the listener cannot serve."""
    return new_problem(
        RESOLVED_REFS,
        "InvalidRouteKinds",
        path,
        f"{group}/{kind} is not supported by this listener; use {' or '.join(supported) or 'another protocol'}",
    )


# Certificates of the listener.


def certificate_refs_missing(path: str, protocol: str) -> Invalid:
    """The listener terminates TLS and has no certificate."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCertificateRef",
        f"{path}.tls.certificateRefs",
        f"protocol {protocol} needs a certificate; refer to a Secret of type kubernetes.io/tls",
    )


def unsupported_certificate_kind(path: str, group: str, kind: str) -> Invalid:
    """The certificate is not in a Secret."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCertificateRef",
        path,
        f"{group or 'core'}/{kind} is not supported; use a Secret of type kubernetes.io/tls",
    )


def certificate_ref_not_permitted(path: str, secret: Ref, owner: Ref) -> Invalid:
    """The namespace of the Secret does not permit the reference. Whether the Secret exists is not disclosed."""
    return Invalid(RESOLVED_REFS, "RefNotPermitted", path, not_permitted(secret, owner), secret)


def certificate_not_found(path: str, secret: Ref) -> Invalid:
    """The Secret does not exist, or is of another type."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCertificateRef",
        path,
        f"no Secret {secret.name!r} of type kubernetes.io/tls exists in namespace {secret.namespace!r}; create it or"
        " change the name",
        secret,
    )


def invalid_certificate(path: str, secret: Ref, reason: str) -> Invalid:
    """The Secret has no usable certificate and key."""
    return Invalid(
        RESOLVED_REFS, "InvalidCertificateRef", path, f"Secret {secret.namespace}/{secret.name}: {reason}", secret
    )


# Certificates of clients: `spec.tls.frontend` of the Gateway (GEP-91).


def unsupported_client_validation_mode(path: str, mode: str, supported: Sequence[str]) -> Problem:
    """The mode is not in the API."""
    return new_problem(ACCEPTED, "UnsupportedValue", path, f"{mode!r} is not supported; use {' or '.join(supported)}")


def unsupported_ca_certificate_kind(path: str, group: str, kind: str) -> Invalid:
    """The kind cannot hold CA certificates, or the API does not serve it."""
    return Invalid(RESOLVED_REFS, "InvalidCACertificateKind", path, ca_certificates.unsupported_kind(group, kind))


def ca_certificate_ref_not_permitted(path: str, config_map: Ref, gateway: Ref) -> Invalid:
    """The namespace of the ConfigMap does not permit the reference. Whether the ConfigMap exists is not disclosed."""
    return Invalid(RESOLVED_REFS, "RefNotPermitted", path, not_permitted(config_map, gateway), config_map)


def invalid_ca_certificate(path: str, key: Key, reason: str) -> Invalid:
    """The ConfigMap, or the ClusterTrustBundle (a key without namespace), does not exist or has no CA certificate."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCACertificateRef",
        path,
        ca_certificates.invalid(key, reason),
        ca_certificates.reference(key),
    )


def no_valid_ca_certificate(path: str) -> Problem:
    """No reference resolves to a CA certificate."""
    return new_problem(
        ACCEPTED,
        "NoValidCACertificate",
        path,
        "no entry resolves to a CA certificate, so client certificates cannot be verified and HTTPS is not served;"
        " refer to a ConfigMap with a key ca.crt",
    )
