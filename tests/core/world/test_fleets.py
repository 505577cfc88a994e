"""How the Envoys of a Gateway bind."""

from __future__ import annotations

from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus
from headgate.world.fleets import binding_from, current_binding

THERE, MOVED = EnvoyFleetStatus(addresses=("127.0.9.1",)), EnvoyFleetStatus(addresses=("127.0.9.2",))


def test_envoys_that_bind_their_services_address_follow_it() -> None:
    bound = Binding("service", "127.0.9.1", 10_000)
    assert current_binding(bound, THERE) == bound
    assert current_binding(bound, MOVED) == Binding("service", "127.0.9.2", 10_000)


def test_without_an_address_of_the_service_a_binding_stays() -> None:
    bound = Binding("service", "127.0.9.1", 10_000)
    assert current_binding(bound, EnvoyFleetStatus()) == current_binding(bound, None) == bound


def test_envoys_with_a_network_of_their_own_bind_every_address() -> None:
    assert current_binding(Binding("pod"), MOVED) == Binding("pod")


def test_an_envoy_that_reports_nothing_is_a_pod() -> None:
    assert binding_from({}) == Binding("pod")


def test_an_envoy_reports_the_address_of_its_service_and_the_offset_of_low_ports() -> None:
    metadata = {"bind": "service", "service_address": "127.0.9.1", "port_offset": 10_000.0}
    assert binding_from(metadata) == Binding("service", "127.0.9.1", 10_000)
