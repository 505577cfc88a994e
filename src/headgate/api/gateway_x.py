"""Kinds of the group `gateway.networking.x-k8s.io` (Gateway API v1.7): experimental ones, whose names begin with X."""

from typing import Annotated

import msgspec

from .constraints import (
    REQUIRED,
    DomainPath,
    GatewayDuration,
    GroupName,
    HeaderName,
    HeaderValue,
    KindName,
    LabelValue,
    ObjectName,
    PortNumber,
    PreciseHostname,
    atomic,
    keyed,
    one_of,
    said,
)
from .gateway.policies import PolicyStatus, SubjectAltName, WellKnownCAs
from .gateway.sessions import SessionPersistence
from .gateway.shared import (
    AGE,
    BackendObjectReference,
    Column,
    LocalObjectReference,
    ParentReference,
    SecretObjectReference,
)
from .meta import Condition, Object, Value

GROUP = "gateway.networking.x-k8s.io"

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {
    "XBackend": (AGE,),
    "XBackendTrafficPolicy": (AGE,),
    "XTelemetryPolicy": (AGE,),
}

# XBackend (GEP-4894).


class BackendEndpointSelector(Value):
    """Pods of the namespace by their labels."""

    match_labels: Annotated[dict[str, LabelValue], REQUIRED, said(minProperties=1, maxProperties=64)] = {}


class BackendExternalHostname(Value):
    """A host outside of the cluster."""

    hostname: PreciseHostname


class BackendPort(Value):
    """The port that the backend listens on."""

    number: PortNumber | None = None


class BackendTLSValidation(Value):
    """Whose certificates are believed and for which name; `hostname` is the server name that is sent, too."""

    hostname: PreciseHostname
    ca_certificate_refs: Annotated[tuple[LocalObjectReference, ...], atomic(8, minItems=1)] = ()
    well_known_ca_certificates: WellKnownCAs | None = msgspec.field(default=None, name="wellKnownCACertificates")
    subject_alt_names: Annotated[tuple[SubjectAltName, ...], atomic(5)] = ()


class BackendTLS(Value):
    """TLS to the backend: mode None, ServerOnly or ClientAndServer."""

    mode: Annotated[str, one_of("None", "ServerOnly", "ClientAndServer")]
    validation: BackendTLSValidation | None = None
    client_certificate_ref: SecretObjectReference | None = None


