"""Statuses of Gateways and GatewayClasses, from facts and from what was reported before."""

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


def status_and_reason(made: golden.Running, kind: str, listener: int | None = None) -> tuple[str, str]:
    found = condition(made, kind, listener)
    return found.status, found.reason


def test_without_an_address_a_gateway_is_not_programmed() -> None:
    assert status_and_reason(world(), "Programmed") == ("False", "AddressNotAssigned")


def test_before_an_envoy_has_answered_a_gateway_is_pending() -> None:
    made = connected(world())
    assert status_and_reason(made, "Programmed") == ("False", "Pending")
    assert status_and_reason(made, "Programmed", 0) == ("False", "Pending")


def test_a_gateway_whose_listener_an_envoy_accepted_is_programmed_with_its_address() -> None:
    made = answered(connected(world()))
    assert status_and_reason(made, "Programmed") == status_and_reason(made, "Programmed", 0) == ("True", "Programmed")
    assert status(made).addresses == (api.GatewayStatusAddress(value="192.0.2.1"),)


def test_every_condition_has_the_observed_generation() -> None:
    found = status(answered(connected(world())))
    every = [*found.conditions, *(each for listener in found.listeners for each in listener.conditions)]
    assert {each.observed_generation for each in every} == {7}


def test_a_listener_that_envoy_rejected_reports_the_error_of_envoy() -> None:
    made = answered(connected(world()), refused="cannot bind: address in use")
    assert status_and_reason(made, "Programmed", 0) == ("False", "Invalid")
    assert "cannot bind: address in use" in condition(made, "Programmed", 0).message


def test_a_rejection_of_an_older_version_does_not_affect_the_current_one() -> None:
    made = answered(connected(world()))
    name = "tcp-80"
    acked = made.facts.listeners.get((GATEWAY, name))
    assert acked is not None
    made.facts.listeners.set((GATEWAY, name), ListenerFact(acked.acked, refused="no", refused_version="older"))
    assert status_and_reason(made.run(), "Programmed", 0) == ("True", "Programmed")


def _reported(made: golden.Running) -> golden.Running:
    """The status of `made` was written, and a new controller starts that knows no facts."""
    after = world()
    before = made.world.gateways.get(GATEWAY)
    assert before is not None
    after.world.gateways.set(GATEWAY, msgspec.structs.replace(before, status=status(made)))
    after.world.fleet_statuses.set(GATEWAY, EnvoyFleetStatus("gate-headgate", ("192.0.2.1",)))
    return after.run()


def test_a_missing_fact_does_not_change_a_reported_condition() -> None:
    made = answered(connected(world()))
    assert status(_reported(made)) == status(made)


def test_a_rejection_changes_a_reported_condition() -> None:
    made = _reported(answered(connected(world())))
    assert status_and_reason(answered(connected(made), refused="no"), "Programmed", 0) == ("False", "Invalid")


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


def test_a_class_is_accepted_and_lists_its_features_in_alphabetical_order() -> None:
    found = world().outputs.gateway_class_statuses.get(Key("", golden.CLASS))
    assert found is not None
    assert [(each.type, each.status) for each in found.conditions] == [("Accepted", "True")]
    names = [feature.name for feature in found.supported_features]
    assert names == sorted(names)


def test_a_class_with_parameters_is_not_accepted_and_its_gateways_have_no_status() -> None:
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


def test_a_class_reports_that_crds_of_known_releases_are_supported() -> None:
    found = class_conditions({"Gateway": "v1.3.0", "HTTPRoute": "v1.7.0-rc.1"})
    assert (found["Accepted"][0], found["SupportedVersion"][0]) == ("True", "True")


@pytest.mark.parametrize("release", ["v1.8.0", "v1.2.1", "v0.0.0-dev", ""])
def test_a_class_is_accepted_and_names_the_crds_of_unknown_releases(release: str) -> None:
    found = class_conditions({"Gateway": "v1.7.0", "HTTPRoute": release})
    assert (found["Accepted"][0], found["SupportedVersion"][0]) == ("True", "False")
    assert f"(HTTPRoute: {release or 'unknown'}); supported: v1.3 to v1.7" in found["SupportedVersion"][1]


def test_without_known_crds_there_is_no_condition_about_them() -> None:
    assert class_conditions(None).keys() == {"Accepted"}


def test_parameters_of_a_gateway_are_invalid_with_a_remedy() -> None:
    ref = {"group": "example.com", "kind": "Proxy", "name": "x"}
    made = connected(world(infrastructure={"parametersRef": ref}))
    assert status_and_reason(made, "Accepted") == ("False", "InvalidParameters")
    assert "remove parametersRef" in condition(made, "Accepted").message
    assert status_and_reason(made, "Programmed") == ("False", "Invalid")


