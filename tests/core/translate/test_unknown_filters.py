"""A filter that `translate` cannot render fails: a route without it could be open."""

from __future__ import annotations

import msgspec
import pytest

from headgate.api.meta import Key, Ref
from headgate.envoy import protos
from headgate.incremental import Engine
from headgate.ir import precedence
from headgate.ir import routing as ir
from headgate.ir.http import Exchange, LocalResponse
from headgate.ir.matching import Match
from headgate.rendering import UnknownModifierError
from headgate.translate.routes import hosts, virtual_host

GATEWAY = Key("shop", "gate")
ROUTE = Ref("HTTPRoute", "shop", "web")
HOST = (GATEWAY, "http-80", "http", "")


class DenyAll(msgspec.Struct, frozen=True):
    """A filter of the IR from a room that `translate` knows nothing of."""

    @property
    def backends(self) -> tuple[ir.Backend, ...]:
        return ()

    def simulate(self, exchange: Exchange) -> Exchange:
        return msgspec.structs.replace(exchange, answer=LocalResponse(403))


def host(
    *filters: ir.Filter, of_target: tuple[ir.Filter, ...] = (), of_listener: tuple[ir.Filter, ...] = ()
) -> ir.VirtualHost:
    target = ir.Target(ir.Backend(Key("shop", "web"), 80), of_target)
    order = precedence.order("", Match(), "", ROUTE, 0, 0)
    route = ir.Route(ir.Origin(ROUTE, 0, 0), order, Match(), filters, ir.Forward((target,)))
    return ir.VirtualHost(*HOST, routes=(route,), filters=of_listener)


@pytest.mark.parametrize(
    "planted",
    [host(DenyAll()), host(of_target=(DenyAll(),)), host(of_listener=(DenyAll(),))],
    ids=["rule", "backendRef", "listener"],
)
def test_an_unknown_filter_is_never_left_out(planted: ir.VirtualHost) -> None:
    with pytest.raises(UnknownModifierError, match="DenyAll"):
        virtual_host(planted)


def test_the_last_good_configuration_keeps_serving() -> None:
    engine = Engine()
    source = engine.source("hosts")
    made = hosts(engine, source)
    name = (GATEWAY, "http-80", "http/*")
    source.set(HOST, host())
    engine.run()
    good = made.get(name)
    assert good is not None
    assert "shop/web/80" in str(protos.Route.FromString(good.routes[0].template))
    source.set(HOST, host(DenyAll()))
    engine.run()
    assert made.get(name) == good
    assert len(engine.failures) == 1
    source.set(HOST, host())
    engine.run()
    assert not engine.failures
