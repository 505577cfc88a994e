"""What clients and backends speak through a real Envoy: HTTP/2 without TLS on both sides, WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key
from support import h2c

GATEWAY = Key("shop", "shared")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[golden.Case, str, int]]:
    """The case `protocols` in Envoy, and where its Gateway listens."""
    with harness.EnvoyHarness(tmp_path_factory.mktemp("protocols")) as envoy_harness:
        case = golden.read(golden.FOLDER / "serve" / "protocols.in.yaml", envoy_harness.addresses())
        envoy_harness.serve(case.backends)
        envoy_harness.load(golden.running(case).outputs, GATEWAY)
        yield case, case.address_of(GATEWAY), harness.real_port(80)


def served_by(case: golden.Case, service: str) -> str:
    (found,) = [each.address for each in case.backends if each.service == service]
    return found


@pytest.mark.parametrize(("path", "spoken"), [("/h2c", True), ("/web", False)])
def test_a_client_with_prior_knowledge_reaches_backends_in_what_they_speak(
    played: tuple[golden.Case, str, int], path: str, spoken: bool
) -> None:
    case, address, port = played
    (found,) = h2c.asks(address, port, "p.example.com", path)
    assert found.status == "200"
    assert served_by(case, f"shop{path}:80") in found.body
    assert ("HTTP/2" in found.body) is spoken


def test_a_host_with_a_trailing_dot_is_served_over_http_2_and_reaches_the_backend_unmodified(
    played: tuple[golden.Case, str, int],
) -> None:
    case, address, port = played
    (found,) = h2c.asks(address, port, "P.example.com.", "/web")
    assert (found.status, served_by(case, "shop/web:80") in found.body) == ("200", True)
    assert '["host", "P.example.com."]' in found.body


async def _half_headers_and_half_body(address: str, port: int) -> tuple[bytes, bytes, bytes]:
    """What comes back for half of the headers; then, for a body whose second half comes after that, and for a second
    request on a connection that was idle meanwhile. The last two are status lines.
    """
    idle, kept = await asyncio.open_connection(address, port)
    kept.write(b"HEAD /web HTTP/1.1\r\nHost: p.example.com\r\n\r\n")
    await idle.readuntil(b"\r\n\r\n")
    uploaded, upload = await asyncio.open_connection(address, port)
    upload.write(b"POST /web HTTP/1.1\r\nHost: p.example.com\r\nContent-Length: 4\r\n\r\nab")
    await upload.drain()
    half = await _raw(address, port, b"GET /web HTTP/1.1\r\nHost: p.exam")
    upload.write(b"cd")
    kept.write(b"HEAD /web HTTP/1.1\r\nHost: p.example.com\r\n\r\n")
    answers = half, await uploaded.readline(), await idle.readline()
    upload.close()
    kept.close()
    return answers


async def test_half_headers_end_the_connection_and_slow_bodies_and_idle_connections_do_not(
    played: tuple[golden.Case, str, int],
) -> None:
    _, address, port = played
    half, upload, kept = await asyncio.wait_for(_half_headers_and_half_body(address, port), 60)
    assert half.startswith(b"HTTP/1.1 408 ")
    assert (upload, kept) == (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n")


async def _web_socket(address: str, port: int, path: str) -> tuple[str, str, bytes]:
    """Who answers, and what comes back of a text and of bytes."""
    headers = {"host": "p.example.com"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://{address}:{port}{path}", headers=headers) as socket,
    ):
        who = await socket.receive_str()
        await socket.send_str("hello")
        text = await socket.receive_str()
        await socket.send_bytes(b"\x00\xff")
        return who, text, await socket.receive_bytes()


@pytest.mark.parametrize("path", ["/ws", "/web", "/secure"])
async def test_a_web_socket_is_opened_through_the_gateway(played: tuple[golden.Case, str, int], path: str) -> None:
    case, address, port = played
    found = await asyncio.wait_for(_web_socket(address, port, path), 10)
    assert found == (served_by(case, f"shop{path}:80"), "hello", b"\x00\xff")


async def _raw(address: str, port: int, request: bytes) -> bytes:
    """Everything that comes back on a connection until Envoy closes it."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(("headers", "status"), [(b"Host: p.example.com\r\n", b"200"), (b"", b"400")])
async def test_http_1_0_is_served_with_a_host_and_is_a_bad_request_without(
    played: tuple[golden.Case, str, int], headers: bytes, status: bytes
) -> None:
    case, address, port = played
    answer = await asyncio.wait_for(_raw(address, port, b"GET /web HTTP/1.0\r\n%s\r\n" % headers), 10)
    assert answer.split(b" ")[1] == status
    assert (served_by(case, "shop/web:80").encode() in answer) is (status == b"200")
