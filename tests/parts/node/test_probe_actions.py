"""Probes, against real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from headgate.api.core import (
    Container,
    ContainerPort,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    HTTPHeader,
    Probe,
    TCPSocketAction,
)
from headgate.node.probe_actions import ProbeTarget, run_probe
from support.addresses import free_port


def target(*ports: ContainerPort) -> ProbeTarget:
    container = Container(name="app", ports=ports)
    return ProbeTarget(container, "127.0.0.1", {"PATH": "/usr/bin:/bin"}, Path("/"), tuple)


@asynccontextmanager
async def answering(answer: bytes, *, wait: float = 0.0) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that sends this to whoever sends a request; its port and the requests."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):  # a TCP probe connects and sends nothing
            seen.append(await reader.readuntil(b"\r\n\r\n"))
        await asyncio.sleep(wait)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


async def ask(
    answer: bytes, make: Callable[[int], Probe], *, wait: float = 0.0, timeout: float = 2.0
) -> tuple[str | None, bytes]:
    """The failure of a probe of a server that sends `answer`, if any, and the request that the server got."""
    async with answering(answer, wait=wait) as (port, seen):
        failure = await run_probe(make(port), target(ContainerPort(container_port=port, name="web")), timeout)
        return failure, b"".join(seen)


def get(port: int | str, **fields: object) -> Probe:
    return Probe(http_get=HTTPGetAction(port=port, **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [200, 204, 302, 399])
async def test_statuses_from_200_to_399_are_well(status: int) -> None:
    assert (await ask(b"HTTP/1.1 %d X\r\n\r\n" % status, get))[0] is None


@pytest.mark.parametrize("status", [404, 500, 503])
async def test_other_statuses_are_failures(status: int) -> None:
    assert (await ask(b"HTTP/1.1 %d X\r\n\r\n" % status, get))[0] == f"HTTP probe failed with statuscode: {status}"


async def test_a_probe_asks_for_its_path_with_its_headers() -> None:
    headers = (HTTPHeader(name="X-Probe", value="1"), HTTPHeader(name="Host", value="shop.example"))
    _, request = await ask(b"HTTP/1.1 200 OK\r\n\r\n", lambda port: get(port, path="/ready?x=1", http_headers=headers))
    assert request.startswith(b"GET /ready?x=1 HTTP/1.1\r\nHost: shop.example\r\n")
    assert b"X-Probe: 1\r\n" in request


async def test_a_port_may_be_named() -> None:
    assert (await ask(b"HTTP/1.1 200 OK\r\n\r\n", lambda _: get("web")))[0] is None


async def test_an_unknown_name_of_a_port_is_a_failure() -> None:
    assert (await ask(b"", lambda _: get("nope")))[0] == "container 'app' has no port named 'nope'"


async def test_an_answer_that_comes_too_late_is_a_failure() -> None:
    failure, _ = await ask(b"HTTP/1.1 200 OK\r\n\r\n", get, wait=5.0, timeout=0.1)
    assert failure == "no answer within 0.1s"


async def test_what_is_no_http_is_a_failure() -> None:
    assert (await ask(b"hello", get))[0] == "no HTTP response"


async def test_a_connection_is_enough_for_a_tcp_probe() -> None:
    assert (await ask(b"", lambda port: Probe(tcp_socket=TCPSocketAction(port=port))))[0] is None


async def test_a_refused_connection_is_a_failure() -> None:
    port = free_port()
    failure = await run_probe(Probe(tcp_socket=TCPSocketAction(port=port)), target(), 1.0)
    assert failure is not None


async def run(*command: str, timeout: float = 2.0) -> str | None:
    return await run_probe(Probe(exec=ExecAction(command=command)), target(), timeout)


async def test_a_command_that_exits_with_0_is_well() -> None:
    assert await run("true") is None


async def test_the_output_of_a_command_says_why_it_failed() -> None:
    assert await run("sh", "-c", "echo not yet; exit 1") == "not yet"


async def test_a_command_that_takes_too_long_is_ended() -> None:
    assert "timed out after 0.1s" in str(await run("sleep", "60", timeout=0.1))


async def test_a_command_that_is_not_there_is_a_failure() -> None:
    assert await run("no-such-command") == "no-such-command: No such file or directory"


@pytest.mark.parametrize(("answer", "well"), [(b"\x08\x01", True), (b"\x08\x02", False), (b"", False)])
async def test_a_grpc_probe_asks_the_health_service(answer: bytes, well: bool) -> None:
    async def serving(request: bytes, context: object) -> bytes:
        del context
        return answer if request == b"\x0a\x04shop" else b""

    port = free_port()
    check_method = grpc.unary_unary_rpc_method_handler(serving)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check_method}),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        failure = await run_probe(Probe(grpc=GRPCAction(port=port, service="shop")), target(), 5.0)
    finally:
        await server.stop(None)
    assert (failure is None) is well
