"""What a listener is told (`apis/v1/gateway_types.go`)."""

from collections.abc import Sequence

import msgspec

from headgate.api.meta import Condition, Key, Ref
from headgate.conditions import ca_certificates

from .build import envoy_message, new_condition
from .invalid import Invalid, Problem

ACCEPTED = "Accepted"
CONFLICTED = "Conflicted"
RESOLVED_REFS = "ResolvedRefs"
PROGRAMMED = "Programmed"
#: Only there when it is True.
OVERLAPPING_TLS_CONFIG = "OverlappingTLSConfig"

#: The order in which conditions of a listener are written.
TYPES = (ACCEPTED, CONFLICTED, RESOLVED_REFS, PROGRAMMED)


def accepted() -> Condition:
    """The listener is valid."""
    return new_condition(ACCEPTED, True, "Accepted", "the listener is valid")


def not_accepted(reason: str, message: str) -> Condition:
    """It cannot serve; the conflict's reason, if that is why."""
    return new_condition(ACCEPTED, False, reason, message)


def not_conflicted() -> Condition:
    """No other listener wants the same port and hostname."""
    return new_condition(
        CONFLICTED, False, "NoConflicts", "no other listener wants the same port, protocol and hostname"
    )


def conflicted(problem: Problem) -> Condition:
    """Others want the same; Conflicted is the one condition that is bad when True."""
    return new_condition(CONFLICTED, True, problem.reason, str(problem))


def refs_resolved() -> Condition:
    """Certificates and route kinds are known."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


def programmed() -> Condition:
    """An Envoy took it."""
    return new_condition(PROGRAMMED, True, "Programmed", "Envoy serves the listener")


def not_programmed(because: str, reason: str = "Invalid") -> Condition:
    """It is not valid, so Envoy was not told."""
    return new_condition(PROGRAMMED, False, reason, because)


def rejected_by_envoy(sentence: str) -> Condition:
    """Envoy refused it."""
    return new_condition(PROGRAMMED, False, "Invalid", f"Envoy refused the listener: {envoy_message(sentence)}")


def certificate_rejected_by_envoy(secret: Key, sentence: str) -> Condition:
    """Envoy's own words about a certificate of the listener."""
    return new_condition(
        PROGRAMMED, False, "Invalid", f"Envoy refused the certificate of Secret {secret}: {envoy_message(sentence)}"
    )


def pending(why: str) -> Condition:
    """No Envoy has taken it yet."""
    return new_condition(PROGRAMMED, False, "Pending", why)


def protocol_conflict(path: str, port: int, others: Sequence[str]) -> Problem:
    """One port, protocols that cannot share it. Without `others` a listener of the Gateway or of an older ListenerSet
    has it, which is not named.
    """
    return Problem(
        CONFLICTED,
        "ProtocolConflict",
        f"{path}.protocol",
        f"port {port} is wanted by {_names(others)} with a protocol that cannot share it;"
        " give one of them another port",
    )


def hostname_conflict(path: str, port: int, hostname: str, others: Sequence[str]) -> Problem:
    """One port, one hostname, several listeners; `others` as above."""
    what = f"hostname {hostname!r}" if hostname else "every hostname"
    return Problem(
        CONFLICTED,
        "HostnameConflict",
        f"{path}.hostname",
        f"port {port} with {what} is wanted by {_names(others)} as well; give one of them another hostname or port",
    )


def unsupported_protocol(path: str, protocol: str) -> Invalid:
    """A protocol that we do not serve."""
    return Invalid(
        ACCEPTED,
        "UnsupportedProtocol",
        f"{path}.protocol",
        f"{protocol!r} is not supported; HTTP, HTTPS, TLS, TCP and UDP are",
    )


def port_unavailable(path: str, port: int, why: str) -> Invalid:
    """A port that cannot be had."""
    return Invalid(ACCEPTED, "PortUnavailable", f"{path}.port", f"{port} {why}; choose another port")


def invalid_hostname(path: str, hostname: str) -> Invalid:
    """A hostname that is none."""
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        f"{path}.hostname",
        f"{hostname!r} cannot be used; a hostname is like shop.example.com or *.example.com",
    )


def unsupported_tls_mode(path: str, protocol: str, mode: str) -> Invalid:
    """HTTPS is terminated, by its meaning; TLS may be passed through as well."""
    works = "use Terminate" if protocol == "HTTPS" else "use Terminate or Passthrough"
    return Invalid(
        ACCEPTED,
        "UnsupportedValue",
        f"{path}.tls.mode",
        f"{mode!r} is not possible with protocol {protocol}; {works}",
    )


def as_listener_filter(problem: Problem) -> Problem:
    """What is wrong with a filter before routing (GEP-5224), in the words that listeners have for it."""
    if problem.condition == RESOLVED_REFS and problem.reason != "RefNotPermitted":
        return msgspec.structs.replace(problem, reason="InvalidListenerFilterRef")
    return problem


