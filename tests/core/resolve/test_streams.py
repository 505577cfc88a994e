"""Statuses of TLSRoutes, TCPRoutes and UDPRoutes, and the resources that a change of them changes."""

from __future__ import annotations

from typing import Any

import msgspec

from golden import cases as golden
from headgate.api import gateway as api
from headgate.api.meta import Condition, Key, Object, Ref
from headgate.envoy.names import ENDPOINTS, LISTENER
from headgate.ir.routing import Binding
from headgate.world.facts import ListenerFact
from laws import stream_worlds as worlds
from laws.routing_worlds import gateway_api

GATEWAY = Key("one", "g0")
DOORS = [{"name": kind.lower(), "port": 9000, "protocol": kind} for kind in ("TCP", "UDP")]


def route(kind: str, *refs: dict[str, Any], rules: int = 1) -> Object:
    spec = {"parentRefs": [{"name": "g0"}], "rules": [{"backendRefs": list(refs)}] * rules}
    return gateway_api(kind, "r", "one", spec, generation=1)


def world(*objects: Object) -> golden.Running:
    """A Gateway with a door of each kind, to which an Envoy has connected that has answered nothing."""
    made = golden.empty()
    made.put(golden.gateway_class())
    made.world.bindings.set(GATEWAY, Binding("pod"))
    spec = {"gatewayClassName": golden.CLASS, "listeners": DOORS}
    for value in [*worlds.furniture(), gateway_api("Gateway", "g0", "one", spec, generation=1), *objects]:
        made.put(value)
    return made.run()


def acked(made: golden.Running) -> golden.Running:
    """Envoy takes everything."""
    for (gateway, type_url, name), resource in made.outputs.resources.items():
        if type_url == LISTENER:
            made.facts.listeners.set((gateway, name), ListenerFact(acked=resource.version))
    return made.run()


def accepted(made: golden.Running, kind: str) -> Condition:
    (entry,) = made.outputs.route_statuses.get(Ref(kind, "one", "r")) or ()
    return next(each for each in entry.conditions if each.type == "Accepted")


def changed(made: golden.Running, value: Object) -> set[tuple[str, str]]:
    """Types and names of resources that are other ones when an object is."""
    before = dict(made.outputs.resources.items())
    made.put(value)
    made.run()
    after = dict(made.outputs.resources.items())
    return {key[1:] for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


REF = {"name": "s0", "port": 80}


def test_a_udp_route_is_accepted_once_an_envoy_has_accepted_its_listener() -> None:
    made = world(route("UDPRoute", REF))
    found = accepted(made, "UDPRoute")
    assert (found.status, found.reason) == ("Unknown", "Pending")
    assert accepted(acked(made), "UDPRoute").status == "True"


def test_a_udp_route_that_was_accepted_stays_accepted_without_facts() -> None:
    value = route("UDPRoute", REF)
    assert isinstance(value, api.UDPRoute)
    entries = acked(world(value)).outputs.route_statuses.get(value.ref)
    reported = msgspec.structs.replace(value, status=api.RouteStatus(parents=entries or ()))
    assert accepted(world(reported), "UDPRoute").status == "True"


def test_a_tcp_route_is_never_pending() -> None:
    assert accepted(world(route("TCPRoute", REF)), "TCPRoute").status == "True"


def test_a_change_of_weights_or_backends_changes_endpoints_only() -> None:
    made = world(route("TCPRoute", {**REF, "weight": 9}, {**REF, "name": "s1"}))
    endpoints = {(ENDPOINTS, "TCPRoute/one/r")}
    assert changed(made, route("TCPRoute", {**REF, "weight": 1}, {**REF, "name": "s1"})) == endpoints
    assert changed(made, route("TCPRoute", {**REF, "name": "missing"}, {**REF, "name": "s1"})) == endpoints
    assert changed(made, worlds.endpoints("s1", ["198.51.100.99"])) == endpoints


def test_a_route_with_two_rules_is_not_accepted() -> None:
    found = accepted(world(route("TCPRoute", REF, rules=2)), "TCPRoute")
    assert (found.status, found.reason) == ("False", "UnsupportedValue")
    assert "spec.rules: '2 rules' is invalid; use one rule" in found.message


def test_a_fleet_has_the_udp_ports_of_its_gateway() -> None:
    needs = world().outputs.fleet_specs.get(GATEWAY)
    assert needs is not None
    assert needs.ports == (("TCP", 9000), ("UDP", 9000))