def test_an_address_of_an_unknown_type_is_not_supported() -> None:
    made = connected(world(addresses=[{"type": "test/fake", "value": "x"}]))
    assert status_and_reason(made, "Accepted") == ("False", "UnsupportedAddress")


def test_an_address_that_was_not_assigned_is_not_usable() -> None:
    made = answered(connected(world(addresses=[{"type": "IPAddress"}, {"type": "IPAddress", "value": "192.0.2.99"}])))
    assert status_and_reason(made, "Accepted") == ("True", "Accepted")
    assert status_and_reason(made, "Programmed") == ("False", "AddressNotUsable")
    assert "spec.addresses[1].value 192.0.2.99 was not assigned" in condition(made, "Programmed").message
    assert status(made).addresses == ()


def test_a_requested_address_is_not_usable_while_the_service_has_none() -> None:
    made = world(addresses=[{"type": "IPAddress", "value": "192.0.2.99"}])
    assert status_and_reason(made, "Programmed") == ("False", "AddressNotUsable")


def test_of_two_addresses_only_the_usable_one_is_reported_with_a_remedy_for_the_other() -> None:
    both = [{"type": "IPAddress", "value": value} for value in ("192.0.2.1", "192.0.2.99")]
    made = answered(connected(world(addresses=both)))
    assert status_and_reason(made, "Programmed") == ("False", "AddressNotUsable")
    assert "a Gateway has one address: request one" in condition(made, "Programmed").message
    assert status(made).addresses == (api.GatewayStatusAddress(value="192.0.2.1"),)


def test_an_empty_address_may_be_any() -> None:
    made = answered(connected(world(addresses=[{"type": "IPAddress"}])))
    assert status_and_reason(made, "Programmed") == ("True", "Programmed")


def test_a_gateway_without_any_resolved_reference_is_programmed_once_an_envoy_has_connected() -> None:
    https = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "missing"}]}}
    made = connected(world(https))
    assert status_and_reason(made, "Accepted") == ("True", "Accepted")
    assert status_and_reason(made, "Programmed") == ("True", "Programmed")
    assert status_and_reason(made, "Programmed", 0) == ("False", "Invalid")
    assert status_and_reason(made, "ResolvedRefs", 0) == ("False", "InvalidCertificateRef")


def test_a_gateway_without_a_valid_listener_is_not_accepted() -> None:
    made = connected(world({"name": "odd", "port": 1111, "protocol": "INVALID"}))
    assert status_and_reason(made, "Accepted") == ("False", "ListenersNotValid")
    assert status(made).listeners[0].supported_kinds == ()


def test_moved_ports_are_named() -> None:
    made = answered(connected(world(), Binding("service", "127.0.0.1", 10_000)))
    assert "port 80 is served on 10080" in condition(made, "Programmed").message


@pytest.mark.parametrize(("real", "listener"), [(10_080, 80), (10_443, 443)])
def test_a_port_that_another_listener_was_moved_to_is_unavailable(real: int, listener: int) -> None:
    low, high = {**HTTP, "port": listener}, {"name": "high", "port": real, "protocol": "HTTP"}
    made = connected(world(low, high), Binding("service", "127.0.0.1", 10_000))
    assert status_and_reason(made, "Accepted", 0) == ("True", "Accepted")
    assert status_and_reason(made, "Accepted", 1) == ("False", "PortUnavailable")
    assert status_and_reason(connected(world(low, high)), "Accepted", 1) == ("True", "Accepted")


def test_a_fleet_has_the_accepted_ports_and_the_infrastructure_of_its_gateway() -> None:
    https = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "missing"}]}}
    odd = {"name": "odd", "port": 9, "protocol": "INVALID"}
    needs = world(HTTP, https, odd, infrastructure={"labels": {"a": "b"}}).outputs.fleet_specs.get(GATEWAY)
    assert needs is not None
    assert (needs.uid, needs.class_name, needs.labels) == ("u", golden.CLASS, {"a": "b"})
    assert needs.ports == (("TCP", 80), ("TCP", 443))


def test_without_a_binding_no_listener_is_sent() -> None:
    made = world()
    assert not [key for key, _ in made.outputs.resources.items() if key[1] == LISTENER]
    assert [key for key, _ in connected(made).outputs.resources.items() if key[1] == LISTENER]


def test_before_the_service_has_an_address_no_port_is_bound_on_a_shared_network() -> None:
    made = connected(world(), Binding("service", ""))
    assert not [key for key, _ in made.outputs.resources.items() if key[1] == LISTENER]