def invalid_listener_filter(path: str, protocol: str) -> Problem:
    """Filters see requests; this protocol has none."""
    return Problem(
        ACCEPTED,
        "InvalidListenerFilter",
        path,
        f"protocol {protocol} has no requests to be filtered; leave filters out, or use protocol HTTP or HTTPS",
    )


def invalid_route_kind(path: str, group: str, kind: str, known: Sequence[str]) -> Problem:
    """`allowedRoutes.kinds` names a kind that this listener cannot serve."""
    return Problem(
        RESOLVED_REFS,
        "InvalidRouteKinds",
        path,
        f"{group}/{kind} cannot be served by this listener; {', '.join(known) or 'no kind'} can",
    )


def certificate_refs_missing(path: str, protocol: str) -> Invalid:
    """TLS that ends here, without a certificate."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCertificateRef",
        f"{path}.tls.certificateRefs",
        f"protocol {protocol} needs a certificate; refer to a Secret of type kubernetes.io/tls",
    )


def unsupported_certificate_kind(path: str, group: str, kind: str) -> Invalid:
    """A certificate that is not in a Secret."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCertificateRef",
        path,
        f"{group or 'core'}/{kind} is not supported; use a Secret of type kubernetes.io/tls",
    )


def certificate_ref_not_permitted(path: str, namespace: str, name: str, owner: Ref) -> Invalid:
    """The Secret's namespace has not said yes. Whether the Secret exists is not told."""
    return Invalid(
        RESOLVED_REFS,
        "RefNotPermitted",
        path,
        f"Secret {name!r} is in namespace {namespace!r}, which does not allow it; a ReferenceGrant there"
        f" from {owner.kind} in {owner.namespace!r} to Secret would",
    )


def certificate_not_found(path: str, namespace: str, name: str) -> Invalid:
    """No such Secret."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCertificateRef",
        path,
        f"no Secret {name!r} of type kubernetes.io/tls in namespace {namespace!r}; create it or change the name",
    )


def invalid_certificate(path: str, namespace: str, name: str, why: str) -> Invalid:
    """The Secret holds no usable certificate and key."""
    return Invalid(RESOLVED_REFS, "InvalidCertificateRef", path, f"Secret {namespace}/{name}: {why}")


# Certificates of clients: `spec.tls.frontend` of the Gateway.


def unsupported_client_validation_mode(path: str, mode: str, known: Sequence[str]) -> Problem:
    """A mode that this version does not know."""
    return Problem(ACCEPTED, "UnsupportedValue", path, f"{mode!r} is not known; {' and '.join(known)} are")


def unsupported_ca_certificate_kind(path: str, group: str, kind: str) -> Invalid:
    """An authority of a kind that is not read, or that the API does not have."""
    return Invalid(
        RESOLVED_REFS,
        "InvalidCACertificateKind",
        path,
        ca_certificates.unsupported_kind_message(group, kind),
    )


def ca_certificate_ref_not_permitted(path: str, config_map: Key, gateway: Key) -> Invalid:
    """The ConfigMap's namespace has not said yes. Whether the ConfigMap exists is not told."""
    return Invalid(
        RESOLVED_REFS,
        "RefNotPermitted",
        path,
        f"ConfigMap {config_map.name!r} is in namespace {config_map.namespace!r}, which does not allow it;"
        f" a ReferenceGrant there from Gateway in {gateway.namespace!r} to ConfigMap would",
    )


def invalid_ca_certificate(path: str, config_map: Key, why: str) -> Invalid:
    """The ConfigMap, or ClusterTrustBundle without a namespace, is missing or holds no certificate."""
    return Invalid(RESOLVED_REFS, "InvalidCACertificateRef", path, ca_certificates.invalid_message(config_map, why))


def no_valid_ca_certificate(path: str) -> Problem:
    """None of the references leads to a certificate: no client could be let in."""
    return Problem(
        ACCEPTED,
        "NoValidCACertificate",
        path,
        "none of the references leads to a certificate, so no client could be told from another; HTTPS is not served",
    )


def overlapping_tls_config(reason: str, port: int, others: Sequence[str]) -> Condition:
    """A client could use a connection to this listener for requests to others; such requests are answered 421."""
    what = "hostnames" if reason == "OverlappingHostnames" else "certificates"
    return new_condition(
        OVERLAPPING_TLS_CONFIG,
        True,
        reason,
        f"{what} overlap with {', '.join(others)} on port {port}: a client may reuse a connection for both; a request"
        " that belongs to another listener is answered 421 Misdirected Request",
    )


def _names(names: Sequence[str]) -> str:
    if not names:
        return "a listener of the Gateway or of a ListenerSet that comes first"
    return ", ".join(f"listener {name!r}" for name in names)
