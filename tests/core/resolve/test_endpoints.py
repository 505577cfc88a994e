"""The endpoints of a backend, from EndpointSlices."""

from __future__ import annotations

from headgate.api.discovery import EndpointPort
from headgate.ir.routing import Endpoint
from headgate.resolve.routing.endpoints import SliceEndpoints, ready_endpoints

HTTP = (EndpointPort(name="http", port=8080),)


def endpoint(number: int, port: int = 8080) -> Endpoint:
    return Endpoint(f"10.0.0.{number}", port)


def slice_(
    *states: tuple[int, bool, bool], ports: tuple[EndpointPort, ...] = HTTP, family: str = "IPv4"
) -> SliceEndpoints:
    return SliceEndpoints(family, ports, tuple((f"10.0.0.{number}", ready, ends) for number, ready, ends in states))


def test_the_ready_endpoints_of_all_slices_are_listed_once_in_order() -> None:
    slices = [slice_((2, True, False), (1, True, False)), slice_((2, True, False), (3, True, False))]
    assert ready_endpoints(slices, ["http"]) == (endpoint(1), endpoint(2), endpoint(3))


def test_an_endpoint_that_is_not_ready_is_left_out() -> None:
    assert ready_endpoints([slice_((1, False, False), (2, True, False))], ["http"]) == (endpoint(2),)


def test_terminating_endpoints_are_used_only_when_none_is_ready() -> None:
    assert ready_endpoints([slice_((1, False, True), (2, True, False))], ["http"]) == (endpoint(2),)
    assert ready_endpoints([slice_((1, False, True), (2, False, False))], ["http"]) == (endpoint(1),)


def test_ports_are_found_by_name() -> None:
    ports = (EndpointPort(name="admin", port=9), EndpointPort(name="http", port=81))
    assert ready_endpoints([slice_((1, True, False), ports=ports)], ["http"]) == (endpoint(1, 81),)


def test_slices_may_map_a_name_to_different_ports() -> None:
    other = (EndpointPort(name="http", port=82),)
    slices = [slice_((1, True, False)), slice_((2, True, False), ports=other)]
    assert ready_endpoints(slices, ["http"]) == (endpoint(1), endpoint(2, 82))


def test_slices_of_other_families_and_protocols_are_left_out() -> None:
    udp = (EndpointPort(name="http", port=8080, protocol="UDP"),)
    slices = [slice_((1, True, False), family="FQDN"), slice_((2, True, False), ports=udp)]
    assert ready_endpoints(slices, ["http"]) == ()


def test_ipv6_endpoints_are_used_where_there_are_no_ipv4_ones() -> None:
    six = SliceEndpoints("IPv6", HTTP, (("fd00::1", True, False), ("fd00::2", False, False)))
    assert ready_endpoints([six], ["http"]) == (Endpoint("fd00::1", 8080),)
    assert ready_endpoints([six, slice_((1, True, False))], ["http"]) == (endpoint(1),)
