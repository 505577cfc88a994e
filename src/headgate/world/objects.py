"""The sources: one per kind, and what the shell knows besides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate.api import certificates, core, discovery, gateway, gateway_x
from headgate.api.meta import Key, Object
from headgate.incremental import Engine, Index, Source
from headgate.ir.routing import Binding

from .fleets import EnvoyFleetStatus

#: The label of an EndpointSlice that names its Service.
SERVICE_NAME = "kubernetes.io/service-name"
#: The key of the one value in `World.settings`.
SETTINGS = "settings"


class Settings(msgspec.Struct, frozen=True):
    """What is the same for all Gateways: whose classes we take."""

    controller_names: tuple[str, ...] = ("headgate.dev/gateway-controller",)
    #: TCP ports of a pod that Envoy's own door has (`/ready`, `/stats/prometheus`).
    reserved_ports: tuple[int, ...] = (19001,)


class Definitions(msgspec.Struct, frozen=True):
    """What the API serves of the kinds that not every API has.

    Per kind the paths of its fields (none for one that has no definition), and the release of the Gateway API that its
    definition is of (empty: it does not say). A kind that is absent is not served.
    """

    fields: dict[str, frozenset[str]]
    releases: dict[str, str] = {}


#: A permission of a ReferenceGrant: namespace of the referent; group, kind and namespace of who refers; group, kind and
#: name of the referent (empty name: all of that kind).
Permission = tuple[str, str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class World:
    """Sources, keyed by namespace and name, and the indexes over them.

    Set whole objects as they are watched; unchanged parts cost nothing. Set `settings` once, before the first run. All
    sources must be complete before the first run: an empty world would answer with removals.
    """

    engine: Engine
    settings: Source[str, Settings]
    #: At the key `SETTINGS`; without it everything that we know is taken to be served.
    definitions: Source[str, Definitions]
    gateway_classes: Source[Key, gateway.GatewayClass]
    gateways: Source[Key, gateway.Gateway]
    listener_sets: Source[Key, gateway.ListenerSet]
    http_routes: Source[Key, gateway.HTTPRoute]
    grpc_routes: Source[Key, gateway.GRPCRoute]
    tls_routes: Source[Key, gateway.TLSRoute]
    tcp_routes: Source[Key, gateway.TCPRoute]
    udp_routes: Source[Key, gateway.UDPRoute]
    backend_tls_policies: Source[Key, gateway.BackendTLSPolicy]
    x_backend_traffic_policies: Source[Key, gateway_x.XBackendTrafficPolicy]
    x_telemetry_policies: Source[Key, gateway_x.XTelemetryPolicy]
    x_backends: Source[Key, gateway_x.XBackend]
    reference_grants: Source[Key, gateway.ReferenceGrant]
    namespaces: Source[Key, core.Namespace]
    services: Source[Key, core.Service]
    endpoint_slices: Source[Key, discovery.EndpointSlice]
    #: Secrets of type `kubernetes.io/tls` (others are ignored).
    secrets: Source[Key, core.Secret]
    #: Authorities of clients and backends (`ca.crt`).
    config_maps: Source[Key, core.ConfigMap]
    #: The same for a whole cluster; their keys have no namespace.
    cluster_trust_bundles: Source[Key, certificates.ClusterTrustBundle]
    #: Per Gateway: how its Envoys bind, from the metadata of the one that connected last. Keep it when it disconnects.
    #: Without it no Envoy ever connected, and there are no listeners to send.
    bindings: Source[Key, Binding]
    #: Per Gateway: its Service's addresses.
    fleet_statuses: Source[Key, EnvoyFleetStatus]

    #: Grants by what they permit.
    permissions: Index[Permission, Key]
    #: EndpointSlices by their Service.
    slices_of_service: Index[Key, Key]

    @classmethod
    def over(cls, engine: Engine) -> "World":
        """Declare the sources and indexes."""
        grants: Source[Key, gateway.ReferenceGrant] = engine.source("ReferenceGrant")
        slices: Source[Key, discovery.EndpointSlice] = engine.source("EndpointSlice")
        return cls(
            engine=engine,
            settings=engine.source("settings"),
            definitions=engine.source("definitions"),
            gateway_classes=engine.source("GatewayClass"),
            gateways=engine.source("Gateway"),
            listener_sets=engine.source("ListenerSet"),
            http_routes=engine.source("HTTPRoute"),
            grpc_routes=engine.source("GRPCRoute"),
            tls_routes=engine.source("TLSRoute"),
            tcp_routes=engine.source("TCPRoute"),
            udp_routes=engine.source("UDPRoute"),
            backend_tls_policies=engine.source("BackendTLSPolicy"),
            x_backend_traffic_policies=engine.source("XBackendTrafficPolicy"),
            x_telemetry_policies=engine.source("XTelemetryPolicy"),
            x_backends=engine.source("XBackend"),
            reference_grants=grants,
            namespaces=engine.source("Namespace"),
            services=engine.source("Service"),
            endpoint_slices=slices,
            secrets=engine.source("Secret"),
            config_maps=engine.source("ConfigMap"),
            cluster_trust_bundles=engine.source("ClusterTrustBundle"),
            bindings=engine.source("bindings"),
            fleet_statuses=engine.source("fleet statuses"),
            permissions=engine.index("permissions", grants, lambda _, grant: permissions(grant)),
            slices_of_service=engine.index("EndpointSlices of a Service", slices, _service),
        )

    @property
    def by_kind(self) -> Mapping[type[Object], Source[Key, Any]]:
        """The sources that hold objects of Kubernetes."""
        return {
            gateway.GatewayClass: self.gateway_classes,
            gateway.Gateway: self.gateways,
            gateway.ListenerSet: self.listener_sets,
            gateway.HTTPRoute: self.http_routes,
            gateway.GRPCRoute: self.grpc_routes,
            gateway.TLSRoute: self.tls_routes,
            gateway.TCPRoute: self.tcp_routes,
            gateway.UDPRoute: self.udp_routes,
            gateway.BackendTLSPolicy: self.backend_tls_policies,
            gateway_x.XBackendTrafficPolicy: self.x_backend_traffic_policies,
            gateway_x.XTelemetryPolicy: self.x_telemetry_policies,
            gateway_x.XBackend: self.x_backends,
            gateway.ReferenceGrant: self.reference_grants,
            core.Namespace: self.namespaces,
            core.Service: self.services,
            discovery.EndpointSlice: self.endpoint_slices,
            core.Secret: self.secrets,
            core.ConfigMap: self.config_maps,
            certificates.ClusterTrustBundle: self.cluster_trust_bundles,
        }


def permissions(grant: gateway.ReferenceGrant) -> list[Permission]:
    """Every pair of `from` and `to` of a grant."""
    return [
        (grant.metadata.namespace, who.group, who.kind, who.namespace, what.group, what.kind, what.name or "")
        for who in grant.spec.from_
        for what in grant.spec.to
    ]


def _service(key: Key, found: discovery.EndpointSlice) -> list[Key]:
    name = found.metadata.labels.get(SERVICE_NAME, "")
    return [Key(key.namespace, name)] if name else []
