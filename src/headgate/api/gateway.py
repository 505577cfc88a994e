"""Kinds of the group `gateway.networking.k8s.io` (Gateway API v1.7, standard channel).

Enumerations stay plain strings: a value that this version does not know must become a condition on the object, not a
decoding error. What the API enforces stands as annotations at the fields (see `constraints`), the columns that
`kubectl get` prints are `PRINTER_COLUMNS`.
"""

from typing import Annotated

from .constraints import (
    CONDITIONS,
    REQUIRED,
    AddressType,
    AnnotationValue,
    CoreGroup,
    Count,
    DomainPath,
    GatewayDuration,
    GroupName,
    HeaderName,
    HeaderValue,
    Hostname,
    Int32,
    KindName,
    LabelValue,
    NamespaceName,
    ObjectName,
    PortNumber,
    PreciseHostname,
    SectionName,
    atomic,
    keyed,
    one_of,
    said,
    unique,
    waiting,
)
from .meta import Condition, LabelSelector, Object, Value

GROUP = "gateway.networking.k8s.io"

_AGE = ("Age", "date", ".metadata.creationTimestamp", 0)

#: kind -> (column, type, JSON path, priority); priority 1 is shown by `kubectl get -o wide` only.
PRINTER_COLUMNS: dict[str, tuple[tuple[str, str, str, int], ...]] = {
    "GatewayClass": (
        ("Controller", "string", ".spec.controllerName", 0),
        ("Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status', 0),
        _AGE,
        ("Description", "string", ".spec.description", 1),
    ),
    "Gateway": (
        ("Class", "string", ".spec.gatewayClassName", 0),
        ("Address", "string", ".status.addresses[*].value", 0),
        ("Programmed", "string", '.status.conditions[?(@.type=="Programmed")].status', 0),
        _AGE,
    ),
    "HTTPRoute": (("Hostnames", "string", ".spec.hostnames", 0), _AGE),
    "ReferenceGrant": (_AGE,),
}

Conditions = Annotated[tuple[Condition, ...], CONDITIONS]
_Selector = Annotated[LabelSelector, said({"x-kubernetes-map-type": "atomic"})]
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
#: An address of type IPAddress must be one.
_ADDRESS = said(
    oneOf=[
        {
            "properties": {
                "type": {"enum": ["IPAddress"]},
                "value": {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
            }
        },
        {"properties": {"type": {"not": {"enum": ["IPAddress"]}}}},
    ]
)


class ParametersReference(Value):
    """Implementation-specific parameters of a class."""

    group: GroupName
    kind: KindName
    name: ObjectName
    namespace: NamespaceName | None = None


class GatewayClassSpec(Value):
    """Which controller serves the Gateways of this class."""

    controller_name: DomainPath
    parameters_ref: ParametersReference | None = None
    description: Annotated[str, said(maxLength=64)] | None = None


class SupportedFeature(Value):
    """A feature of the conformance suite that the class supports."""

    name: str


class GatewayClassStatus(Value):
    """Accepted or not, and what is supported."""

    conditions: Annotated[Conditions, said(default=waiting("Accepted")["conditions"])] = ()
    supported_features: Annotated[tuple[SupportedFeature, ...], keyed("name", 64)] = ()


class GatewayClass(Object, kw_only=True):
    """A kind of load balancer that is available (cluster-scoped)."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "GatewayClass"
    spec: GatewayClassSpec
    status: Annotated[GatewayClassStatus, said(default=waiting("Accepted"))] = GatewayClassStatus()


class SecretObjectReference(Value):
    """A reference to a Secret (or another kind that holds a certificate)."""

    name: ObjectName
    group: CoreGroup = ""
    kind: KindName = "Secret"
    namespace: NamespaceName | None = None


class GatewayTLSConfig(Value):
    """TLS of a listener: mode Terminate or Passthrough."""

    mode: Annotated[str, one_of("Terminate", "Passthrough")] = "Terminate"
    certificate_refs: Annotated[tuple[SecretObjectReference, ...], atomic(64)] = ()
    options: Annotated[dict[str, AnnotationValue], said(maxProperties=16)] = {}


class RouteGroupKind(Value):
    """A kind of route."""

    kind: KindName
    group: GroupName = GROUP


class RouteNamespaces(Value):
    """From which namespaces routes may attach: All, Selector or Same."""

    from_: Annotated[str, one_of("All", "Selector", "Same")] = "Same"
    selector: _Selector | None = None


class AllowedRoutes(Value):
    """Which routes may attach to a listener."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: Annotated[tuple[RouteGroupKind, ...], atomic(8)] = ()


class Listener(Value):
    """A port of a Gateway with a protocol, perhaps a hostname, perhaps TLS."""

    name: SectionName
    port: PortNumber
    protocol: Annotated[
        str,
        said(
            minLength=1,
            maxLength=255,
            pattern=r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|"
            r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$",
        ),
    ]
    hostname: Hostname | None = None
    tls: GatewayTLSConfig | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class GatewaySpecAddress(Value):
    """An address asked for; type IPAddress, Hostname or a domain-prefixed name."""

    type: AddressType = "IPAddress"
    value: Annotated[str, said(maxLength=253)] = ""


class LocalParametersReference(Value):
    """Implementation-specific parameters of a Gateway, in its namespace."""

    group: GroupName
    kind: KindName
    name: ObjectName


class GatewayInfrastructure(Value):
    """Labels and annotations for what is made for a Gateway."""

    labels: Annotated[dict[str, LabelValue], said(maxProperties=8)] = {}
    annotations: Annotated[dict[str, AnnotationValue], said(maxProperties=16)] = {}
    parameters_ref: LocalParametersReference | None = None


class ListenerNamespaces(Value):
    """From which namespaces ListenerSets may attach: All, Selector, Same or None."""

    from_: Annotated[str, one_of("All", "Selector", "Same", "None")] = "None"
    selector: _Selector | None = None


class AllowedListeners(Value):
    """Which ListenerSets may attach to a Gateway."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class CACertificateReference(Value):
    """A ConfigMap or Secret that holds authorities for client certificates."""

    group: GroupName
    kind: KindName
    name: ObjectName
    namespace: NamespaceName | None = None


class FrontendTLSValidation(Value):
    """How client certificates are judged; mode AllowValidOnly or AllowInsecureFallback."""

    ca_certificate_refs: Annotated[tuple[CACertificateReference, ...], atomic(16, minItems=1)]
    mode: Annotated[str, one_of("AllowValidOnly", "AllowInsecureFallback")] = "AllowValidOnly"


class TLSConfig(Value):
    """Validation of client certificates."""

    validation: FrontendTLSValidation | None = None


class TLSPortConfig(Value):
    """Validation of client certificates on one port."""

    port: PortNumber
    tls: TLSConfig


class FrontendTLSConfig(Value):
    """TLS between clients and the Gateway: for all ports, and for some of them differently."""

    default: TLSConfig
    per_port: Annotated[tuple[TLSPortConfig, ...], keyed("port", 64)] = ()


class GatewayBackendTLS(Value):
    """The client certificate that the Gateway shows to backends."""

    client_certificate_ref: SecretObjectReference | None = None


class GatewayTLS(Value):
    """TLS of the whole Gateway."""

    backend: GatewayBackendTLS | None = None
    frontend: FrontendTLSConfig | None = None


class GatewaySpec(Value):
    """What a Gateway listens on."""

    gateway_class_name: ObjectName
    listeners: Annotated[tuple[Listener, ...], REQUIRED, keyed("name", 64, minItems=1)] = ()
    addresses: Annotated[tuple[Annotated[GatewaySpecAddress, _ADDRESS], ...], atomic(16)] = ()
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners | None = None
    tls: GatewayTLS | None = None


class GatewayStatusAddress(Value):
    """An address that traffic can be sent to."""

    value: Annotated[str, said(minLength=1, maxLength=253)]
    type: AddressType = "IPAddress"


class ListenerStatus(Value):
    """One listener: which kinds it takes, how many routes are attached."""

    name: SectionName
    attached_routes: Annotated[Int32, REQUIRED] = 0
    supported_kinds: Annotated[tuple[RouteGroupKind, ...], atomic(8)] = ()
    conditions: Annotated[Conditions, REQUIRED] = ()


class GatewayStatus(Value):
    """What became of a Gateway."""

    addresses: Annotated[tuple[Annotated[GatewayStatusAddress, _ADDRESS], ...], atomic(16)] = ()
    conditions: Annotated[Conditions, said(default=waiting("Accepted", "Programmed")["conditions"])] = ()
    listeners: Annotated[tuple[ListenerStatus, ...], keyed("name", 64)] = ()
    attached_listener_sets: Int32 | None = None


class Gateway(Object, kw_only=True):
    """One load balancer."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "Gateway"
    spec: GatewaySpec
    status: Annotated[GatewayStatus, said(default=waiting("Accepted", "Programmed"))] = GatewayStatus()


class ParentReference(Value):
    """What a route wants to attach to."""

    name: ObjectName
    group: GroupName = GROUP
    kind: KindName = "Gateway"
    namespace: NamespaceName | None = None
    section_name: SectionName | None = None
    port: PortNumber | None = None


class HTTPPathMatch(Value):
    """A path; type Exact, PathPrefix or RegularExpression."""

    type: Annotated[str, one_of("Exact", "PathPrefix", "RegularExpression")] = "PathPrefix"
    value: Annotated[str, said(maxLength=1024)] = "/"


class HTTPHeaderMatch(Value):
    """A header; type Exact or RegularExpression. Names are case-insensitive."""

    name: HeaderName
    value: HeaderValue
    type: Annotated[str, one_of("Exact", "RegularExpression")] = "Exact"


class HTTPQueryParamMatch(Value):
    """A query parameter; type Exact or RegularExpression. Names are case-sensitive."""

    name: HeaderName
    value: Annotated[str, said(minLength=1, maxLength=1024)]
    type: Annotated[str, one_of("Exact", "RegularExpression")] = "Exact"


class HTTPRouteMatch(Value):
    """All given parts must match."""

    path: HTTPPathMatch = HTTPPathMatch()
    headers: Annotated[tuple[HTTPHeaderMatch, ...], keyed("name", 16)] = ()
    query_params: Annotated[tuple[HTTPQueryParamMatch, ...], keyed("name", 16)] = ()
    method: Annotated[str, one_of(*_METHODS)] | None = None


class HTTPHeader(Value):
    """A header and its value."""

    name: HeaderName
    value: HeaderValue


class HTTPHeaderFilter(Value):
    """Headers to set, add and remove, in this order."""

    set: Annotated[tuple[HTTPHeader, ...], keyed("name", 16)] = ()
    add: Annotated[tuple[HTTPHeader, ...], keyed("name", 16)] = ()
    remove: Annotated[tuple[str, ...], unique(16)] = ()


class LocalObjectReference(Value):
    """An object in the same namespace."""

    group: GroupName
    kind: KindName
    name: ObjectName


class BackendObjectReference(Value):
    """A backend: by default a Service and one of its ports."""

    name: ObjectName
    group: CoreGroup = ""
    kind: KindName = "Service"
    namespace: NamespaceName | None = None
    port: PortNumber | None = None


class Fraction(Value):
    """A share: numerator of denominator."""

    numerator: Count
    denominator: Annotated[int, said(format="int32", minimum=1)] = 100


class HTTPRequestMirrorFilter(Value):
    """A copy of (a share of) the requests to another backend; answers are dropped."""

    backend_ref: BackendObjectReference
    percent: Annotated[int, said(format="int32", minimum=0, maximum=100)] | None = None
    fraction: Fraction | None = None


class HTTPPathModifier(Value):
    """A new path; type ReplaceFullPath or ReplacePrefixMatch."""

    type: Annotated[str, one_of("ReplaceFullPath", "ReplacePrefixMatch")]
    replace_full_path: Annotated[str, said(maxLength=1024)] | None = None
    replace_prefix_match: Annotated[str, said(maxLength=1024)] | None = None


class HTTPRequestRedirectFilter(Value):
    """An answer 301, 302, 303, 307 or 308 instead of a backend."""

    scheme: Annotated[str, one_of("http", "https")] | None = None
    hostname: PreciseHostname | None = None
    path: HTTPPathModifier | None = None
    port: PortNumber | None = None
    status_code: Annotated[int, one_of(301, 302, 303, 307, 308)] = 302


class HTTPURLRewriteFilter(Value):
    """Another host or path for the backend."""

    hostname: PreciseHostname | None = None
    path: HTTPPathModifier | None = None


_Origin = Annotated[
    str,
    said(
        minLength=1,
        maxLength=253,
        pattern=r"(^\*$)|(^(http(s)?):\/\/(((\*\.)?([a-zA-Z0-9\-]+\.)*[a-zA-Z0-9-]+|\*)(:([0-9]{1,5}))?)$)",
    ),
]


class HTTPCORSFilter(Value):
    """Cross-origin rules; `max_age` is seconds."""

    allow_origins: Annotated[tuple[_Origin, ...], unique(64)] = ()
    allow_credentials: bool | None = None
    allow_methods: Annotated[tuple[Annotated[str, one_of(*_METHODS, "*")], ...], unique(9)] = ()
    allow_headers: Annotated[tuple[HeaderName, ...], unique(64)] = ()
    expose_headers: Annotated[tuple[HeaderName, ...], unique(64)] = ()
    max_age: Annotated[int, said(format="int32", minimum=1)] = 5


class HTTPRouteFilter(Value):
    """One filter: `type` names which of the fields is set."""

    type: Annotated[
        str,
        one_of(
            "RequestHeaderModifier",
            "ResponseHeaderModifier",
            "RequestMirror",
            "RequestRedirect",
            "URLRewrite",
            "ExtensionRef",
            "CORS",
        ),
    ]
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = None
    cors: HTTPCORSFilter | None = None
    extension_ref: LocalObjectReference | None = None


class HTTPBackendRef(BackendObjectReference):
    """A backend with its weight among the backends of the rule."""

    weight: Annotated[int, said(format="int32", minimum=0, maximum=1_000_000)] = 1
    filters: Annotated[tuple[HTTPRouteFilter, ...], atomic(16)] = ()


class HTTPRouteTimeouts(Value):
    """Gateway API durations (`10s`, `500ms`, `1h30m`); `0s` means no limit."""

    request: GatewayDuration | None = None
    backend_request: GatewayDuration | None = None


class HTTPRouteRetry(Value):
    """When and how often a request is tried again."""

    codes: Annotated[tuple[Annotated[int, said(minimum=400, maximum=599)], ...], unique()] = ()
    attempts: Annotated[int, said(default=1, minimum=0)] | None = None
    backoff: GatewayDuration | None = None


class HTTPRouteRule(Value):
    """Requests that match any of `matches` pass the filters and go to one of the backends."""

    name: SectionName | None = None
    matches: Annotated[tuple[HTTPRouteMatch, ...], atomic(64)] = (HTTPRouteMatch(),)
    filters: Annotated[tuple[HTTPRouteFilter, ...], atomic(16)] = ()
    backend_refs: Annotated[tuple[HTTPBackendRef, ...], atomic(16)] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None


class HTTPRouteSpec(Value):
    """Parents, hostnames and rules."""

    parent_refs: Annotated[tuple[ParentReference, ...], atomic(32)] = ()
    hostnames: Annotated[tuple[Hostname, ...], atomic(16)] = ()
    rules: Annotated[tuple[HTTPRouteRule, ...], atomic(16, minItems=1)] = (HTTPRouteRule(),)


class RouteParentStatus(Value):
    """What one controller says about one parentRef."""

    parent_ref: ParentReference
    controller_name: DomainPath
    conditions: Annotated[Conditions, REQUIRED, said(minItems=1)] = ()


class RouteStatus(Value):
    """One entry per parent and controller."""

    parents: Annotated[tuple[RouteParentStatus, ...], REQUIRED, atomic(32)] = ()


class HTTPRoute(Object):
    """Routes HTTP requests to backends."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "HTTPRoute"
    spec: Annotated[HTTPRouteSpec, REQUIRED] = HTTPRouteSpec()
    status: RouteStatus = RouteStatus()


class ReferenceGrantFrom(Value):
    """Who may refer."""

    group: GroupName
    kind: KindName
    namespace: NamespaceName


class ReferenceGrantTo(Value):
    """To what; without a name to all objects of the kind."""

    group: GroupName
    kind: KindName
    name: ObjectName | None = None


class ReferenceGrantSpec(Value):
    """Every `from` may refer to every `to` in the grant's namespace."""

    from_: Annotated[tuple[ReferenceGrantFrom, ...], REQUIRED, atomic(16, minItems=1)] = ()
    to: Annotated[tuple[ReferenceGrantTo, ...], REQUIRED, atomic(16, minItems=1)] = ()


class ReferenceGrant(Object):
    """Allows references from other namespaces into this one."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "ReferenceGrant"
    spec: Annotated[ReferenceGrantSpec, REQUIRED] = ReferenceGrantSpec()
