"""Listeners: the same for a Gateway and for a ListenerSet."""

from typing import Annotated

from ..constraints import (
    EXPERIMENTAL,
    REQUIRED,
    AnnotationValue,
    GroupName,
    Hostname,
    Int32,
    KindName,
    PortNumber,
    SectionName,
    atomic,
    keywords,
    one_of,
)
from ..meta import LabelSelector, Value
from .external_auth import ListenerFilters
from .shared import GROUP, Conditions, SecretObjectReference

Selector = Annotated[LabelSelector, keywords({"x-kubernetes-map-type": "atomic"})]


class GatewayTLSConfig(Value):
    """TLS of a listener: mode Terminate or Passthrough."""

    mode: Annotated[str, one_of("Terminate", "Passthrough")] = "Terminate"
    certificate_refs: Annotated[tuple[SecretObjectReference, ...], atomic(64)] = ()
    options: Annotated[dict[str, AnnotationValue], keywords(maxProperties=16)] = {}


class RouteGroupKind(Value):
    """A kind of route."""

    kind: KindName
    group: GroupName = GROUP


class RouteNamespaces(Value):
    """From which namespaces routes may attach: All, Selector or Same."""

    from_: Annotated[str, one_of("All", "Selector", "Same")] = "Same"
    selector: Selector | None = None


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
        keywords(
            minLength=1,
            maxLength=255,
            pattern=r"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|"
            r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]+$",
        ),
    ]
    hostname: Hostname | None = None
    tls: GatewayTLSConfig | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()
    filters: Annotated[ListenerFilters | None, EXPERIMENTAL] = None


class ListenerStatus(Value):
    """One listener: which kinds it takes, how many routes are attached."""

    name: SectionName
    attached_routes: Annotated[Int32, REQUIRED] = 0
    supported_kinds: Annotated[tuple[RouteGroupKind, ...], atomic(8)] = ()
    conditions: Annotated[Conditions, REQUIRED] = ()