class XBackendSpec(Value):
    """Where the backend is and what it speaks; type ExternalHostname or EndpointSelector says which field is set."""

    type: Annotated[str, one_of("ExternalHostname", "EndpointSelector")]
    port: Annotated[BackendPort, said(minProperties=1)]
    endpoint_selector: BackendEndpointSelector | None = None
    external_hostname: BackendExternalHostname | None = None
    protocol: Annotated[str, one_of("TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "MCP", "GRPC", "WSS")] | None = None
    tls: BackendTLS = BackendTLS(mode="None")
    session_persistence: SessionPersistence | None = None


class BackendAncestorStatus(Value):
    """What one controller says of a backend for one Gateway that uses it."""

    ancestor_ref: ParentReference
    controller_name: DomainPath
    conditions: Annotated[
        tuple[Condition, ...],
        said({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()


class XBackendStatus(Value):
    """One entry per Gateway that uses it, and controller."""

    ancestors: Annotated[tuple[BackendAncestorStatus, ...], atomic(32)] = ()


class XBackend(Object, kw_only=True):
    """Something that routes send requests to, with what must be known about it."""

    api_version: str = "gateway.networking.x-k8s.io/v1alpha1"
    kind: str = "XBackend"
    spec: XBackendSpec
    status: XBackendStatus = XBackendStatus()


# XBackendTrafficPolicy (GEP-3388, GEP-1619).


class BudgetDetails(Value):
    """How many of the requests may be retries, in percent, over an interval."""

    percent: Annotated[int, said(minimum=0, maximum=100)] = 20
    interval: GatewayDuration = "10s"


class RequestRate(Value):
    """Requests per interval."""

    count: Annotated[int, said(minimum=1, maximum=1_000_000)] | None = None
    interval: GatewayDuration | None = None


class RetryConstraint(Value):
    """When retries stop; below `min_retry_rate` they do not."""

    budget: BudgetDetails = BudgetDetails()
    min_retry_rate: RequestRate = RequestRate(count=10, interval="1s")


class LocalPolicyTargetReference(Value):
    """An object in the policy's namespace."""

    group: GroupName
    kind: KindName
    name: ObjectName


_Targets = said({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["group", "kind", "name"]})


class XBackendTrafficPolicySpec(Value):
    """How traffic to backends is limited, and which ones."""

    target_refs: Annotated[
        tuple[LocalPolicyTargetReference, ...], REQUIRED, _Targets, said(minItems=1, maxItems=16)
    ] = ()
    retry_constraint: RetryConstraint | None = None
    session_persistence: SessionPersistence | None = None


class XBackendTrafficPolicy(Object, kw_only=True):
    """Retry budget and sessions of a backend."""

    api_version: str = "gateway.networking.x-k8s.io/v1alpha1"
    kind: str = "XBackendTrafficPolicy"
    spec: XBackendTrafficPolicySpec
    status: PolicyStatus = PolicyStatus()


# XTelemetryPolicy (GEP-4768).

_Mode = Annotated[str, one_of("Enabled", "Disabled", "ImplementationDefault")]


class SamplingRate(Value):
    """A share: numerator of denominator."""

    numerator: Annotated[int, said(format="int32", minimum=0)]
    denominator: Annotated[int, said(format="int32", minimum=1)] = 100


class TracingHeader(Value):
    """A header of the requests that carry traces to the collector."""

    name: HeaderName
    value: Annotated[HeaderValue, said(pattern=r"^[!-~]+([\t ]?[!-~]+)*$")]


class TracingProvider(Value):
    """The collector: OTLP over gRPC."""

    backend_ref: BackendObjectReference
    headers: Annotated[tuple[TracingHeader, ...], keyed("name", 16)] = ()


class ParentBasedSampling(Value):
    """What a caller has decided already counts first."""

    mode: _Mode = "ImplementationDefault"
    sampling_rate: SamplingRate | None = None


class TracingAttribute(Value):
    """An attribute of spans; source type Header, Literal or Attribute says which of the fields is set."""

    name: Annotated[str, said(minLength=1, maxLength=256, pattern=r"^[a-zA-Z0-9_.:/-]+$")]
    source_type: Annotated[str, one_of("Header", "Literal", "Attribute")]
    header_name: HeaderName | None = None
    literal_value: Annotated[str, said(minLength=1, maxLength=1024)] | None = None
    attribute_key: Annotated[str, said(minLength=1, maxLength=256, pattern=r"^[a-z0-9_.-]+$")] | None = None


class TelemetryTracing(Value):
    """Traces: everything but `mode` counts with mode Enabled only."""

    mode: _Mode = "ImplementationDefault"
    provider: TracingProvider | None = None
    sampling_rate: SamplingRate | None = None
    parent_based_sampling: ParentBasedSampling | None = None
    service_name: Annotated[str, said(minLength=1, maxLength=253, pattern=r"^[a-zA-Z0-9_.:/-]+$")] | None = None
    span_name: (
        Annotated[str, said(minLength=1, maxLength=256, pattern=r"^[a-zA-Z0-9_.:/-]+( [a-zA-Z0-9_.:/-]+)*$")] | None
    ) = None
    attributes: Annotated[
        tuple[TracingAttribute, ...],
        said({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
    ] = ()


class XTelemetryPolicySpec(Value):
    """What is told about the traffic of Gateways."""

    target_refs: Annotated[tuple[LocalPolicyTargetReference, ...], REQUIRED, atomic(16, minItems=1)] = ()
    tracing: TelemetryTracing | None = None


class XTelemetryPolicy(Object, kw_only=True):
    """Traces of Gateways."""

    api_version: str = "gateway.networking.x-k8s.io/v1alpha1"
    kind: str = "XTelemetryPolicy"
    spec: XTelemetryPolicySpec
    status: PolicyStatus = PolicyStatus()
