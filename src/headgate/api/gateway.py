"""Kinds of the group `gateway.networking.k8s.io` (Gateway API v1.7, standard channel).

Enumerations stay plain strings: a value that this version does not know must become a condition on the object, not a
decoding error.
"""

from .meta import Condition, LabelSelector, Object, Value

GROUP = "gateway.networking.k8s.io"


class ParametersReference(Value):
    """Implementation-specific parameters of a class or a Gateway."""

    group: str
    kind: str
    name: str
    namespace: str | None = None


class GatewayClassSpec(Value):
    """Which controller serves the Gateways of this class."""

    controller_name: str
    parameters_ref: ParametersReference | None = None
    description: str | None = None


class SupportedFeature(Value):
    """A feature of the conformance suite that the class supports."""

    name: str


class GatewayClassStatus(Value):
    """Accepted or not, and what is supported."""

    conditions: tuple[Condition, ...] = ()
    supported_features: tuple[SupportedFeature, ...] = ()


class GatewayClass(Object, kw_only=True):
    """A kind of load balancer that is available (cluster-scoped)."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "GatewayClass"
    spec: GatewayClassSpec
    status: GatewayClassStatus = GatewayClassStatus()


class SecretObjectReference(Value):
    """A reference to a Secret (or another kind that holds a certificate)."""

    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str | None = None


class GatewayTLSConfig(Value):
    """TLS of a listener: mode Terminate or Passthrough."""

    mode: str = "Terminate"
    certificate_refs: tuple[SecretObjectReference, ...] = ()
    options: dict[str, str] = {}


class RouteGroupKind(Value):
    """A kind of route."""

    kind: str
    group: str = GROUP


class RouteNamespaces(Value):
    """From which namespaces routes may attach: All, Selector, Same (or None: v1.4+)."""

    from_: str = "Same"
    selector: LabelSelector | None = None


class AllowedRoutes(Value):
    """Which routes may attach to a listener."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteGroupKind, ...] = ()


class Listener(Value):
    """A port of a Gateway with a protocol, perhaps a hostname, perhaps TLS."""

    name: str
    port: int
    protocol: str
    hostname: str | None = None
    tls: GatewayTLSConfig | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class GatewaySpecAddress(Value):
    """An address asked for; type IPAddress, Hostname or a domain-prefixed name."""

    type: str = "IPAddress"
    value: str = ""


class GatewayInfrastructure(Value):
    """Labels and annotations for what is made for a Gateway."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    parameters_ref: ParametersReference | None = None


class GatewaySpec(Value):
    """What a Gateway listens on."""

    gateway_class_name: str
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewaySpecAddress, ...] = ()
    infrastructure: GatewayInfrastructure | None = None


class GatewayStatusAddress(Value):
    """An address that traffic can be sent to."""

    value: str
    type: str = "IPAddress"


class ListenerStatus(Value):
    """One listener: which kinds it takes, how many routes are attached."""

    name: str
    attached_routes: int = 0
    supported_kinds: tuple[RouteGroupKind, ...] = ()
    conditions: tuple[Condition, ...] = ()


class GatewayStatus(Value):
    """What became of a Gateway."""

    addresses: tuple[GatewayStatusAddress, ...] = ()
    conditions: tuple[Condition, ...] = ()
    listeners: tuple[ListenerStatus, ...] = ()


class Gateway(Object, kw_only=True):
    """One load balancer."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "Gateway"
    spec: GatewaySpec
    status: GatewayStatus = GatewayStatus()


class ParentReference(Value):
    """What a route wants to attach to."""

    name: str
    group: str = GROUP
    kind: str = "Gateway"
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class HTTPPathMatch(Value):
    """A path; type Exact, PathPrefix or RegularExpression."""

    type: str = "PathPrefix"
    value: str = "/"


class HTTPHeaderMatch(Value):
    """A header; type Exact or RegularExpression. Names are case-insensitive."""

    name: str
    value: str
    type: str = "Exact"


class HTTPQueryParamMatch(Value):
    """A query parameter; type Exact or RegularExpression. Names are case-sensitive."""

    name: str
    value: str
    type: str = "Exact"


