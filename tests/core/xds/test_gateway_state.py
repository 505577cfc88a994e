"""All Envoys of a Gateway, reduced to facts."""

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


def gateway() -> GatewayState:
    made = GatewayState(GATE, grace=1.0)
    one = listener("l", "127.0.0.1", 80, [FilterChain("all", "r")], origins=[OWNER])
    made.update(Update(resources={(LISTENER, "l"): one}, route_configurations=frozenset({"r"})))
    return made


def take_listener(gate: GatewayState, node: str, error: str | None = None) -> tuple[AdsStream, list[Fact]]:
    """An Envoy connects, and takes or refuses the listener."""
    proxy = gate.connect(node, reconnecting=False)
    proxy.on_request(DiscoveryRequest(CLUSTER))
    answer(proxy)
    proxy.on_request(DiscoveryRequest(LISTENER))
    answer(proxy, error)
    return proxy, gate.report(proxy)


def answer(proxy: AdsStream, error: str | None = None) -> None:
    for body in proxy.pending_responses(0.0):
        response = DeltaDiscoveryResponse.FromString(body)
        proxy.on_request(DiscoveryRequest(response.type_url, nonce=response.nonce, error=error))


def test_a_listener_that_was_taken_is_a_fact_once_for_all_envoys() -> None:
    gate = gateway()
    _, first = take_listener(gate, "a")
    _, second = take_listener(gate, "b")
    assert [fact.message for fact in first if isinstance(fact, Outcome)] == [""]
    assert second == []


def test_a_listener_that_one_envoy_refuses_is_refused() -> None:
    gate = gateway()
    take_listener(gate, "a")
    _, facts = take_listener(gate, "b", error="cannot bind")
    (fact,) = facts
    assert isinstance(fact, Outcome)
    assert (fact.message, fact.origins) == ("cannot bind", (OWNER,))


def test_a_refusal_goes_with_the_envoy_that_refused() -> None:
    gate = gateway()
    take_listener(gate, "a")
    proxy, _ = take_listener(gate, "b", error="cannot bind")
    facts = gate.disconnect(proxy)
    assert Disconnected(GATE, "b") in facts
    assert [fact.message for fact in facts if isinstance(fact, Outcome)] == [""]


def test_the_last_word_stays_when_the_last_envoy_goes() -> None:
    gate = gateway()
    proxy, _ = take_listener(gate, "a")
    assert gate.disconnect(proxy) == [Disconnected(GATE, "a")]


def test_an_envoy_with_two_streams_leaves_with_the_second() -> None:
    gate = gateway()
    first, second = gate.connect("a", reconnecting=False), gate.connect("a", reconnecting=False)
    assert gate.disconnect(first) == []
    assert gate.disconnect(second) == [Disconnected(GATE, "a")]


SHOP, BANK = Ref("HTTPRoute", "shop", "route"), Ref("HTTPRoute", "bank", "route")


class Routes:
    """A Gateway whose one route configuration has some bad virtual hosts, and an Envoy that refuses those."""

    def __init__(self, gate: GatewayState, node: str = "a") -> None:
        self.gate = gate
        self.proxy = gate.connect(node, reconnecting=False)
        self.facts: list[Outcome] = []
        for request in (DiscoveryRequest(CLUSTER), DiscoveryRequest(LISTENER), DiscoveryRequest(ROUTES, ("r",))):
            self.proxy.on_request(request)
            self.talk()

    def talk(self) -> None:
        while bodies := self.proxy.pending_responses(0.0):
            for body in bodies:
                response = DeltaDiscoveryResponse.FromString(body)
                bad = any(b"bad" in each.resource.value for each in response.resources)
                self.proxy.on_request(
                    DiscoveryRequest(response.type_url, nonce=response.nonce, error="no" if bad else None)
                )
        self.facts += [fact for fact in self.gate.report(self.proxy) if isinstance(fact, Outcome) and fact.host]

    def set(self, **hosts: tuple[str, tuple[Ref, ...]]) -> None:
        made = {
            ("r", name): virtual_host(name, [name], [route(kind, Match(), DirectResponse(200))], origins=origins)
            for name, (kind, origins) in hosts.items()
        }
        self.gate.update(Update(hosts=made))
        self.talk()

    def said(self) -> list[tuple[str, str, tuple[Ref, ...]]]:
        facts, self.facts = self.facts, []
        return [(fact.host, fact.message, fact.origins) for fact in facts]


