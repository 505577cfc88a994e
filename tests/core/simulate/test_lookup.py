"""An IR that no engine computed: values made by hand, in dicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.api.meta import Key, Ref
from headgate.ir import precedence
from headgate.ir import routing as ir
from headgate.ir.http import Request
from headgate.ir.matching import Match
from headgate.ir.streams import ListenerStreams, WeightedBackends, WeightedBackendsKey
from headgate.simulate import RoutingTables, ask, explain

GATE = Key("shop", "gate")
WEB = ir.Backend(Key("shop", "web"), 80)


@dataclass
class ByHand:
    """Tables as dicts."""

    ports: dict[tuple[Key, ir.Transport, int], ir.Port] = field(default_factory=dict)
    hosts: dict[tuple[Key, str, str, str], ir.VirtualHost] = field(default_factory=dict)
    shares: dict[tuple[Key, str], ir.Shares] = field(default_factory=dict)
    endpoints: dict[ir.Backend, ir.Endpoints] = field(default_factory=dict)
    streams: dict[tuple[Key, ir.Transport, int], tuple[ListenerStreams, ...]] = field(default_factory=dict)
    weighted_backends: dict[tuple[Key, WeightedBackendsKey], WeightedBackends] = field(default_factory=dict)
    client_certificates: dict[Key, ir.Certificate] = field(default_factory=dict)


def by_hand() -> RoutingTables:
    origin = ir.Origin(Ref("HTTPRoute", "shop", "web"), 0, 0)
    order = precedence.order("", Match(), "", origin.route, 0, 0)
    route = ir.Route(origin, order, Match(), (), ir.Forward((ir.Target(WEB),)))
    listener = ir.Listener("http", 80, "HTTP")
    return ByHand(
        ports={(GATE, "TCP", 80): ir.Port(GATE, 80, "HTTP", (listener,))},
        hosts={(GATE, "http-80", "http", ""): ir.VirtualHost(GATE, "http-80", "http", "", (route,))},
        endpoints={WEB: ir.Endpoints(WEB, (ir.Endpoint("10.0.0.1", 80),))},
    )


def test_it_is_asked_like_one_of_an_engine() -> None:
    outcome = ask(by_hand(), GATE, Request(host="shop.example.com"))
    assert [share.backend for share in outcome.shares] == ["shop/web:80"]
    assert explain(by_hand(), GATE, Request(host="shop.example.com")).rejected == ()