class HTTPRouteMatch(Value):
    """All given parts must match."""

    path: HTTPPathMatch = HTTPPathMatch()
    headers: tuple[HTTPHeaderMatch, ...] = ()
    query_params: tuple[HTTPQueryParamMatch, ...] = ()
    method: str | None = None


class HTTPHeader(Value):
    """A header and its value."""

    name: str
    value: str


class HTTPHeaderFilter(Value):
    """Headers to set, add and remove, in this order."""

    set: tuple[HTTPHeader, ...] = ()
    add: tuple[HTTPHeader, ...] = ()
    remove: tuple[str, ...] = ()


class LocalObjectReference(Value):
    """An object in the same namespace."""

    group: str
    kind: str
    name: str


class BackendObjectReference(Value):
    """A backend: by default a Service and one of its ports."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None


class Fraction(Value):
    """A share: numerator of denominator."""

    numerator: int
    denominator: int = 100


class HTTPRequestMirrorFilter(Value):
    """A copy of (a share of) the requests to another backend; answers are dropped."""

    backend_ref: BackendObjectReference
    percent: int | None = None
    fraction: Fraction | None = None


class HTTPPathModifier(Value):
    """A new path; type ReplaceFullPath or ReplacePrefixMatch."""

    type: str
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class HTTPRequestRedirectFilter(Value):
    """An answer 301, 302, 303, 307 or 308 instead of a backend."""

    scheme: str | None = None
    hostname: str | None = None
    path: HTTPPathModifier | None = None
    port: int | None = None
    status_code: int = 302


class HTTPURLRewriteFilter(Value):
    """Another host or path for the backend."""

    hostname: str | None = None
    path: HTTPPathModifier | None = None


class HTTPCORSFilter(Value):
    """Cross-origin rules; `max_age` is seconds."""

    allow_origins: tuple[str, ...] = ()
    allow_credentials: bool | None = None
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int = 5


class HTTPRouteFilter(Value):
    """One filter: `type` names which of the fields is set."""

    type: str
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = None
    cors: HTTPCORSFilter | None = None
    extension_ref: LocalObjectReference | None = None


class HTTPBackendRef(BackendObjectReference):
    """A backend with its weight among the backends of the rule."""

    weight: int = 1
    filters: tuple[HTTPRouteFilter, ...] = ()


class HTTPRouteTimeouts(Value):
    """Gateway API durations (`10s`, `500ms`, `1h30m`); `0s` means no limit."""

    request: str | None = None
    backend_request: str | None = None


class HTTPRouteRetry(Value):
    """When and how often a request is tried again."""

    codes: tuple[int, ...] = ()
    attempts: int | None = None
    backoff: str | None = None


class HTTPRouteRule(Value):
    """Requests that match any of `matches` pass the filters and go to one of the backends."""

    name: str | None = None
    matches: tuple[HTTPRouteMatch, ...] = (HTTPRouteMatch(),)
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[HTTPBackendRef, ...] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None


class HTTPRouteSpec(Value):
    """Parents, hostnames and rules."""

    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRouteRule, ...] = (HTTPRouteRule(),)


class RouteParentStatus(Value):
    """What one controller says about one parentRef."""

    parent_ref: ParentReference
    controller_name: str
    conditions: tuple[Condition, ...] = ()


class RouteStatus(Value):
    """One entry per parent and controller."""

    parents: tuple[RouteParentStatus, ...] = ()


class HTTPRoute(Object):
    """Routes HTTP requests to backends."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "HTTPRoute"
    spec: HTTPRouteSpec = HTTPRouteSpec()
    status: RouteStatus = RouteStatus()


class ReferenceGrantFrom(Value):
    """Who may refer."""

    group: str
    kind: str
    namespace: str


class ReferenceGrantTo(Value):
    """To what; without a name to all objects of the kind."""

    group: str
    kind: str
    name: str | None = None


class ReferenceGrantSpec(Value):
    """Every `from` may refer to every `to` in the grant's namespace."""

    from_: tuple[ReferenceGrantFrom, ...] = ()
    to: tuple[ReferenceGrantTo, ...] = ()


class ReferenceGrant(Object):
    """Allows references from other namespaces into this one."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "ReferenceGrant"
    spec: ReferenceGrantSpec = ReferenceGrantSpec()
