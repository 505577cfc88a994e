"""Pools of connections and datagrams to clusters: one for each route of TLS, TCP or UDP that gets any."""

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
    """Clusters per Gateway. Only other TLS changes one; backends and weights are in its endpoints."""

    def keyed(read: Read, key: tuple[Key, WeightedBackendsKey], pool: WeightedBackends) -> Iterable[Keyed]:
        shown = read(routing.client_certificates, key[0]) if pool.key.originates_tls else None
        found = cluster(pool, shown)
        yield (key[0], CLUSTER, found.name), found

    return world.engine.flat_map("clusters of pools", routing.weighted_backends, keyed)


def endpoints(world: World, routing: Routing) -> Collection[tuple[Key, str, str], Resource]:
    """Their endpoints."""

    def keyed(read: Read, key: tuple[Key, WeightedBackendsKey], pool: WeightedBackends) -> Iterable[Keyed]:
        served = {}
        for target in pool.backends:
            if target is not None and (found := read(routing.endpoints, target)) is not None:
                served[target] = found.endpoints
        made = assignment(pool, served)
        yield (key[0], ENDPOINTS, made.name), made

    return world.engine.flat_map("endpoints of pools", routing.weighted_backends, keyed)


def cluster_name_of(pool: WeightedBackends) -> str:
    """What the cluster of a pool is called."""
    return names.stream_cluster(pool.key, sorted(_matches(pool)))


def cluster(pool: WeightedBackends, shown: ir.Certificate | None = None) -> Resource:
    """The cluster of a pool; `shown` is the Gateway's certificate for backends with TLS."""
    route = pool.key.route
    stat_name = f"{route.kind}_{route.namespace}_{route.name}".replace(".", "_")
    tls = {
        match: rendered
        for match, traffic in _matches(pool).items()
        for rendered in settings.render(traffic, {"tls": clusters.upstream_tls}, shown)
    }
    return envoy.stream_cluster(cluster_name_of(pool), stat_name, tls=tls, origins=(route,))


def assignment(pool: WeightedBackends, served: Mapping[ir.Backend, Sequence[ir.Endpoint]]) -> Resource:
    """The endpoints of a pool."""
    return envoy.weighted_load_assignment(
        cluster_name_of(pool),
        [
            envoy.WeightedLocality(
                tuple(envoy.Endpoint(each.address, each.port) for each in part.endpoints),
                part.weight,
                _match(part.backend.traffic) if part.backend else "",
            )
            for part in localities(pool, served)
        ],
        origins=(pool.key.route,),
    )


def _matches(pool: WeightedBackends) -> dict[str, ir.BackendTraffic]:
    """The settings of its backends, by transport socket match; those of backends without any are none."""
    every = {backend.traffic for backend in pool.backends if backend is not None}
    return {match: traffic for traffic in every if (match := _match(traffic))}


def _match(traffic: ir.BackendTraffic) -> str:
    """The transport socket match for settings; empty for none."""
    encoded = traffic.encoded()
    return digest(encoded) if encoded else ""
