"""Envoys whose listeners only pass on connections: they never subscribe to routes."""

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


def reconnected(state: GatewayState, listener: Resource) -> AdsStream:
    """The stream of an Envoy that reconnects to a restarted server; it has both clusters."""
    stream = state.connect("a", reconnecting=True)
    versions = {name: each.version for name, each in CLUSTERS.items()}
    for request in (
        DiscoveryRequest(RUNTIME, (RUNTIME_LAYER,)),
        DiscoveryRequest(CLUSTER, initial_versions=versions),
        DiscoveryRequest(ENDPOINTS, tuple(CLUSTERS)),
        DiscoveryRequest(LISTENER, initial_versions={listener.name: listener.version}),
    ):
        stream.on_request(request)
    return stream


def exchange(stream: AdsStream, now: float) -> list[tuple[str, str]]:
    """The types and names of the resources that are sent (+) and removed (-), until there are no more responses."""
    sent = []
    while bodies := stream.pending_responses(now):
        for body in bodies:
            response = DeltaDiscoveryResponse.FromString(body)
            sent += [(response.type_url, f"+{each.name}") for each in response.resources]
            sent += [(response.type_url, f"-{name}") for name in response.removed_resources]
            stream.on_request(DiscoveryRequest(response.type_url, nonce=response.nonce))
    return sent


def test_an_unwanted_cluster_is_removed_after_a_restart_of_the_server() -> None:
    state = GatewayState(Key("n", "g"), grace=1.0)
    state.update(Update(resources=desired("new")))
    stream = reconnected(state, tcp("new"))
    assert (CLUSTER, "-old") not in exchange(stream, 0.0)
    assert (CLUSTER, "-old") in exchange(stream, 2.0)
    assert stream.settled


def test_a_cluster_stays_until_the_listener_that_sends_to_it_was_changed() -> None:
    state = GatewayState(Key("n", "g"), grace=1.0)
    state.update(Update(resources=desired("new")))
    stream = reconnected(state, tcp("old"))
    sent = exchange(stream, 0.0)
    assert (LISTENER, "+tcp-1") in sent
    assert (CLUSTER, "-old") not in sent
    assert (CLUSTER, "-old") in exchange(stream, 2.0)
