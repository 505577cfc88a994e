"""The world: sources of the objects that the gateway controller watches, one per kind, and of what else it knows."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from headgate.api import certificates, core, discovery, gateway, gateway_x
from headgate.api.meta import Key, Object
from headgate.incremental import Engine, Index, Source
from headgate.ir.routing import Binding

from . import references, statuses, trim
from .fleets import EnvoyFleetStatus
from .grants import Permission, permissions
from .kinds import WatchedKind

T = TypeVar("T", bound=Object)

#: The key of the one value in `World.settings`, and of that in `World.definitions`.
SETTINGS = "settings"


class Settings(msgspec.Struct, frozen=True):
    """Settings of the controller that are the same for all Gateways.

    `controller_names` are the values of `GatewayClass.spec.controllerName` that it serves; `reserved_ports` the TCP
    ports of a pod that Envoy uses itself (`/ready`, `/stats/prometheus`).
    """

    controller_names: tuple[str, ...] = ("headgate.dev/gateway-controller",)
    reserved_ports: tuple[int, ...] = (19001,)


class Definitions(msgspec.Struct, frozen=True):
    """What the API server serves of the kinds that not every API server has; a kind that is absent is not served.

    `fields` are the paths of the fields by kind (none for a kind without a CustomResourceDefinition), `releases` the
    release of the Gateway API that a definition is of (empty: not stated).
    """

    fields: dict[str, frozenset[str]]
    releases: dict[str, str] = {}


class World:
    """The sources, keyed by namespace and name, and the indexes over them.

    The first part is a table: each attribute is the row of a kind (`WatchedKind`) on the class, and the source of its
    objects on a world. A new kind is a new row; nothing else lists kinds.

    All sources must be complete before the first run of the engine, or it answers with removals. `settings` is set
    once, before that.
    """

    gateway_classes = WatchedKind(gateway.GatewayClass, status=statuses.of_gateway_class())
    gateways = WatchedKind(gateway.Gateway, waits_for=references.IN_LISTENERS, status=statuses.of_gateway())
    listener_sets = WatchedKind(
        gateway.ListenerSet, waits_for=references.IN_LISTENERS, status=statuses.of_listener_set()
    )
    http_routes = WatchedKind(
        gateway.HTTPRoute,
        trim=trim.route,
        protocols=("HTTP", "HTTPS"),
        waits_for=references.IN_ROUTES,
        status=statuses.of_route(),
    )
    grpc_routes = WatchedKind(
        gateway.GRPCRoute,
        trim=trim.route,
        protocols=("HTTP", "HTTPS"),
        waits_for=references.IN_ROUTES,
        status=statuses.of_route(),
    )
    tls_routes = WatchedKind(
        gateway.TLSRoute,
        trim=trim.route,
        protocols=("TLS",),
        waits_for=references.IN_ROUTES,
        status=statuses.of_route(),
    )
    tcp_routes = WatchedKind(
        gateway.TCPRoute,
        trim=trim.route,
        protocols=("TCP",),
        waits_for=references.IN_ROUTES,
        status=statuses.of_route(),
    )
    udp_routes = WatchedKind(
        gateway.UDPRoute,
        trim=trim.route,
        protocols=("UDP",),
        waits_for=references.IN_ROUTES,
        status=statuses.of_route(),
    )
    backend_tls_policies = WatchedKind(gateway.BackendTLSPolicy, status=statuses.of_policy("Accepted", "ResolvedRefs"))
    x_backend_traffic_policies = WatchedKind(gateway_x.XBackendTrafficPolicy, status=statuses.of_policy("Accepted"))
    x_telemetry_policies = WatchedKind(
        gateway_x.XTelemetryPolicy, status=statuses.of_policy("Accepted", "ResolvedRefs")
    )
    x_backends = WatchedKind(gateway_x.XBackend, status=statuses.of_backend())
    reference_grants = WatchedKind(gateway.ReferenceGrant, resolves=references.its_permissions)
    namespaces = WatchedKind(core.Namespace, trim=trim.namespace)
    services = WatchedKind(core.Service, trim=trim.service, resolves=references.itself)
    endpoint_slices = WatchedKind(discovery.EndpointSlice, trim=trim.endpoint_slice, resolves=references.its_service)
    # The controller must not hold Secrets of other types.
    secrets = WatchedKind(
        core.Secret, trim=trim.secret, field_selector="type=kubernetes.io/tls", resolves=references.itself
    )
    config_maps = WatchedKind(core.ConfigMap, trim=trim.config_map, resolves=references.itself)
    cluster_trust_bundles = WatchedKind(certificates.ClusterTrustBundle, optional=True)

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        #: The source of every kind.
        self.sources: Mapping[type[Object], Source[Key, Any]] = {row.type: engine.source(row.name) for row in KINDS}
        self.settings: Source[str, Settings] = engine.source("settings")
        #: At the key `SETTINGS`; without it every kind and field is taken to be served.
        self.definitions: Source[str, Definitions] = engine.source("definitions")
        #: Per Gateway: how its Envoys bind their listeners, from the node metadata of the Envoy that connected last. It
        #: stays when that disconnects. A Gateway without one has no listeners: no Envoy ever connected.
        self.bindings: Source[Key, Binding] = engine.source("bindings")
        self.fleet_statuses: Source[Key, EnvoyFleetStatus] = engine.source("fleet statuses")

        self.permissions: Index[Permission, Key] = engine.index(
            "permissions", self.reference_grants, lambda _, grant: permissions(grant)
        )
        self.slices_of_service: Index[Key, Key] = engine.index(
            "EndpointSlices of a Service", self.endpoint_slices, lambda _, part: [references.its_service(part).key]
        )

    def source(self, cls: type[T]) -> Source[Key, T]:
        """The source of a kind. Raises `KeyError` for a kind that is not watched."""
        return self.sources[cls]


#: All rows, in the order of the table.
KINDS: tuple[WatchedKind[Any], ...] = tuple(row for row in vars(World).values() if isinstance(row, WatchedKind))
#: The rows by class.
KIND_OF: Mapping[type[Object], WatchedKind[Any]] = {row.type: row for row in KINDS}
#: The rows by the name of the kind; no two groups have kinds of one name.
KIND_NAMED: Mapping[str, WatchedKind[Any]] = {row.name: row for row in KINDS}
#: The rows of the kinds of routes.
ROUTE_KINDS: tuple[WatchedKind[Any], ...] = tuple(row for row in KINDS if row.protocols)
#: The names of the kinds of routes that a listener's protocol carries.
KINDS_OF_PROTOCOL: Mapping[str, tuple[str, ...]] = {
    protocol: tuple(row.name for row in ROUTE_KINDS if protocol in row.protocols)
    for protocol in sorted({protocol for row in ROUTE_KINDS for protocol in row.protocols})
}
