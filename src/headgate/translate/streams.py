"""Backends of routes of TLS, TCP and UDP to clusters: one per route, with weighted localities."""

from collections.abc import Iterable, Mapping, Sequence

from headgate.api.meta import Key
from headgate.envoy import clusters as envoy
from headgate.envoy.names import CLUSTER, ENDPOINTS, digest
from headgate.envoy.resources import Resource
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.streams import WeightedBackends, WeightedBackendsKey, localities
from headgate.world import Routing, World

from . import clusters, names, settings

Keyed = tuple[tuple[Key, str, str], Resource]


def stream_clusters(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Clusters per Gateway. Only TLS settings change a cluster; backends and weights are in its endpoints."""

    def keyed(read: Read, key: tuple[Key, WeightedBackendsKey], weighted: WeightedBackends) -> Iterable[Keyed]:
        certificate = read(routing.client_certificates, key[0]) if weighted.key.originates_tls else None
        resource = cluster(weighted, certificate)
        yield (key[0], CLUSTER, resource.name), resource

    return world.engine.flat_map("clusters of stream routes", routing.weighted_backends, keyed)


def endpoints(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Endpoints per Gateway."""

    def keyed(read: Read, key: tuple[Key, WeightedBackendsKey], weighted: WeightedBackends) -> Iterable[Keyed]:
        served = {}
        for backend in weighted.backends:
            if backend is not None and (endpoints := read(routing.endpoints, backend)) is not None:
                served[backend] = endpoints.endpoints
        resource = assignment(weighted, served)
        yield (key[0], ENDPOINTS, resource.name), resource

    return world.engine.flat_map("endpoints of stream routes", routing.weighted_backends, keyed)


def cluster_name_of(weighted: WeightedBackends) -> str:
    """The name of the cluster."""
    return names.stream_cluster(weighted.key, sorted(_matches(weighted)))


def cluster(weighted: WeightedBackends, gateway_certificate: ir.Certificate | None = None) -> Resource:
    """The cluster; `gateway_certificate` is the Gateway's client certificate for backends with TLS."""
    route = weighted.key.route
    stat_name = f"{route.kind}_{route.namespace}_{route.name}".replace(".", "_")
    tls = {
        match: rendered
        for match, traffic in _matches(weighted).items()
        for rendered in settings.render(traffic, {"tls": clusters.upstream_tls}, gateway_certificate)
    }
    return envoy.stream_cluster(cluster_name_of(weighted), stat_name, tls=tls, origins=(route,))


def assignment(weighted: WeightedBackends, served: Mapping[ir.Backend, Sequence[ir.Endpoint]]) -> Resource:
    """The endpoints of the cluster."""
    return envoy.weighted_load_assignment(
        cluster_name_of(weighted),
        [
            envoy.WeightedLocality(
                tuple(envoy.Endpoint(each.address, each.port) for each in locality.endpoints),
                locality.weight,
                _match(locality.backend.traffic) if locality.backend else "",
            )
            for locality in localities(weighted, served)
        ],
        origins=(weighted.key.route,),
    )


def _matches(weighted: WeightedBackends) -> dict[str, ir.BackendTraffic]:
    """The settings of its backends, by transport socket match; those of backends without any are none."""
    every = {backend.traffic for backend in weighted.backends if backend is not None}
    return {match: traffic for traffic in every if (match := _match(traffic))}


def _match(traffic: ir.BackendTraffic) -> str:
    """The transport socket match for settings; empty for none."""
    encoded = traffic.encoded()
    return digest(encoded) if encoded else ""
