"""BackendTLSPolicy, and the types that all policy kinds share (GEP-713)."""

from typing import Annotated

import msgspec

from ..constraints import (
    REQUIRED,
    AnnotationValue,
    DomainPath,
    GroupName,
    Hostname,
    KindName,
    ObjectName,
    PreciseHostname,
    SectionName,
    atomic,
    experimental,
    keywords,
    one_of,
)
from ..meta import Object, Value
from .shared import AGE, Column, Conditions, LocalObjectReference, ParentReference

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {"BackendTLSPolicy": (AGE,)}

_URI = Annotated[
    str, keywords(minLength=1, maxLength=253, pattern=r"^(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\?([^#]*))?(#(.*))?")
]
WellKnownCAs = Annotated[
    str,
    keywords(
        minLength=1,
        maxLength=253,
        pattern=r"^(System|([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
        r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]))$",
    ),
]


class LocalPolicyTargetReferenceWithSectionName(Value):
    """An object in the policy's namespace, or a section of it: of a Service the name of a port."""

    group: GroupName
    kind: KindName
    name: ObjectName
    section_name: SectionName | None = None


class SubjectAltName(Value):
    """A name that the backend's certificate must carry. `type`, Hostname or URI, is the field that is set."""

    type: Annotated[str, one_of("Hostname", "URI")]
    hostname: Hostname | None = None
    uri: _URI | None = None


class BackendTLSPolicyValidation(Value):
    """The trusted CA certificates and the expected names of a backend; `hostname` is also the server name (SNI)."""

    hostname: PreciseHostname
    ca_certificate_refs: Annotated[tuple[LocalObjectReference, ...], atomic(8), experimental(minItems=1)] = ()
    well_known_ca_certificates: WellKnownCAs | None = msgspec.field(default=None, name="wellKnownCACertificates")
    subject_alt_names: Annotated[tuple[SubjectAltName, ...], atomic(5)] = ()


class BackendTLSPolicySpec(Value):
    """The validation of backends, and the Services that it applies to."""

    validation: BackendTLSPolicyValidation
    target_refs: Annotated[tuple[LocalPolicyTargetReferenceWithSectionName, ...], REQUIRED, atomic(16, minItems=1)] = ()
    options: Annotated[dict[str, AnnotationValue], keywords(maxProperties=16)] = {}


class PolicyAncestorStatus(Value):
    """The conditions that one controller reports for one ancestor, usually a Gateway."""

    ancestor_ref: ParentReference
    controller_name: DomainPath
    conditions: Annotated[Conditions, REQUIRED, keywords(minItems=1)] = ()


class PolicyStatus(Value):
    """One entry per ancestor and controller."""

    ancestors: Annotated[tuple[PolicyAncestorStatus, ...], REQUIRED, atomic(16)] = ()


class BackendTLSPolicy(Object, kw_only=True):
    """TLS from the Gateway to backends."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "BackendTLSPolicy"
    spec: BackendTLSPolicySpec
    status: PolicyStatus = PolicyStatus()
