"""TLSRoute, TCPRoute and UDPRoute: whole connections (and datagrams) to backends. Each has exactly one rule."""

from typing import Annotated

from ..constraints import REQUIRED, Hostname, SectionName, atomic
from ..meta import Object, Value
from .shared import AGE, BackendRef, Column, DefaultGateways, ParentReference, RouteStatus

PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {"TLSRoute": (AGE,), "TCPRoute": (AGE,), "UDPRoute": (AGE,)}

#: One to 16 backends with their weights.
BackendRefs = Annotated[tuple[BackendRef, ...], REQUIRED, atomic(16, minItems=1)]


class TLSRouteRule(Value):
    """Connections go to one of the backends."""

    name: SectionName | None = None
    backend_refs: BackendRefs = ()


class TLSRouteSpec(Value):
    """Parents, the server names (SNI) that are meant, and the rule."""

    parent_refs: Annotated[tuple[ParentReference, ...], atomic(32)] = ()
    hostnames: Annotated[tuple[Hostname, ...], REQUIRED, atomic(1024, minItems=1)] = ()
    rules: Annotated[tuple[TLSRouteRule, ...], REQUIRED, atomic(1, minItems=1)] = ()
    use_default_gateways: DefaultGateways = None


class TLSRoute(Object):
    """Routes TLS connections by their server name, terminated or passed through as the listener says."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "TLSRoute"
    spec: Annotated[TLSRouteSpec, REQUIRED] = TLSRouteSpec()
    status: RouteStatus = RouteStatus()


class TCPRouteRule(Value):
    """Connections go to one of the backends."""

    name: SectionName | None = None
    backend_refs: BackendRefs = ()


class TCPRouteSpec(Value):
    """Parents and the rule."""

    parent_refs: Annotated[tuple[ParentReference, ...], atomic(32)] = ()
    rules: Annotated[tuple[TCPRouteRule, ...], REQUIRED, atomic(1, minItems=1)] = ()
    use_default_gateways: DefaultGateways = None


class TCPRoute(Object):
    """Routes TCP connections."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "TCPRoute"
    spec: Annotated[TCPRouteSpec, REQUIRED] = TCPRouteSpec()
    status: RouteStatus = RouteStatus()


class UDPRouteRule(Value):
    """Datagrams go to one of the backends."""

    name: SectionName | None = None
    backend_refs: BackendRefs = ()


class UDPRouteSpec(Value):
    """Parents and the rule."""

    parent_refs: Annotated[tuple[ParentReference, ...], atomic(32)] = ()
    rules: Annotated[tuple[UDPRouteRule, ...], REQUIRED, atomic(1, minItems=1)] = ()
    use_default_gateways: DefaultGateways = None


class UDPRoute(Object):
    """Routes UDP datagrams."""

    api_version: str = "gateway.networking.k8s.io/v1"
    kind: str = "UDPRoute"
    spec: Annotated[UDPRouteSpec, REQUIRED] = UDPRouteSpec()
    status: RouteStatus = RouteStatus()


StreamRoute = TLSRoute | TCPRoute | UDPRoute
StreamRouteSpec = TLSRouteSpec | TCPRouteSpec | UDPRouteSpec
