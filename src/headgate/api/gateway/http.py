"""HTTPRoute, with the filters that GRPCRoutes know as well."""

from typing import Annotated

from ..constraints import (
    EXPERIMENTAL,
    REQUIRED,
    Count,
    GatewayDuration,
    HeaderName,
    HeaderValue,
    Hostname,
    PortNumber,
    PreciseHostname,
    SectionName,
    atomic,
    experimental,
    keyed,
    keywords,
    one_of,
    unique,
)
from ..meta import Object, Value
from .external_auth import HTTPExternalAuthFilter
from .sessions import SessionPersistence
from .shared import (
    AGE,
    HOSTNAMES,
    BackendObjectReference,
    BackendRef,
    Column,
    DefaultGateways,
    LocalObjectReference,
    ParentReference,
    RouteStatus,
)

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {"HTTPRoute": (HOSTNAMES, AGE)}

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


class HTTPPathMatch(Value):
    """A path; type Exact, PathPrefix or RegularExpression."""

    type: Annotated[str, one_of("Exact", "PathPrefix", "RegularExpression")] = "PathPrefix"
    value: Annotated[str, keywords(maxLength=1024)] = "/"


class HTTPHeaderMatch(Value):
    """A header; type Exact or RegularExpression. Names are case-insensitive."""

    name: HeaderName
    value: Annotated[HeaderValue, experimental(pattern=r"^[!-~]+([\t ]?[!-~]+)*$")]
    type: Annotated[str, one_of("Exact", "RegularExpression")] = "Exact"


class HTTPQueryParamMatch(Value):
    """A query parameter; type Exact or RegularExpression. Names are case-sensitive."""

    name: HeaderName
    value: Annotated[str, keywords(minLength=1, maxLength=1024)]
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
    value: Annotated[HeaderValue, experimental(pattern=r"^[!-~]+([\t ]?[!-~]+)*$")]


class HTTPHeaderFilter(Value):
    """Headers to set, add and remove, in this order."""

    set: Annotated[tuple[HTTPHeader, ...], keyed("name", 16)] = ()
    add: Annotated[tuple[HTTPHeader, ...], keyed("name", 16)] = ()
    remove: Annotated[tuple[str, ...], unique(16)] = ()


class Fraction(Value):
    """A share: numerator of denominator."""

    numerator: Count
    denominator: Annotated[int, keywords(format="int32", minimum=1)] = 100


class HTTPRequestMirrorFilter(Value):
    """A copy of (a share of) the requests to another backend; answers are dropped."""

    backend_ref: BackendObjectReference
    percent: Annotated[int, keywords(format="int32", minimum=0, maximum=100)] | None = None
    fraction: Fraction | None = None


class HTTPPathModifier(Value):
    """A new path; type ReplaceFullPath or ReplacePrefixMatch."""

    type: Annotated[str, one_of("ReplaceFullPath", "ReplacePrefixMatch")]
    replace_full_path: Annotated[str, keywords(maxLength=1024)] | None = None
    replace_prefix_match: Annotated[str, keywords(maxLength=1024)] | None = None


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
    keywords(
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
    max_age: Annotated[int, keywords(format="int32", minimum=1)] = 5


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
        experimental(
            enum=[
                "RequestHeaderModifier",
                "ResponseHeaderModifier",
                "RequestMirror",
                "RequestRedirect",
                "URLRewrite",
                "ExtensionRef",
                "CORS",
                "ExternalAuth",
            ]
        ),
    ]
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = None
    cors: HTTPCORSFilter | None = None
    extension_ref: LocalObjectReference | None = None
    external_auth: Annotated[HTTPExternalAuthFilter | None, EXPERIMENTAL] = None


class HTTPBackendRef(BackendRef):
    """A backend with its weight among the backends of the rule, and filters for what it is sent."""

    filters: Annotated[tuple[HTTPRouteFilter, ...], atomic(16)] = ()


class HTTPRouteTimeouts(Value):
    """Gateway API durations (`10s`, `500ms`, `1h30m`); `0s` means no limit."""

    request: GatewayDuration | None = None
    backend_request: GatewayDuration | None = None


class HTTPRouteRetry(Value):
    """When and how often a request is tried again."""

    codes: Annotated[tuple[Annotated[int, keywords(minimum=400, maximum=599)], ...], unique()] = ()
    attempts: Annotated[int, keywords(default=1, minimum=0)] | None = None
    backoff: GatewayDuration | None = None


class HTTPRouteRule(Value):
    """Requests that match any of `matches` pass the filters and go to one of the backends."""

    name: SectionName | None = None
    matches: Annotated[tuple[HTTPRouteMatch, ...], atomic(64)] = (HTTPRouteMatch(),)
    filters: Annotated[tuple[HTTPRouteFilter, ...], atomic(16)] = ()
    backend_refs: Annotated[tuple[HTTPBackendRef, ...], atomic(16)] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None
    session_persistence: Annotated[SessionPersistence | None, EXPERIMENTAL] = None


class HTTPRouteSpec(Value):
    """Parents, hostnames and rules."""

    parent_refs: Annotated[tuple[ParentReference, ...], atomic(32)] = ()
    hostnames: Annotated[tuple[Hostname, ...], atomic(16)] = ()
    rules: Annotated[tuple[HTTPRouteRule, ...], atomic(16, minItems=1)] = (HTTPRouteRule(),)
    use_default_gateways: DefaultGateways = None


class HTTPRoute(Object):
    """Routes HTTP requests to backends."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "HTTPRoute"
    spec: Annotated[HTTPRouteSpec, REQUIRED] = HTTPRouteSpec()
    status: RouteStatus = RouteStatus()
