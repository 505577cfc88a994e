"""The routability of addresses of Gateways, and its status."""

from __future__ import annotations

import pytest

from golden import cases as golden
from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.envoy.names import LISTENER
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus
from headgate.world.facts import ListenerFact
from headgate.world.objects import SETTINGS, Definitions
from laws import routing_worlds as worlds

GATEWAY = Key("shop", "gate")
OUTSIDE, INSIDE = "192.0.2.1", "10.96.0.7"
HAD = EnvoyFleetStatus("gate-headgate", (OUTSIDE,), cluster_ip=INSIDE)
SENTINEL = {"routability": "testing.x-k8s.io/sentinel"}
CLUSTER = {"routability": "Cluster"}


def world(*addresses: dict[str, str], binding: Binding | None = None, fleet: EnvoyFleetStatus = HAD) -> golden.Running:
    """A Gateway that asks for addresses; its Envoy took everything."""
    made = golden.empty()
    made.put(golden.gateway_class())
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    spec = {"gatewayClassName": golden.CLASS, "listeners": listeners, "addresses": list(addresses)}
    made.put(worlds.gateway_api("Gateway", GATEWAY.name, GATEWAY.namespace, spec, generation=7, uid="u"))
    made.world.fleet_statuses.set(GATEWAY, fleet)
    made.world.bindings.set(GATEWAY, binding or Binding("pod"))
    made.run()
    for (owner, type_url, name), resource in made.outputs.resources.items():
        if type_url == LISTENER:
            made.facts.listeners.set((owner, name), ListenerFact(acked=resource.version))
    return made.run()


def status(made: golden.Running) -> api.GatewayStatus:
    found = made.outputs.gateway_statuses.get(GATEWAY)
    assert found is not None
    return found


def addresses(made: golden.Running) -> list[tuple[str, str | None]]:
    return [(each.value, each.routability) for each in status(made).addresses]


def conditions(made: golden.Running) -> dict[str, tuple[str, str]]:
    """Status and reason by condition, of those about addresses."""
    named = ("AddressesAssigned", "Programmed")
    return {each.type: (each.status, each.reason) for each in status(made).conditions if each.type in named}


SERVED = ("True", "Programmed")
ALL, PART, NONE = ("True", "AddressesAssigned"), ("False", "PartiallyAssigned"), ("False", "NotAssigned")


@pytest.mark.parametrize(
    ("requested", "expected", "assigned"),
    [
        ([CLUSTER], [(INSIDE, "Cluster")], ALL),
        ([CLUSTER | {"value": INSIDE}], [(INSIDE, "Cluster")], ALL),
        ([CLUSTER, {}], [(INSIDE, "Cluster"), (OUTSIDE, "")], ALL),
        ([SENTINEL], [(OUTSIDE, "testing.x-k8s.io/sentinel")], ALL),
        ([CLUSTER | {"value": "10.96.0.8"}, SENTINEL], [(OUTSIDE, "testing.x-k8s.io/sentinel")], PART),
        ([CLUSTER, {"routability": "example.com/moon"}], [(INSIDE, "Cluster")], PART),
    ],
)
def test_assigned_addresses_are_reported_with_their_routability(
    requested: list[dict[str, str]], expected: list[tuple[str, str]], assigned: tuple[str, str]
) -> None:
    made = world(*requested)
    assert addresses(made) == expected
    assert conditions(made) == {"AddressesAssigned": assigned, "Programmed": SERVED}


@pytest.mark.parametrize("requested", [{"routability": "example.com/moon"}, CLUSTER | {"value": "10.96.0.8"}])
def test_without_any_requested_address_a_gateway_is_not_programmed(requested: dict[str, str]) -> None:
    made = world(requested)
    assert addresses(made) == []
    assert conditions(made) == {"AddressesAssigned": NONE, "Programmed": ("False", "AddressNotAssigned")}


def test_where_cluster_ips_do_not_reach_envoys_none_is_assigned() -> None:
    made = world(CLUSTER, binding=Binding("service", OUTSIDE))
    assert conditions(made)["AddressesAssigned"] == NONE


def test_before_an_envoy_has_connected_there_is_no_condition() -> None:
    made = world(CLUSTER)
    made.world.bindings.delete(GATEWAY)
    assert "AddressesAssigned" not in conditions(made.run())


def test_addresses_that_were_not_assigned_are_named() -> None:
    made = world({}, CLUSTER | {"value": "10.96.0.8"})
    (found,) = [each for each in status(made).conditions if each.type == "AddressesAssigned"]
    assert "spec.addresses[1] (value 10.96.0.8, routability Cluster)" in found.message


def test_without_routability_there_is_no_condition() -> None:
    made = world({})
    assert addresses(made) == [(OUTSIDE, None)]
    assert conditions(made) == {"Programmed": SERVED}


def test_with_a_crd_that_has_the_field_every_address_has_it() -> None:
    made = world({})
    made.world.definitions.set(SETTINGS, Definitions({"Gateway": frozenset({"status.addresses.routability"})}))
    assert addresses(made.run()) == [(OUTSIDE, "")]


def test_only_a_gateway_with_cluster_addresses_alone_has_no_load_balancer() -> None:
    found = [
        world(*requested).outputs.fleet_specs.get(GATEWAY) for requested in ([CLUSTER], [CLUSTER, {}], [SENTINEL], [])
    ]
    assert [each.internal for each in found if each is not None] == [True, False, False, False]
