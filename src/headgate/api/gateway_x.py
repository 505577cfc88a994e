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
    keywords,
    one_of,
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

    match_labels: Annotated[dict[str, LabelValue], REQUIRED, keywords(minProperties=1, maxProperties=64)] = {}


class BackendExternalHostname(Value):
    """A host outside of the cluster."""

    hostname: PreciseHostname


class BackendPort(Value):
    """The port that the backend listens on."""

    number: PortNumber | None = None


class BackendTLSValidation(Value):
    """The trusted CA certificates and the expected names of the backend; `hostname` is also the server name (SNI)."""

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
    """Address and protocol of the backend. `type`, ExternalHostname or EndpointSelector, is the field that is set."""

    type: Annotated[str, one_of("ExternalHostname", "EndpointSelector")]
    port: Annotated[BackendPort, keywords(minProperties=1)]
    endpoint_selector: BackendEndpointSelector | None = None
    external_hostname: BackendExternalHostname | None = None
    protocol: Annotated[str, one_of("TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "MCP", "GRPC", "WSS")] | None = None
    tls: BackendTLS = BackendTLS(mode="None")
    session_persistence: SessionPersistence | None = None


class BackendAncestorStatus(Value):
    """The conditions that one controller reports for one Gateway that uses the backend."""

    ancestor_ref: ParentReference
    controller_name: DomainPath
    conditions: Annotated[
        tuple[Condition, ...],
        keywords({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()


class XBackendStatus(Value):
    """One entry per Gateway that uses it, and controller."""

    ancestors: Annotated[tuple[BackendAncestorStatus, ...], atomic(32)] = ()


class XBackend(Object, kw_only=True):
    """A backend that is no Service: a host outside of the cluster, or pods by their labels."""

    api_version: str = "gateway.networking.x-k8s.io/v1alpha1"
    kind: str = "XBackend"
    spec: XBackendSpec
    status: XBackendStatus = XBackendStatus()


# XBackendTrafficPolicy (GEP-3388, GEP-1619).


class BudgetDetails(Value):
    """The share of the requests of an interval that may be retries, in percent."""

    percent: Annotated[int, keywords(minimum=0, maximum=100)] = 20
    interval: GatewayDuration = "10s"


class RequestRate(Value):
    """Requests per interval."""

    count: Annotated[int, keywords(minimum=1, maximum=1_000_000)] | None = None
    interval: GatewayDuration | None = None


class RetryConstraint(Value):
    """The limit of retries; `min_retry_rate` is allowed in any case."""

    budget: BudgetDetails = BudgetDetails()
    min_retry_rate: RequestRate = RequestRate(count=10, interval="1s")


class LocalPolicyTargetReference(Value):
    """An object in the policy's namespace."""

    group: GroupName
    kind: KindName
    name: ObjectName


_Targets = keywords({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["group", "kind", "name"]})


class XBackendTrafficPolicySpec(Value):
    """Retry budget and session persistence, and the Services that they apply to."""

    target_refs: Annotated[
        tuple[LocalPolicyTargetReference, ...], REQUIRED, _Targets, keywords(minItems=1, maxItems=16)
    ] = ()
    retry_constraint: RetryConstraint | None = None
    session_persistence: SessionPersistence | None = None


class XBackendTrafficPolicy(Object, kw_only=True):
    """Retry budget and session persistence of Services."""

    api_version: str = "gateway.networking.x-k8s.io/v1alpha1"
    kind: str = "XBackendTrafficPolicy"
    spec: XBackendTrafficPolicySpec
    status: PolicyStatus = PolicyStatus()


# XTelemetryPolicy (GEP-4768).

_Mode = Annotated[str, one_of("Enabled", "Disabled", "ImplementationDefault")]


class SamplingRate(Value):
    """The fraction `numerator/denominator`."""

    numerator: Annotated[int, keywords(format="int32", minimum=0)]
    denominator: Annotated[int, keywords(format="int32", minimum=1)] = 100


class TracingHeader(Value):
    """A header of the requests that carry traces to the collector."""

    name: HeaderName
    value: Annotated[HeaderValue, keywords(pattern=r"^[!-~]+([\t ]?[!-~]+)*$")]


class TracingProvider(Value):
    """The collector: OTLP over gRPC."""

    backend_ref: BackendObjectReference
    headers: Annotated[tuple[TracingHeader, ...], keyed("name", 16)] = ()


class ParentBasedSampling(Value):
    """Whether the sampling decision of the caller is followed."""

    mode: _Mode = "ImplementationDefault"
    sampling_rate: SamplingRate | None = None


class TracingAttribute(Value):
    """An attribute of spans. `source_type`, Header, Literal or Attribute, is the field that is set."""

    name: Annotated[str, keywords(minLength=1, maxLength=256, pattern=r"^[a-zA-Z0-9_.:/-]+$")]
    source_type: Annotated[str, one_of("Header", "Literal", "Attribute")]
    header_name: HeaderName | None = None
    literal_value: Annotated[str, keywords(minLength=1, maxLength=1024)] | None = None
    attribute_key: Annotated[str, keywords(minLength=1, maxLength=256, pattern=r"^[a-z0-9_.-]+$")] | None = None


class TelemetryTracing(Value):
    """Tracing of requests. All fields but `mode` require mode Enabled."""

    mode: _Mode = "ImplementationDefault"
    provider: TracingProvider | None = None
    sampling_rate: SamplingRate | None = None
    parent_based_sampling: ParentBasedSampling | None = None
    service_name: Annotated[str, keywords(minLength=1, maxLength=253, pattern=r"^[a-zA-Z0-9_.:/-]+$")] | None = None
    span_name: (
        Annotated[str, keywords(minLength=1, maxLength=256, pattern=r"^[a-zA-Z0-9_.:/-]+( [a-zA-Z0-9_.:/-]+)*$")] | None
    ) = None
    attributes: Annotated[
        tuple[TracingAttribute, ...],
        keywords({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
    ] = ()


class XTelemetryPolicySpec(Value):
    """The telemetry of Gateways, and which ones."""

    target_refs: Annotated[tuple[LocalPolicyTargetReference, ...], REQUIRED, atomic(16, minItems=1)] = ()
    tracing: TelemetryTracing | None = None


class XTelemetryPolicy(Object, kw_only=True):
    """Traces of Gateways."""

    api_version: str = "gateway.networking.x-k8s.io/v1alpha1"
    kind: str = "XTelemetryPolicy"
    spec: XTelemetryPolicySpec
    status: PolicyStatus = PolicyStatus()
