"""Ports to Envoy listeners."""

from __future__ import annotations

from typing import Any

from headgate.api.meta import Key
from headgate.envoy import protos
from headgate.ir.routing import FAMILIES, Binding, Certificate, Listener, ListenerProtocol, Port
from headgate.translate.listeners import render

GATEWAY = Key("shop", "gate")
CERTIFICATE = Certificate(Key("shop", "tls"), "d")


def rendered(binding: Binding, *listeners: Listener, number: int = 80, protocol: ListenerProtocol = "HTTP") -> Any:
    found = listeners or (Listener("http", number, protocol),)
    return protos.Listener.FromString(render(Port(GATEWAY, number, FAMILIES[protocol], found), binding).body)


def address(message: Any) -> tuple[str, int]:
    where = message.address.socket_address
    return where.address, where.port_value


def test_a_pod_binds_the_wildcard_address() -> None:
    assert address(rendered(Binding("pod"))) == ("0.0.0.0", 80)


def test_on_a_shared_network_exactly_the_address_of_the_service_is_bound() -> None:
    assert address(rendered(Binding("service", "127.9.0.1"))) == ("127.9.0.1", 80)


def test_only_low_ports_are_moved() -> None:
    binding = Binding("service", "127.9.0.1", 10_000)
    assert address(rendered(binding)) == ("127.9.0.1", 10_080)
    assert address(rendered(binding, number=8080)) == ("127.9.0.1", 8080)


def test_plain_listeners_of_a_port_share_one_chain() -> None:
    message = rendered(Binding("pod"), Listener("a", 80, "HTTP", "a.b"), Listener("b", 80, "HTTP"))
    assert [chain.name for chain in message.filter_chains] == ["http-80"]


def test_https_listeners_have_a_chain_each_by_server_name() -> None:
    message = rendered(
        Binding("pod"),
        Listener("a", 443, "HTTPS", "a.b", (CERTIFICATE,)),
        Listener("any", 443, "HTTPS", "", (CERTIFICATE,)),
        number=443,
        protocol="HTTPS",
    )
    names = {chain.name: list(chain.filter_chain_match.server_names) for chain in message.filter_chains}
    assert names == {"a": ["a.b"], "any": []}


def test_the_headers_of_a_request_have_a_time_limit_and_the_whole_request_has_none() -> None:
    message = rendered(Binding("pod"), Listener("a", 443, "HTTPS", "", (CERTIFICATE,)), number=443, protocol="HTTPS")
    for chain in (*message.filter_chains, *rendered(Binding("pod")).filter_chains):
        manager = protos.HttpConnectionManager.FromString(chain.filters[0].typed_config.value)
        assert manager.request_headers_timeout.seconds == 10
        assert not manager.HasField("request_timeout")


def test_no_bytes_of_a_certificate_are_in_a_listener() -> None:
    message = rendered(Binding("pod"), Listener("a", 443, "HTTPS", "", (CERTIFICATE,)), number=443, protocol="HTTPS")
    assert "shop/tls" in str(message)
    assert "inline" not in str(message)