def test_a_refused_host_is_told_with_its_origins_and_so_is_its_mending() -> None:
    talk = Routes(gateway())
    talk.set(x=("bad", (SHOP,)), y=("good", (BANK,)))
    assert talk.said() == [("x", "no", (SHOP,))]
    talk.set(x=("good", (SHOP,)))
    assert talk.said() == [("x", "", (SHOP,))]


def test_a_route_is_free_only_when_none_of_its_hosts_is_refused() -> None:
    talk = Routes(gateway())
    talk.set(x=("bad", (SHOP,)), y=("bad", (SHOP,)))
    talk.said()
    talk.set(x=("good", (SHOP,)))
    assert talk.said() == [("x", "", ())]
    talk.set(y=("good", (SHOP,)))
    assert talk.said() == [("y", "", (SHOP,))]


def test_a_refusal_ends_when_the_host_is_gone() -> None:
    talk = Routes(gateway())
    talk.set(x=("bad", (SHOP,)))
    talk.said()
    talk.gate.update(Update(removed_hosts=frozenset({("r", "x")})))
    talk.talk()
    assert talk.said() == [("x", "", (SHOP,))]


def test_a_refusal_of_an_envoy_that_is_gone_ends_when_another_takes_the_routes() -> None:
    gate = gateway()
    first = Routes(gate, "a")
    first.set(x=("bad", (SHOP,)))
    gate.disconnect(first.proxy)
    gate.update(Update(hosts={("r", "x"): virtual_host("x", ["x"], [], origins=[SHOP])}))
    assert Routes(gate, "b").said() == [("x", "", (SHOP,))]


def cluster_of(*users: str) -> tuple[GatewayState, AdsStream]:
    """A Gateway whose Envoy refused a cluster that these routes use."""
    gate = GatewayState(GATE, grace=1.0)
    gate.update(
        Update(resources={(CLUSTER, "c"): cluster("c", "c")}, hosts={("r", each): using(each) for each in users})
    )
    proxy = gate.connect("a", reconnecting=False)
    proxy.on_request(DiscoveryRequest(CLUSTER))
    answer(proxy, "bad cluster")
    return gate, proxy


def using(name: str) -> VirtualHost:
    forward = Forward((Destination("c"),), "")
    origin = Ref("HTTPRoute", "shop", name)
    return virtual_host(name, [f"{name}.example"], [route(name, Match(), forward)], origins=[origin])


def told(facts: list[Fact]) -> list[tuple[str, list[str]]]:
    return [(fact.message, [each.name for each in fact.origins]) for fact in facts if isinstance(fact, Outcome)]


def test_a_refused_cluster_is_told_with_the_routes_that_use_it() -> None:
    gate, proxy = cluster_of("one", "two")
    assert told(gate.report(proxy)) == [("bad cluster", ["one", "two"])]


def test_a_route_that_comes_to_a_refused_cluster_is_told_too() -> None:
    gate, proxy = cluster_of("one")
    gate.report(proxy)
    gate.update(Update(hosts={("r", "two"): using("two")}))
    assert told(gate.report(proxy))[-1] == ("bad cluster", ["one", "two"])


def test_a_route_that_leaves_a_refused_cluster_is_free() -> None:
    gate, proxy = cluster_of("one", "two")
    gate.report(proxy)
    gate.update(Update(removed_hosts=frozenset({("r", "one")})))
    assert told(gate.report(proxy)) == [("", ["one"]), ("bad cluster", ["two"])]


def test_a_refused_cluster_that_is_gone_frees_its_routes() -> None:
    gate, proxy = cluster_of("one")
    gate.report(proxy)
    gate.update(Update(removed_resources=frozenset({(CLUSTER, "c")}), removed_hosts=frozenset({("r", "one")})))
    assert told(gate.report(proxy))[0] == ("", ["one"])


def test_a_cluster_that_is_mended_frees_its_routes() -> None:
    gate, proxy = cluster_of("one")
    gate.report(proxy)
    gate.update(Update(resources={(CLUSTER, "c"): cluster("c", "c", connect_timeout=1.0)}))
    answer(proxy)
    assert told(gate.report(proxy)) == [("", ["one"])]
