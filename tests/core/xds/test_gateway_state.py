"""The ACKs and NACKs of all Envoys of a Gateway, merged into facts."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.api.meta import Key, Ref
from headgate.envoy.clusters import cluster
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.listeners import FilterChain, listener
from headgate.envoy.names import CLUSTER, LISTENER, ROUTES
from headgate.envoy.resources import VirtualHost
from headgate.envoy.routes import Destination, DirectResponse, Forward, Match, route, virtual_host
from headgate.xds.ads_stream import AdsStream
from headgate.xds.desired import Update
from headgate.xds.facts import Disconnected, Fact, Outcome
from headgate.xds.gateway_state import GatewayState

GATE = Key("shop", "gate")
OWNER = Ref("Gateway", "shop", "gate")


def gateway_state() -> GatewayState:
    state = GatewayState(GATE, grace=1.0)
    one = listener("l", "127.0.0.1", 80, [FilterChain("all", "r")], origins=[OWNER])
    state.update(Update(resources={(LISTENER, "l"): one}, route_configurations=frozenset({"r"})))
    return state


def connect_envoy(state: GatewayState, node: str, error: str | None = None) -> tuple[AdsStream, list[Fact]]:
    """An Envoy connects, and ACKs or NACKs the listener."""
    stream = state.connect(node, reconnecting=False)
    stream.on_request(DiscoveryRequest(CLUSTER))
    answer(stream)
    stream.on_request(DiscoveryRequest(LISTENER))
    answer(stream, error)
    return stream, state.report(stream)


def answer(stream: AdsStream, error: str | None = None) -> None:
    for body in stream.pending_responses(0.0):
        response = DeltaDiscoveryResponse.FromString(body)
        stream.on_request(DiscoveryRequest(response.type_url, nonce=response.nonce, error=error))


def test_an_acked_listener_is_one_fact_for_all_envoys() -> None:
    state = gateway_state()
    _, first = connect_envoy(state, "a")
    _, second = connect_envoy(state, "b")
    assert [fact.message for fact in first if isinstance(fact, Outcome)] == [""]
    assert second == []


def test_a_listener_that_one_envoy_nacks_is_nacked() -> None:
    state = gateway_state()
    connect_envoy(state, "a")
    _, facts = connect_envoy(state, "b", error="cannot bind")
    (fact,) = facts
    assert isinstance(fact, Outcome)
    assert (fact.message, fact.origins) == ("cannot bind", (OWNER,))


def test_a_nack_ends_when_its_envoy_disconnects() -> None:
    state = gateway_state()
    connect_envoy(state, "a")
    stream, _ = connect_envoy(state, "b", error="cannot bind")
    facts = state.disconnect(stream)
    assert Disconnected(GATE, "b") in facts
    assert [fact.message for fact in facts if isinstance(fact, Outcome)] == [""]


def test_the_last_outcome_holds_when_the_last_envoy_disconnects() -> None:
    state = gateway_state()
    stream, _ = connect_envoy(state, "a")
    assert state.disconnect(stream) == [Disconnected(GATE, "a")]


def test_an_envoy_with_two_streams_disconnects_with_the_second() -> None:
    state = gateway_state()
    first, second = state.connect("a", reconnecting=False), state.connect("a", reconnecting=False)
    assert state.disconnect(first) == []
    assert state.disconnect(second) == [Disconnected(GATE, "a")]


SHOP, BANK = Ref("HTTPRoute", "shop", "route"), Ref("HTTPRoute", "bank", "route")


class Routes:
    """A Gateway with one route configuration, and an Envoy that NACKs virtual hosts with `bad` routes."""

    def __init__(self, state: GatewayState, node: str = "a") -> None:
        self.state = state
        self.stream = state.connect(node, reconnecting=False)
        self.facts: list[Outcome] = []
        for request in (DiscoveryRequest(CLUSTER), DiscoveryRequest(LISTENER), DiscoveryRequest(ROUTES, ("r",))):
            self.stream.on_request(request)
            self.exchange()

    def exchange(self) -> None:
        while bodies := self.stream.pending_responses(0.0):
            for body in bodies:
                response = DeltaDiscoveryResponse.FromString(body)
                bad = any(b"bad" in each.resource.value for each in response.resources)
                self.stream.on_request(
                    DiscoveryRequest(response.type_url, nonce=response.nonce, error="no" if bad else None)
                )
        self.facts += [fact for fact in self.state.report(self.stream) if isinstance(fact, Outcome) and fact.host]

    def set(self, **hosts: tuple[str, tuple[Ref, ...]]) -> None:
        made = {
            ("r", name): virtual_host(name, [name], [route(kind, Match(), DirectResponse(200))], origins=origins)
            for name, (kind, origins) in hosts.items()
        }
        self.state.update(Update(hosts=made))
        self.exchange()

    def reported(self) -> list[tuple[str, str, tuple[Ref, ...]]]:
        facts, self.facts = self.facts, []
        return [(fact.host, fact.message, fact.origins) for fact in facts]


def test_a_nacked_virtual_host_is_reported_with_its_origins_and_so_is_its_fix() -> None:
    routes = Routes(gateway_state())
    routes.set(x=("bad", (SHOP,)), y=("good", (BANK,)))
    assert routes.reported() == [("x", "no", (SHOP,))]
    routes.set(x=("good", (SHOP,)))
    assert routes.reported() == [("x", "", (SHOP,))]


def test_a_route_is_cleared_only_when_none_of_its_virtual_hosts_is_nacked() -> None:
    routes = Routes(gateway_state())
    routes.set(x=("bad", (SHOP,)), y=("bad", (SHOP,)))
    routes.reported()
    routes.set(x=("good", (SHOP,)))
    assert routes.reported() == [("x", "", ())]
    routes.set(y=("good", (SHOP,)))
    assert routes.reported() == [("y", "", (SHOP,))]


def test_a_nack_is_cleared_when_the_virtual_host_is_removed() -> None:
    routes = Routes(gateway_state())
    routes.set(x=("bad", (SHOP,)))
    routes.reported()
    routes.state.update(Update(removed_hosts=frozenset({("r", "x")})))
    routes.exchange()
    assert routes.reported() == [("x", "", (SHOP,))]


def test_a_nack_of_a_disconnected_envoy_is_cleared_when_another_acks_the_routes() -> None:
    state = gateway_state()
    first = Routes(state, "a")
    first.set(x=("bad", (SHOP,)))
    state.disconnect(first.stream)
    state.update(Update(hosts={("r", "x"): virtual_host("x", ["x"], [], origins=[SHOP])}))
    assert Routes(state, "b").reported() == [("x", "", (SHOP,))]


def cluster_of(*users: str) -> tuple[GatewayState, AdsStream]:
    """A Gateway whose Envoy NACKed a cluster that these routes use."""
    state = GatewayState(GATE, grace=1.0)
    state.update(
        Update(resources={(CLUSTER, "c"): cluster("c", "c")}, hosts={("r", user): using(user) for user in users})
    )
    stream = state.connect("a", reconnecting=False)
    stream.on_request(DiscoveryRequest(CLUSTER))
    answer(stream, "bad cluster")
    return state, stream


def using(name: str) -> VirtualHost:
    forward = Forward((Destination("c"),), "")
    origin = Ref("HTTPRoute", "shop", name)
    return virtual_host(name, [f"{name}.example"], [route(name, Match(), forward)], origins=[origin])


def reported(facts: list[Fact]) -> list[tuple[str, list[str]]]:
    return [(fact.message, [each.name for each in fact.origins]) for fact in facts if isinstance(fact, Outcome)]


def test_a_nacked_cluster_is_reported_with_the_routes_that_use_it() -> None:
    state, stream = cluster_of("one", "two")
    assert reported(state.report(stream)) == [("bad cluster", ["one", "two"])]


def test_a_route_that_begins_to_use_a_nacked_cluster_is_reported_too() -> None:
    state, stream = cluster_of("one")
    state.report(stream)
    state.update(Update(hosts={("r", "two"): using("two")}))
    assert reported(state.report(stream))[-1] == ("bad cluster", ["one", "two"])


def test_a_route_that_no_longer_uses_a_nacked_cluster_is_cleared() -> None:
    state, stream = cluster_of("one", "two")
    state.report(stream)
    state.update(Update(removed_hosts=frozenset({("r", "one")})))
    assert reported(state.report(stream)) == [("", ["one"]), ("bad cluster", ["two"])]


def test_removing_a_nacked_cluster_clears_its_routes() -> None:
    state, stream = cluster_of("one")
    state.report(stream)
    state.update(Update(removed_resources=frozenset({(CLUSTER, "c")}), removed_hosts=frozenset({("r", "one")})))
    assert reported(state.report(stream))[0] == ("", ["one"])


def test_fixing_a_nacked_cluster_clears_its_routes() -> None:
    state, stream = cluster_of("one")
    state.report(stream)
    state.update(Update(resources={(CLUSTER, "c"): cluster("c", "c", connect_timeout=1.0)}))
    answer(stream)
    assert reported(state.report(stream)) == [("", ["one"])]
