"""Conditions of a BackendTLSPolicy, per Gateway (`apis/v1/policy_types.go`, `backendtlspolicy_types.go`)."""

from headgate.api.meta import Condition, Key
from headgate.api.problems import Problem

from . import ca_certificates
from .build import new_condition
from .invalid import Invalid, new_problem
from .policies import ACCEPTED, RESOLVED_REFS, refs_resolved

__all__ = ["ACCEPTED", "RESOLVED_REFS", "refs_resolved"]


def accepted() -> Condition:
    """The policy takes effect."""
    return new_condition(ACCEPTED, True, "Accepted", "the Gateway uses TLS to the targets as the policy declares")


# Names.


def bad_hostname(path: str, hostname: str) -> Problem:
    """The server name is not a DNS name."""
    return new_problem(ACCEPTED, "Invalid", path, f"{hostname!r} is not a DNS name; use one like web.example.com")


def unknown_name_type(path: str, name_type: str) -> Invalid:
    """A type of subject alternative name that this version does not know."""
    return Invalid(ACCEPTED, "Invalid", path, f"{name_type!r} is not supported; use Hostname or URI")


def bad_name(path: str, name: str | None, works: str) -> Invalid:
    """A subject alternative name that no certificate carries."""
    present = "is missing" if name is None else f"{name!r} is invalid"
    return Invalid(ACCEPTED, "Invalid", path, f"{present}; use {works}")


# CA certificates.


def unknown_well_known(path: str, name: str) -> Problem:
    """A set of CA certificates that Headgate does not have."""
    return new_problem(ACCEPTED, "Invalid", path, f"{name!r} is not supported; use 'System'")


def two_ca_certificate_sources(path: str) -> Problem:
    """References and a well-known set."""
    return new_problem(
        ACCEPTED,
        "Invalid",
        path,
        "caCertificateRefs and wellKnownCACertificates are mutually exclusive; remove one of them",
    )


def no_ca_certificate_source(path: str) -> Problem:
    """Neither references nor a well-known set."""
    return new_problem(
        ACCEPTED,
        "Invalid",
        path,
        "neither caCertificateRefs nor wellKnownCACertificates is set; set one of them",
    )


def unsupported_ca_certificate_kind(path: str, group: str, kind: str) -> Problem:
    """A reference of a kind that is not supported, or that the API does not serve."""
    return new_problem(RESOLVED_REFS, "InvalidKind", path, ca_certificates.unsupported_kind(group, kind))


def invalid_ca_certificate(path: str, key: Key, reason: str) -> Problem:
    """The ConfigMap, or the ClusterTrustBundle without a namespace, is missing or holds no certificate."""
    return new_problem(
        RESOLVED_REFS,
        "InvalidCACertificateRef",
        path,
        ca_certificates.invalid(key, reason),
        ca_certificates.reference(key),
    )


def no_valid_ca_certificate(path: str) -> Problem:
    """No reference resolves. The policy fails closed: the backend gets nothing, and never plain text."""
    return new_problem(
        ACCEPTED,
        "NoValidCACertificate",
        path,
        "no caCertificateRefs entry resolves to a CA certificate, so backend certificates cannot be verified and"
        " requests get 503; create one of the referenced objects",
    )
