"""Connections stay when anything but their own route changes: on a real Envoy."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from golden import cases as golden
from golden import streaming
from golden.harness import real_port
from headgate.api.meta import Key
from support.waiting import until

CASE = golden.FOLDER / "stream" / "tls-passthrough.in.yaml"
GATEWAY = Key("tls", "edge")


@pytest.fixture
def envoy_harness(tmp_path: Path) -> Iterator[streaming.StreamHarness]:
    with streaming.StreamHarness(tmp_path) as found:
        yield found


@contextlib.contextmanager
def connected(address: str, name: str) -> Iterator[ssl.SSLSocket]:
    """A TLS connection that stays open."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, real_port(443)), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname=name) as client,
    ):
        yield client


def answers(client: ssl.SSLSocket) -> bool:
    """Whether the other end still answers."""
    try:
        client.sendall(streaming.HELLO)
        return client.recv(1024).endswith(b"\n")
    except OSError:
        return False


def test_connections_and_datagrams_are_counted_by_port(envoy_harness: streaming.StreamHarness) -> None:
    case = golden.read(golden.FOLDER / "stream" / "udp.in.yaml", envoy_harness.addresses())
    envoy_harness.serve(case.backends)
    envoy_harness.load(golden.running(case).outputs, Key("dns", "names"))
    by_name = {str(each): each for each in case.expectations}
    for name in ("UDP :53", "TCP :53"):
        streaming.answers(case, by_name[name], 3)
    number = real_port(53)
    until(lambda: envoy_harness.envoy.counter(f"tcp.tcp-{number}.downstream_cx_total") >= 3)
    until(lambda: envoy_harness.envoy.counter(f"udp.udp-{number}.downstream_sess_total") == 3)


def test_weights_backends_and_other_routes_change_and_a_connection_stays(
    envoy_harness: streaming.StreamHarness,
) -> None:
    case = golden.read(CASE, envoy_harness.addresses())
    made = golden.running(case)
    envoy_harness.serve(case.backends)
    envoy_harness.load(made.outputs, GATEWAY)
    address = case.address_of(GATEWAY)
    shared, gone = Key("tls", "one-again"), Key("tls", "any")
    with connected(address, "two.example.com") as kept, connected(address, "x.example.com") as ended:
        assert answers(kept)
        assert answers(ended)
        route = made.world.tls_routes.get(shared)
        assert route is not None
        (rule,) = route.spec.rules
        other = [msgspec.structs.replace(each, weight=7) for each in (*rule.backend_refs, rule.backend_refs[0])]
        rules = (msgspec.structs.replace(rule, backend_refs=tuple(other)),)
        made.put(msgspec.structs.replace(route, spec=msgspec.structs.replace(route.spec, rules=rules)))
        made.world.tls_routes.delete(gone)
        envoy_harness.load(made.run().outputs, GATEWAY)
        # The listener has changed: what was drained is closed after a while, and what was not would be by then.
        until(lambda: not answers(ended), what="the connection of the route that is gone to be closed")
        assert answers(kept)
