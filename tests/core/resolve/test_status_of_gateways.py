"""What Gateways and classes are told, from facts and from what was reported before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from golden import cases as golden
from headgate.api import gateway as api
from headgate.api.meta import Condition, Key, ObjectMeta
from headgate.envoy.names import LISTENER
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus
from headgate.world.facts import ListenerFact
from headgate.world.objects import SETTINGS, Definitions
from laws import routing_worlds as worlds

GATEWAY = Key("shop", "gate")
HTTP = {"name": "http", "port": 80, "protocol": "HTTP"}


def world(*listeners: dict[str, Any], **spec: Any) -> golden.Running:
    """A Gateway of ours, and nothing known of its Envoys."""
    made = golden.empty()
    made.put(golden.gateway_class())
    made.put(
        worlds.gateway_api(
            "Gateway",
            GATEWAY.name,
            GATEWAY.namespace,
            {"gatewayClassName": golden.CLASS, "listeners": list(listeners or [HTTP])} | spec,
            generation=7,
            uid="u",
        )
    )
    return made.run()


def connected(made: golden.Running, binding: Binding | None = None) -> golden.Running:
    """Its Service has an address, and an Envoy has connected."""
    made.world.fleet_statuses.set(GATEWAY, EnvoyFleetStatus("gate-headgate", ("192.0.2.1",)))
    made.world.bindings.set(GATEWAY, binding or Binding("pod"))
    return made.run()


def answered(made: golden.Running, **changes: str) -> golden.Running:
    """Envoy took every listener, or refused it."""
    for (owner, type_url, name), resource in made.outputs.resources.items():
        if type_url == LISTENER:
            fact = ListenerFact(**({"acked": resource.version} | changes))
            if "refused" in changes:
                fact = msgspec.structs.replace(fact, acked="", refused_version=resource.version)
            made.facts.listeners.set((owner, name), fact)
    return made.run()


def status(made: golden.Running) -> api.GatewayStatus:
    found = made.outputs.gateway_statuses.get(GATEWAY)
    assert found is not None
    return found


def condition(made: golden.Running, kind: str, listener: int | None = None) -> Condition:
    conditions = status(made).conditions if listener is None else status(made).listeners[listener].conditions
    (found,) = [each for each in conditions if each.type == kind]
    return found


def said(made: golden.Running, kind: str, listener: int | None = None) -> tuple[str, str]:
    found = condition(made, kind, listener)
    return found.status, found.reason


def test_without_an_address_a_gateway_is_not_programmed() -> None:
    assert said(world(), "Programmed") == ("False", "AddressNotAssigned")


def test_before_an_envoy_answered_a_gateway_is_pending() -> None:
    made = connected(world())
    assert said(made, "Programmed") == ("False", "Pending")
    assert said(made, "Programmed", 0) == ("False", "Pending")


def test_a_gateway_whose_listener_envoy_took_is_programmed_with_its_address() -> None:
    made = answered(connected(world()))
    assert said(made, "Programmed") == said(made, "Programmed", 0) == ("True", "Programmed")
    assert status(made).addresses == (api.GatewayStatusAddress(value="192.0.2.1"),)


def test_every_condition_is_stamped_with_the_generation_it_judges() -> None:
    found = status(answered(connected(world())))
    every = [*found.conditions, *(each for listener in found.listeners for each in listener.conditions)]
    assert {each.observed_generation for each in every} == {7}


def test_a_listener_that_envoy_refused_says_so_with_envoys_words() -> None:
    made = answered(connected(world()), refused="cannot bind: address in use")
    assert said(made, "Programmed", 0) == ("False", "Invalid")
    assert "cannot bind: address in use" in condition(made, "Programmed", 0).message


def test_a_refusal_of_an_older_version_says_nothing_of_the_present_one() -> None:
    made = answered(connected(world()))
    name = "tcp-80"
    acked = made.facts.listeners.get((GATEWAY, name))
    assert acked is not None
    made.facts.listeners.set((GATEWAY, name), ListenerFact(acked.acked, refused="no", refused_version="older"))
    assert said(made.run(), "Programmed", 0) == ("True", "Programmed")


def _reported(made: golden.Running) -> golden.Running:
    """The status of `made` was written, and a new controller starts that knows no facts."""
    after = world()
    before = made.world.gateways.get(GATEWAY)
    assert before is not None
    after.world.gateways.set(GATEWAY, msgspec.structs.replace(before, status=status(made)))
    after.world.fleet_statuses.set(GATEWAY, EnvoyFleetStatus("gate-headgate", ("192.0.2.1",)))
    return after.run()


def test_a_missing_fact_does_not_turn_what_was_reported() -> None:
    made = answered(connected(world()))
    assert status(_reported(made)) == status(made)


def test_a_refusal_turns_what_was_reported() -> None:
    made = _reported(answered(connected(world())))
    assert said(answered(connected(made), refused="no"), "Programmed", 0) == ("False", "Invalid")


def test_a_gateway_of_another_class_has_no_status() -> None:
    made = world(gatewayClassName="somebody-elses")
    assert made.outputs.gateway_statuses.get(GATEWAY) is None
    assert made.outputs.fleet_specs.get(GATEWAY) is None


def test_a_class_of_another_controller_has_no_status() -> None:
    made = world()
    other = api.GatewayClass(
        metadata=ObjectMeta(name="other"), spec=api.GatewayClassSpec(controller_name="example.com/controller")
    )
    made.put(other)
    made.run()
    assert [key.name for key, _ in made.outputs.gateway_class_statuses.items()] == [golden.CLASS]


def test_a_class_is_accepted_and_says_what_it_supports_in_alphabetical_order() -> None:
    found = world().outputs.gateway_class_statuses.get(Key("", golden.CLASS))
    assert found is not None
    assert [(each.type, each.status) for each in found.conditions] == [("Accepted", "True")]
    names = [feature.name for feature in found.supported_features]
    assert names == sorted(names)


def test_a_class_with_parameters_is_not_accepted_and_its_gateways_are_left_alone() -> None:
    made = world()
    ref = api.ParametersReference(group="example.com", kind="Proxy", name="x")
    spec = api.GatewayClassSpec(controller_name="headgate.dev/gateway-controller", parameters_ref=ref)
    made.put(api.GatewayClass(metadata=ObjectMeta(name=golden.CLASS), spec=spec))
    made.run()
    found = made.outputs.gateway_class_statuses.get(Key("", golden.CLASS))
    assert found is not None
    assert found.conditions[0].reason == "InvalidParameters"
    assert made.outputs.gateway_statuses.get(GATEWAY) is None


def class_conditions(releases: dict[str, str] | None) -> dict[str, tuple[str, str]]:
    made = world()
    if releases is not None:
        made.world.definitions.set(SETTINGS, Definitions(dict.fromkeys(releases, frozenset()), releases))
        made.run()
    found = made.outputs.gateway_class_statuses.get(Key("", golden.CLASS))
    assert found is not None
    return {each.type: (each.status, each.message) for each in found.conditions}


def test_a_class_says_that_definitions_of_known_releases_are_supported() -> None:
    found = class_conditions({"Gateway": "v1.3.0", "HTTPRoute": "v1.7.0-rc.1"})
    assert (found["Accepted"][0], found["SupportedVersion"][0]) == ("True", "True")


@pytest.mark.parametrize("release", ["v1.8.0", "v1.2.1", "v0.0.0-dev", ""])
def test_a_class_is_accepted_and_names_the_definitions_of_unknown_releases(release: str) -> None:
    found = class_conditions({"Gateway": "v1.7.0", "HTTPRoute": release})
    assert (found["Accepted"][0], found["SupportedVersion"][0]) == ("True", "False")
    assert f"(HTTPRoute: {release or 'unknown'}); supported: v1.3 to v1.7" in found["SupportedVersion"][1]


def test_while_nothing_is_known_of_definitions_nothing_is_said_of_them() -> None:
    assert class_conditions(None).keys() == {"Accepted"}


def test_parameters_of_a_gateway_are_refused_with_the_remedy() -> None:
    ref = {"group": "example.com", "kind": "Proxy", "name": "x"}
    made = connected(world(infrastructure={"parametersRef": ref}))
    assert said(made, "Accepted") == ("False", "InvalidParameters")
    assert "remove parametersRef" in condition(made, "Accepted").message
    assert said(made, "Programmed") == ("False", "Invalid")


def test_an_address_of_an_unknown_type_is_refused() -> None:
    made = connected(world(addresses=[{"type": "test/fake", "value": "x"}]))
    assert said(made, "Accepted") == ("False", "UnsupportedAddress")


def test_an_address_that_was_not_assigned_is_not_usable() -> None:
    made = answered(connected(world(addresses=[{"type": "IPAddress"}, {"type": "IPAddress", "value": "192.0.2.99"}])))
    assert said(made, "Accepted") == ("True", "Accepted")
    assert said(made, "Programmed") == ("False", "AddressNotUsable")
    assert "spec.addresses[1].value 192.0.2.99 was not assigned" in condition(made, "Programmed").message
    assert status(made).addresses == ()


def test_an_address_that_was_asked_for_is_not_usable_while_the_service_has_none() -> None:
    made = world(addresses=[{"type": "IPAddress", "value": "192.0.2.99"}])
    assert said(made, "Programmed") == ("False", "AddressNotUsable")


def test_of_two_addresses_only_the_one_that_is_usable_is_shown_and_the_remedy_is_told() -> None:
    both = [{"type": "IPAddress", "value": value} for value in ("192.0.2.1", "192.0.2.99")]
    made = answered(connected(world(addresses=both)))
    assert said(made, "Programmed") == ("False", "AddressNotUsable")
    assert "a Gateway has one address: request one" in condition(made, "Programmed").message
    assert status(made).addresses == (api.GatewayStatusAddress(value="192.0.2.1"),)


def test_an_empty_address_takes_any() -> None:
    made = answered(connected(world(addresses=[{"type": "IPAddress"}])))
    assert said(made, "Programmed") == ("True", "Programmed")


def test_a_gateway_whose_references_are_all_missing_is_programmed_when_an_envoy_is_there() -> None:
    https = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "missing"}]}}
    made = connected(world(https))
    assert said(made, "Accepted") == ("True", "Accepted")
    assert said(made, "Programmed") == ("True", "Programmed")
    assert said(made, "Programmed", 0) == ("False", "Invalid")
    assert said(made, "ResolvedRefs", 0) == ("False", "InvalidCertificateRef")


def test_without_one_valid_listener_a_gateway_is_not_accepted() -> None:
    made = connected(world({"name": "odd", "port": 1111, "protocol": "INVALID"}))
    assert said(made, "Accepted") == ("False", "ListenersNotValid")
    assert status(made).listeners[0].supported_kinds == ()


def test_ports_that_had_to_be_moved_are_named() -> None:
    made = answered(connected(world(), Binding("service", "127.0.0.1", 10_000)))
    assert "port 80 is served on 10080" in condition(made, "Programmed").message


@pytest.mark.parametrize(("real", "listener"), [(10_080, 80), (10_443, 443)])
def test_a_port_that_another_was_moved_to_is_unavailable(real: int, listener: int) -> None:
    low, high = {**HTTP, "port": listener}, {"name": "high", "port": real, "protocol": "HTTP"}
    made = connected(world(low, high), Binding("service", "127.0.0.1", 10_000))
    assert said(made, "Accepted", 0) == ("True", "Accepted")
    assert said(made, "Accepted", 1) == ("False", "PortUnavailable")
    assert said(connected(world(low, high)), "Accepted", 1) == ("True", "Accepted")


def test_the_needs_of_a_gateway_are_its_accepted_ports_and_its_infrastructure() -> None:
    https = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "missing"}]}}
    odd = {"name": "odd", "port": 9, "protocol": "INVALID"}
    needs = world(HTTP, https, odd, infrastructure={"labels": {"a": "b"}}).outputs.fleet_specs.get(GATEWAY)
    assert needs is not None
    assert (needs.uid, needs.class_name, needs.labels) == ("u", golden.CLASS, {"a": "b"})
    assert needs.ports == (("TCP", 80), ("TCP", 443))


def test_without_a_binding_there_is_no_listener_to_send() -> None:
    made = world()
    assert not [key for key, _ in made.outputs.resources.items() if key[1] == LISTENER]
    assert [key for key, _ in connected(made).outputs.resources.items() if key[1] == LISTENER]


def test_before_the_service_has_an_address_nothing_is_bound_on_a_shared_network() -> None:
    made = connected(world(), Binding("service", ""))
    assert not [key for key, _ in made.outputs.resources.items() if key[1] == LISTENER]
