"""All Envoys of a Gateway, reduced to facts."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.api.meta import Key
from headgate.envoy.discovery import Request
from headgate.envoy.listeners import FilterChain, listener
from headgate.envoy.names import CLUSTER, LISTENER
from headgate.xds.desired import Update
from headgate.xds.facts import Disconnected, Fact, Outcome
from headgate.xds.gateways import Gateway
from headgate.xds.order import Proxy

GATE = Key("shop", "gate")


def gateway() -> Gateway:
    made = Gateway(GATE, grace=1.0)
    one = listener("l", "127.0.0.1", 80, [FilterChain("all", "r")], origins=[GATE])
    made.update(Update(resources={(LISTENER, "l"): one}, route_configurations=frozenset({"r"})))
    return made


def take_listener(gate: Gateway, node: str, error: str | None = None) -> tuple[Proxy, list[Fact]]:
    """An Envoy connects, and takes or refuses the listener."""
    proxy = gate.connect(node, returning=False)
    proxy.hear(Request(CLUSTER))
    answer(proxy)
    proxy.hear(Request(LISTENER))
    answer(proxy, error)
    return proxy, gate.news(proxy)


def answer(proxy: Proxy, error: str | None = None) -> None:
    for body in proxy.speak(0.0):
        response = DeltaDiscoveryResponse.FromString(body)
        proxy.hear(Request(response.type_url, nonce=response.nonce, error=error))


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
    assert (fact.message, fact.origins) == ("cannot bind", (GATE,))


def test_a_refusal_goes_with_the_envoy_that_refused() -> None:
    gate = gateway()
    take_listener(gate, "a")
    proxy, _ = take_listener(gate, "b", error="cannot bind")
    facts = gate.leave(proxy)
    assert Disconnected(GATE, "b") in facts
    assert [fact.message for fact in facts if isinstance(fact, Outcome)] == [""]


def test_the_last_word_stays_when_the_last_envoy_goes() -> None:
    gate = gateway()
    proxy, _ = take_listener(gate, "a")
    assert gate.leave(proxy) == [Disconnected(GATE, "a")]


def test_an_envoy_with_two_streams_leaves_with_the_second() -> None:
    gate = gateway()
    first, second = gate.connect("a", returning=False), gate.connect("a", returning=False)
    assert gate.leave(first) == []
    assert gate.leave(second) == [Disconnected(GATE, "a")]
