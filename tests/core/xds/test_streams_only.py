"""Envoys whose listeners pass on connections only: they never ask for routes."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.api.meta import Key
from headgate.envoy.clusters import stream_cluster, weighted_load_assignment
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.listeners import FilterChain, listener
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, RUNTIME, RUNTIME_LAYER
from headgate.envoy.resources import Resource
from headgate.xds.ads_stream import AdsStream
from headgate.xds.desired import Update
from headgate.xds.gateway_state import GatewayState

CLUSTERS = {name: stream_cluster(name, name) for name in ("old", "new")}


def tcp(cluster: str) -> Resource:
    return listener("tcp-1", "127.0.0.1", 1, [FilterChain("c", cluster=cluster)])


def desired(cluster: str) -> dict[tuple[str, str], Resource]:
    every = (CLUSTERS[cluster], weighted_load_assignment(cluster, []), tcp(cluster))
    return {(each.type_url, each.name): each for each in every}


def returned(made: GatewayState, listens: Resource) -> AdsStream:
    """An Envoy that comes back to a server that was restarted; it has both clusters."""
    proxy = made.connect("a", reconnecting=True)
    versions = {name: each.version for name, each in CLUSTERS.items()}
    for request in (
        DiscoveryRequest(RUNTIME, (RUNTIME_LAYER,)),
        DiscoveryRequest(CLUSTER, initial_versions=versions),
        DiscoveryRequest(ENDPOINTS, tuple(CLUSTERS)),
        DiscoveryRequest(LISTENER, initial_versions={listens.name: listens.version}),
    ):
        proxy.on_request(request)
    return proxy


def talk(proxy: AdsStream, now: float) -> list[tuple[str, str]]:
    """What it is told until there is no more: types, and names of what comes and goes."""
    told = []
    while bodies := proxy.pending_responses(now):
        for body in bodies:
            response = DeltaDiscoveryResponse.FromString(body)
            told += [(response.type_url, f"+{each.name}") for each in response.resources]
            told += [(response.type_url, f"-{name}") for name in response.removed_resources]
            proxy.on_request(DiscoveryRequest(response.type_url, nonce=response.nonce))
    return told


def test_a_cluster_that_nobody_wants_goes_after_a_restart_of_the_server() -> None:
    made = GatewayState(Key("n", "g"), grace=1.0)
    made.update(Update(resources=desired("new")))
    proxy = returned(made, tcp("new"))
    assert (CLUSTER, "-old") not in talk(proxy, 0.0)
    assert (CLUSTER, "-old") in talk(proxy, 2.0)
    assert proxy.settled


def test_a_cluster_stays_until_the_listener_that_sends_to_it_was_changed() -> None:
    made = GatewayState(Key("n", "g"), grace=1.0)
    made.update(Update(resources=desired("new")))
    proxy = returned(made, tcp("old"))
    told = talk(proxy, 0.0)
    assert (LISTENER, "+tcp-1") in told
    assert (CLUSTER, "-old") not in told
    assert (CLUSTER, "-old") in talk(proxy, 2.0)
