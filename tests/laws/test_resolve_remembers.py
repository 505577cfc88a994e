"""Laws of the program from world to outputs: no history, no order, no price of size."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import cases as golden
from headgate.api import codec
from headgate.api.meta import Key, Object, Ref
from headgate.world import EnvoyFleetStatus, Settings
from laws import routing_worlds as worlds

Edit = tuple[Object, bool]

EDITS = st.lists(st.tuples(worlds.objects, st.sampled_from([True, True, True, False])), min_size=1, max_size=25)


def _apply(made: golden.Running, edit: Edit) -> None:
    value, there = edit
    source = golden.source_of(made.world, value)
    if there:
        source.set(value.key, value)
    else:
        source.delete(value.key)


def _fresh() -> golden.Running:
    made = golden.empty()
    made.put(golden.gateway_class())
    for name in worlds.GATEWAYS:
        worlds.bind(made, name)
    return made


def _furnished() -> golden.Running:
    made = _fresh()
    for value in worlds.furniture():
        made.put(value)
    return made.run()


def _from_scratch(edits: list[Edit], order: random.Random | None = None) -> golden.Running:
    """The world that is left after the edits, in one run."""
    left = {(value.kind, value.key): value for value in worlds.furniture()}
    for value, there in edits:
        left.pop((value.kind, value.key), None)
        if there:
            left[value.kind, value.key] = value
    values = list(left.values())
    if order is not None:
        order.shuffle(values)
    made = _fresh()
    for value in values:
        made.put(value)
    return made.run()


@given(EDITS, st.integers(1, 4))
def test_after_any_edits_the_outputs_are_those_from_scratch(edits: list[Edit], every: int) -> None:
    remembered = _furnished()
    for at, edit in enumerate(edits):
        _apply(remembered, edit)
        if at % every == 0:
            remembered.run()
    assert worlds.everything(remembered.run()) == worlds.everything(_from_scratch(edits))


@given(EDITS, st.randoms(use_true_random=False))
def test_the_order_in_which_objects_arrive_plays_no_part(edits: list[Edit], order: random.Random) -> None:
    assert worlds.everything(_from_scratch(edits)) == worlds.everything(_from_scratch(edits, order))


@given(EDITS)
def test_every_weights_key_that_a_host_uses_has_weights(edits: list[Edit]) -> None:
    outputs = _from_scratch(edits).outputs
    for (gateway, _, _), host in outputs.hosts.items():
        for route in host.routes:
            if route.weights_key:
                weights = outputs.weights.get((gateway, route.weights_key))
                assert weights is not None
                assert sum(weight for _, weight in weights.clusters) > 0


@given(EDITS)
def test_every_cluster_that_a_host_uses_is_there_with_its_endpoints(edits: list[Edit]) -> None:
    outputs = _from_scratch(edits).outputs
    there = {(key[0], key[1].rpartition(".")[2], key[2]) for key, _ in outputs.resources.items()}
    for (gateway, configuration, _), host in outputs.hosts.items():
        assert outputs.configurations.get((gateway, configuration)) is not None
        for route in host.routes:
            for cluster in route.clusters:
                if cluster != "headgate_invalid_backend":
                    assert (gateway, "Cluster", cluster) in there
                    assert (gateway, "ClusterLoadAssignment", cluster) in there


@given(EDITS)
def test_no_two_virtual_hosts_of_a_configuration_have_one_domain(edits: list[Edit]) -> None:
    outputs = _from_scratch(edits).outputs
    domains = [(key[0], key[1], key[3]) for key, _ in outputs.routing.hosts.items()]
    assert len(domains) == len(set(domains))


# The price of a change.


def _route(number: int, *, weights: tuple[int, int] = (90, 10), generation: int = 1) -> Object:
    refs = [{"name": name, "port": 80, "weight": weight} for name, weight in zip("ab", weights, strict=True)]
    spec = {
        "parentRefs": [{"name": "g0"}],
        "hostnames": [f"host-{number}.example.com"],
        "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": refs}],
    }
    return worlds.gateway_api("HTTPRoute", f"r{number}", "one", spec, uid=f"uid-{number}", generation=generation)


def _many(count: int) -> golden.Running:
    made = golden.empty(Settings())
    made.put(golden.gateway_class())
    worlds.bind(made, "g0")
    spec = {"gatewayClassName": golden.CLASS, "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}
    made.put(worlds.gateway_api("Gateway", "g0", "one", spec, generation=1))
    for name in "ab":
        made.put(worlds.core("Service", name, "one", spec={"ports": [{"port": 80}]}))
    for number in range(count):
        made.put(_route(number))
    return made.run()


def _runs(count: int, edit: Any) -> dict[str, int]:
    """How often which function runs for one edit among so many routes."""
    made = _many(count)
    made.engine.runs.clear()
    edit(made)
    made.run()
    return dict(made.engine.runs)


EDITS_OF_ONE = {
    "a weight": lambda made: made.put(_route(3, weights=(50, 50), generation=2)),
    "a new route": lambda made: made.put(_route(1_000_000)),
    "a route that goes": lambda made: made.world.http_routes.delete(Key("one", "r3")),
    "a generation": lambda made: made.put(_route(3, generation=2)),
    "an address": lambda made: made.world.fleet_statuses.set(Key("one", "g0"), EnvoyFleetStatus("g0", ("192.0.2.9",))),
    "a refusal": lambda made: made.facts.refused_routes.set((Key("one", "g0"), Ref("HTTPRoute", "one", "r3")), "no"),
    "an endpoint": lambda made: made.put(
        worlds.core(
            "EndpointSlice",
            "a-1",
            "one",
            "discovery.k8s.io/v1",
            labels={"kubernetes.io/service-name": "a"},
            addressType="IPv4",
            ports=[{"name": "", "port": 8080}],
            endpoints=[{"addresses": ["198.51.100.1"]}],
        )
    ),
}


@pytest.mark.parametrize("edit", EDITS_OF_ONE, ids=lambda name: str(name).replace(" ", "-"))
def test_a_change_runs_as_many_functions_among_1000_routes_as_among_10(edit: str) -> None:
    assert _runs(10, EDITS_OF_ONE[edit]) == _runs(1_000, EDITS_OF_ONE[edit])


def test_a_change_of_a_weight_runs_as_many_functions_among_10000_routes_as_among_10() -> None:
    assert _runs(10, EDITS_OF_ONE["a weight"]) == _runs(10_000, EDITS_OF_ONE["a weight"])


def test_a_change_of_a_weight_changes_one_value_of_weights_and_one_status() -> None:
    made = _many(20)
    collections = {
        name: made.engine.collect(getattr(made.outputs, name))
        for name in (
            "resources",
            "configurations",
            "hosts",
            "weights",
            "gateway_statuses",
            "route_statuses",
            "fleet_specs",
            "problems",
        )
    }
    for collector in collections.values():
        collector.take()
    made.put(_route(3, weights=(50, 50), generation=2))
    made.run()
    changed = {name: list(collector.take().set) for name, collector in collections.items()}
    (key,) = changed.pop("weights")
    assert changed.pop("route_statuses") == [Ref("HTTPRoute", "one", "r3")]
    assert not any(changed.values())
    assert made.outputs.weights.get(key).clusters == (("one/a/80", 50), ("one/b/80", 50))  # type: ignore[union-attr]


def test_a_status_that_was_written_runs_one_function() -> None:
    made = _many(20)
    made.engine.runs.clear()
    written = worlds.gateway_api(
        "HTTPRoute", "r3", "one", _plain(_route(3))["spec"], uid="uid-3", generation=1, resourceVersion="77"
    )
    made.put(written)
    made.run()
    assert dict(made.engine.runs) == {"snapshots of HTTPRoute": 1}


def _plain(value: Object) -> dict[str, Any]:
    return codec.builtins(value)
