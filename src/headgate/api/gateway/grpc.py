"""GRPCRoute. Header modifiers and mirrors are those of an HTTPRoute."""

from typing import Annotated

from ..constraints import (
    EXPERIMENTAL,
    REQUIRED,
    HeaderName,
    HeaderValue,
    Hostname,
    SectionName,
    atomic,
    keyed,
    keywords,
    one_of,
)
from ..meta import Object, Value
from .http import HTTPHeaderFilter, HTTPRequestMirrorFilter
from .sessions import SessionPersistence
from .shared import (
    AGE,
    HOSTNAMES,
    BackendRef,
    Column,
    DefaultGateways,
    LocalObjectReference,
    ParentReference,
    RouteStatus,
)

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {"GRPCRoute": (HOSTNAMES, AGE)}


class GRPCMethodMatch(Value):
    """A service, a method or both; type Exact or RegularExpression. At least one of the two must be given."""

    type: Annotated[str, one_of("Exact", "RegularExpression")] = "Exact"
    service: Annotated[str, keywords(maxLength=1024)] | None = None
    method: Annotated[str, keywords(maxLength=1024)] | None = None


class GRPCHeaderMatch(Value):
    """Metadata of a call; type Exact or RegularExpression. Names are case-insensitive."""

    name: HeaderName
    value: HeaderValue
    type: Annotated[str, one_of("Exact", "RegularExpression")] = "Exact"


class GRPCRouteMatch(Value):
    """All given parts must match; without a method every call does."""

    method: GRPCMethodMatch | None = None
    headers: Annotated[tuple[GRPCHeaderMatch, ...], keyed("name", 16)] = ()


class GRPCRouteFilter(Value):
    """One filter: `type` names which of the fields is set."""

    type: Annotated[str, one_of("ResponseHeaderModifier", "RequestHeaderModifier", "RequestMirror", "ExtensionRef")]
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    extension_ref: LocalObjectReference | None = None


class GRPCBackendRef(BackendRef):
    """A backend with its weight among the backends of the rule, and filters for what it is sent."""

    filters: Annotated[tuple[GRPCRouteFilter, ...], atomic(16)] = ()


class GRPCRouteRule(Value):
    """Calls that match any of `matches` (all calls, if there are none) pass the filters and go to a backend."""

    name: SectionName | None = None
    matches: Annotated[tuple[GRPCRouteMatch, ...], atomic(64)] = ()
    filters: Annotated[tuple[GRPCRouteFilter, ...], atomic(16)] = ()
    backend_refs: Annotated[tuple[GRPCBackendRef, ...], atomic(16)] = ()
    session_persistence: Annotated[SessionPersistence | None, EXPERIMENTAL] = None


class GRPCRouteSpec(Value):
    """Parents, hostnames and rules."""

    parent_refs: Annotated[tuple[ParentReference, ...], atomic(32)] = ()
    hostnames: Annotated[tuple[Hostname, ...], atomic(16)] = ()
    rules: Annotated[tuple[GRPCRouteRule, ...], atomic(16)] = ()
    use_default_gateways: DefaultGateways = None


class GRPCRoute(Object):
    """Routes gRPC calls to backends."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "GRPCRoute"
    spec: Annotated[GRPCRouteSpec, REQUIRED] = GRPCRouteSpec()
    status: RouteStatus = RouteStatus()
