"""What a BackendTLSPolicy is told, per Gateway (`apis/v1/policy_types.go`, `backendtlspolicy_types.go`)."""

from collections.abc import Sequence

from headgate.api.meta import Condition, Key
from headgate.conditions import ca_certificates

from .build import new_condition
from .invalid import Invalid, Problem

ACCEPTED = "Accepted"
RESOLVED_REFS = "ResolvedRefs"


def accepted() -> Condition:
    """The Gateway speaks TLS to the backends as the policy says."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway speaks TLS to the targets as the policy says")


def refs_resolved() -> Condition:
    """All authorities are there."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


# Targets.


def unsupported_target(path: str, group: str, kind: str) -> Problem:
    """Only Services can be spoken to by TLS."""
    return Problem(
        ACCEPTED, "Invalid", path, f"{group or 'core'}/{kind} cannot be the target of a BackendTLSPolicy; a Service can"
    )


def section_not_found(path: str, service: Key, section: str, ports: Sequence[str]) -> Problem:
    """The Service has no port of this name."""
    named = ", ".join(repr(each) for each in ports if each) or "none with a name"
    return Problem(
        ACCEPTED,
        "TargetNotFound",
        f"{path}.sectionName",
        f"Service {service} has no port named {section!r}; its ports are {named}",
    )


def conflicted(path: str, target: str, winner: Key) -> Problem:
    """Another policy has the same target and comes first."""
    return Problem(
        ACCEPTED,
        "Conflicted",
        path,
        f"{target} is already the target of BackendTLSPolicy {winner}, which comes first (the older one, then the"
        " first by name); delete one of them or give it another target",
    )


# Validation.


def unknown_well_known(path: str, name: str) -> Problem:
    """A set of authorities that we do not have."""
    return Problem(ACCEPTED, "Invalid", path, f"{name!r} is not known; 'System' is")


def two_kinds_of_authority(path: str) -> Problem:
    """References and a well-known set."""
    return Problem(
        ACCEPTED, "Invalid", path, "caCertificateRefs and wellKnownCACertificates exclude each other; keep one of them"
    )


def no_authority(path: str) -> Problem:
    """Neither references nor a well-known set."""
    return Problem(
        ACCEPTED, "Invalid", path, "neither caCertificateRefs nor wellKnownCACertificates is set; one of them must be"
    )


def bad_hostname(path: str, hostname: str) -> Problem:
    """The name that would be sent and that a certificate should carry is none."""
    return Problem(ACCEPTED, "Invalid", path, f"{hostname!r} cannot be used; it is a DNS name like web.example.com")


def unknown_name_type(path: str, kind: str) -> Invalid:
    """A type of name that this version does not know."""
    return Invalid(ACCEPTED, "Invalid", path, f"{kind!r} is not known; Hostname and URI are")


def bad_name(path: str, name: str | None, works: str) -> Invalid:
    """A name that no certificate carries."""
    there = "is missing" if name is None else f"{name!r} cannot be used"
    return Invalid(ACCEPTED, "Invalid", path, f"{there}; it is {works}")


def unsupported_authority_kind(path: str, group: str, kind: str) -> Problem:
    """An authority of a kind that is not read, or that the API does not have."""
    return Problem(
        RESOLVED_REFS,
        "InvalidKind",
        path,
        ca_certificates.unsupported_kind_message(group, kind),
    )


def authority_invalid(path: str, config_map: Key, why: str) -> Problem:
    """The ConfigMap, or ClusterTrustBundle without a namespace, is missing or holds no certificate."""
    return Problem(RESOLVED_REFS, "InvalidCACertificateRef", path, ca_certificates.invalid_message(config_map, why))


def no_valid_authority(path: str) -> Problem:
    """None of the references leads to a certificate: nothing is sent, least of all without TLS."""
    return Problem(
        ACCEPTED,
        "NoValidCACertificate",
        path,
        "none of the references leads to a certificate, so no backend can be believed and requests are answered 503",
    )
