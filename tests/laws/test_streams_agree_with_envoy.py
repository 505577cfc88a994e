"""The simulation and a real Envoy send every connection to the same place: over random listeners and routes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden import cases as golden
from golden import streaming
from golden.expectations import CLOSED
from golden.harness import PORT_OFFSET
from headgate.api.meta import Key, Object, Ref
from headgate.ir.routing import Binding
from headgate.ir.streams import Connection
from headgate.simulate import ConnectionOutcome, connect
from headgate.world import EnvoyFleetStatus
from laws import stream_worlds as worlds
from laws.routing_worlds import HOSTNAMES, gateway_api
from laws.test_translate_is_never_refused import odd

GATEWAY = Key("one", "g0")
#: Envoy shares by turns; so many show every share of the weights that are drawn.
CONNECTIONS = 12


class StreamLaw:
    """A real Envoy, and backends at the endpoints of `worlds.furniture`."""

    def __init__(self, envoy_harness: streaming.StreamHarness) -> None:
        self._harness = envoy_harness
        addresses = envoy_harness.addresses()
        self.gateway = str(addresses.gateways[1])
        self.backends = []
        for at, name in enumerate(worlds.SERVICES):
            address = str(addresses.backends[at + 1])
            secured = {"authority": "law", "names": ["t.example.com"]} if name in worlds.SECURED else None
            self.backends += [
                golden.Backend(f"one/{name}:80", address, 8080, protocol, secured) for protocol in ("TCP", "UDP")
            ]
        envoy_harness.serve(self.backends)

    def load(self, objects: list[Object]) -> golden.Running:
        """A world of these objects, loaded into Envoy."""
        made = golden.empty()
        made.put(golden.gateway_class())
        made.world.bindings.set(GATEWAY, Binding("service", self.gateway, PORT_OFFSET))
        made.world.fleet_statuses.set(GATEWAY, EnvoyFleetStatus("g0", (self.gateway,)))
        for value in [*worlds.furniture(), *objects]:
            made.put(value)
        for name, backend in zip(worlds.SERVICES, self.backends[::2], strict=True):
            made.put(worlds.endpoints(name, [backend.address]))
        self._harness.load(made.run().outputs, GATEWAY)
        return made


@pytest.fixture(scope="module")
def envoy_law(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamLaw]:
    with streaming.StreamHarness(tmp_path_factory.mktemp("law")) as envoy_harness:
        yield StreamLaw(envoy_harness)


def _understood(reached: ConnectionOutcome, *, secure: bool) -> dict[str, Fraction]:
    """Who answers: a backend that speaks TLS does not understand plain text, and the other way round."""
    found: dict[str, Fraction] = {}
    arrives_secured = secure and not reached.terminated
    for name, share in streaming.simulated(reached).items():
        speaks = name.removeprefix("one/").removesuffix(":80")
        who = name if name != CLOSED and (speaks in worlds.SECURED) == arrives_secured else CLOSED
        found[who] = found.get(who, Fraction(0)) + share
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    worlds.gateways,
    st.lists(worlds.routes, min_size=1, max_size=5),
    st.lists(worlds.connections, min_size=3, max_size=8),
)
def test_the_simulation_and_envoy_send_every_connection_to_the_same(
    envoy_law: StreamLaw, gateway: Object, routes: list[Object], connections: list[Connection]
) -> None:
    made = envoy_law.load([gateway, *routes])
    for each in connections:
        port = made.outputs.routing.ports.get((GATEWAY, each.transport, each.port))
        secure = port is not None and port.family == "TLS"
        reached = connect(made.outputs.routing, GATEWAY, each)
        understood = each.transport == "UDP" or reached.route is None
        wanted = streaming.simulated(reached) if understood else _understood(reached, secure=secure)
        times = 1 if len(wanted) == 1 else CONNECTIONS
        answers = [streaming.dial(envoy_law.gateway, each, secure=secure) for _ in range(times)]
        found = streaming.tally(answers, envoy_law.backends)
        shares = {name: Fraction(count, times) for name, count in found.items()}
        assert shares == wanted, f"{each}: Envoy {found}, simulation {reached}"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(odd | st.sampled_from(HOSTNAMES), min_size=1, max_size=4), st.sampled_from(["Terminate", "Passthrough"])
)
def test_envoy_takes_whatever_server_names_stand_in_listeners_and_routes(
    envoy_law: StreamLaw, hostnames: list[str], mode: str
) -> None:
    tls = {"mode": mode, "certificateRefs": [{"name": "tls"}] if mode == "Terminate" else []}
    doors = [
        {"name": f"l{at}", "port": 443, "protocol": "TLS", "hostname": hostname, "tls": tls}
        for at, hostname in enumerate(["", *hostnames])
    ]
    spec = {
        "parentRefs": [{"name": "g0"}],
        "hostnames": hostnames,
        "rules": [{"backendRefs": [{"name": "s0", "port": 80}]}],
    }
    route = gateway_api("TLSRoute", "r", "one", spec, generation=1)
    door = gateway_api("Gateway", "g0", "one", {"gatewayClassName": golden.CLASS, "listeners": doors}, generation=1)
    made = envoy_law.load([door, route])  # fails when Envoy refuses anything
    (entry,) = made.outputs.route_statuses.get(route.ref) or ()
    assert all(each.status == "True" or "spec." in each.message for each in entry.conditions)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(worlds.gateways | worlds.routes, st.sampled_from([True, True, False])), max_size=12))
def test_after_any_edits_the_streams_are_those_from_scratch(edits: list[tuple[Object, bool]]) -> None:
    remembered = _empty()
    left: dict[Ref, Object] = {}
    for value, there in edits:
        left.pop(value.ref, None)
        source = golden.source_of(remembered.world, value)
        if there:
            left[value.ref] = value
            source.set(value.key, value)
        else:
            source.delete(value.key)
        remembered.run()
    fresh = _empty()
    for value in left.values():
        fresh.put(value)
    assert _everything(remembered) == _everything(fresh.run())


def _empty() -> golden.Running:
    made = golden.empty()
    made.put(golden.gateway_class())
    made.world.bindings.set(GATEWAY, Binding("service", "192.0.2.1", PORT_OFFSET))
    for value in worlds.furniture():
        made.put(value)
    return made.run()


def _everything(made: golden.Running) -> dict[str, object]:
    outputs = made.outputs
    return {
        "resources": dict(outputs.resources.items()),
        "routes": dict(outputs.route_statuses.items()),
        "gateways": dict(outputs.gateway_statuses.items()),
        "streams": dict(outputs.routing.streams.items()),
        "pools": dict(outputs.routing.weighted_backends.items()),
    }
