"""BackendTLSPolicy (Gateway API v1.7, `BackendTLSPolicySpec`; GEP-1897): TLS from the Gateway to a Service.

A policy for a port (`sectionName`) takes precedence over one for the whole Service. A policy that takes effect and is
invalid fails closed: the backend gets neither plain text nor the settings of another policy.
"""

from collections.abc import Iterable

from headgate.api import certificates
from headgate.api import gateway as api
from headgate.conditions import Problem, first_problem
from headgate.conditions import backend_tls_policy as conditions
from headgate.ir.routing import Backend, BackendTraffic

from . import tls_validation
from .base import SERVICE, BackendSettings, PolicyKind, PolicySettings, ReferenceResolver
from .tls_validation import Validation

_VALIDATION = "spec.validation"


def read(policy: api.BackendTLSPolicy, references: ReferenceResolver) -> PolicySettings[BackendSettings]:
    """TLS as the policy declares it. With an invalid validation it trusts no CA, so every connection is refused."""
    validation = tls_validation.read(policy.metadata.namespace, _VALIDATION, policy.spec.validation)
    return PolicySettings(
        settings=BackendSettings(BackendTraffic(tls=validation.tls)),
        problems=(*validation.problems, *_ca_problems(validation, references)),
    )


def _ca_problems(validation: Validation, references: ReferenceResolver) -> Iterable[Problem]:
    """Unresolved CA references. If none resolves, adds NoValidCACertificate (unless the policy is invalid already)."""
    trusted = (
        validation.tls.system_ca_certificates or first_problem(validation.problems, conditions.ACCEPTED) is not None
    )
    for path, key in validation.ca_certificates:
        source = references.ca_certificates(key)
        trusted = trusted or not source.problem
        if not source.served:
            yield conditions.unsupported_ca_certificate_kind(path, certificates.GROUP, "ClusterTrustBundle")
        elif source.problem:
            yield conditions.invalid_ca_certificate(path, key, source.problem)
    if not trusted:
        yield conditions.no_valid_ca_certificate(f"{_VALIDATION}.caCertificateRefs")


def _applies_to(backend: Backend) -> bool:
    """Not to connections that are passed on as they are: those of a TCPRoute, or of a TLSRoute in mode Passthrough."""
    return backend.protocol not in ("tcp", "udp") or backend.traffic.tls is not None


KIND = PolicyKind(
    object_type=api.BackendTLSPolicy,
    targets=(SERVICE,),
    settings=BackendSettings,
    read=read,
    applies_to=_applies_to,
    conditions=(conditions.accepted(), conditions.refs_resolved()),
    fails_closed=True,
)
