"""The action of a probe or a hook: an HTTP GET, a TCP connection, a command, or a gRPC health check."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from headgate.api.core import Container, ExecAction, GRPCAction, HTTPGetAction, TCPSocketAction
from headgate.host import processes

_FAILURES = (OSError, ssl.SSLError, TimeoutError, ValueError, EOFError)


class Action(Protocol):
    """The action of a probe or a hook; at most one of its fields is set."""

    @property
    def exec(self) -> ExecAction | None:
        """A command."""

    @property
    def http_get(self) -> HTTPGetAction | None:
        """A GET."""

    @property
    def tcp_socket(self) -> TCPSocketAction | None:
        """A connection."""


class ProbeTarget(msgspec.Struct, frozen=True):
    """A running container, as probes and hooks reach it.

    Attributes:
        address: the IP of its pod.
        map_command: replaces mount paths in a command, and lets it run in the pod's network namespace.
    """

    container: Container
    address: str
    environment: Mapping[str, str]
    folder: Path
    map_command: Callable[[Sequence[str]], tuple[str, ...]]

    def __repr__(self) -> str:
        return f"Target({self.container.name!r}, {self.address!r})"

    def port(self, port: int | str) -> int:
        """The number of a port, which may be given by its name. Raises `ValueError`."""
        if isinstance(port, int):
            return port
        named = (p.container_port for p in self.container.ports if p.name == port)
        if (number := next(named, None)) is not None:
            return number
        if port.isdigit():
            return int(port)
        raise ValueError(f"container {self.container.name!r} has no port named {port!r}")


async def run_probe(action: Action, target: ProbeTarget, timeout: float) -> str | None:
    """Perform the action; None, or why it failed."""
    try:
        return await _perform(action, target, timeout)
    except TimeoutError:
        return f"no answer within {timeout:g}s"
    except _FAILURES as error:
        return str(error) or type(error).__name__


async def _perform(action: Action, target: ProbeTarget, timeout: float) -> str | None:
    if (get := action.http_get) is not None:
        async with asyncio.timeout(timeout):
            return await _get(get, target)
    if (tcp := action.tcp_socket) is not None:
        async with asyncio.timeout(timeout):
            await _connect(tcp, target)
        return None
    if (command := action.exec) is not None:
        return await _run(command, target, timeout)
    if (grpc := getattr(action, "grpc", None)) is not None:
        return await _check_health(grpc, target, timeout)
    return None


async def _get(get: HTTPGetAction, target: ProbeTarget) -> str | None:
    host, port = get.host or target.address, target.port(get.port)
    path = get.path if get.path.startswith("/") else f"/{get.path}"
    tls = _without_verification() if get.scheme.upper() == "HTTPS" else None
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/headgate", "Accept": "*/*"}
        headers |= {header.name: header.value for header in get.http_headers}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        status = int((await reader.readline()).split(maxsplit=2)[1])
    except IndexError:
        return "no HTTP response"
    finally:
        writer.close()
        with contextlib.suppress(*_FAILURES):
            await writer.wait_closed()
    return None if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"


async def _connect(tcp: TCPSocketAction, target: ProbeTarget) -> None:
    _, writer = await asyncio.open_connection(tcp.host or target.address, target.port(tcp.port))
    writer.close()
    with contextlib.suppress(*_FAILURES):
        await writer.wait_closed()


async def _run(command: ExecAction, target: ProbeTarget, timeout: float) -> str | None:
    if not command.command:
        return "exec: no command is given"
    code, output = await processes.run(target.map_command(command.command), target.environment, target.folder, timeout)
    if code == 0:
        return None
    return output or f"command exited with {code}"


async def _check_health(grpc: GRPCAction, target: ProbeTarget, timeout: float) -> str | None:
    """`grpc.health.v1.Health/Check`; its two messages are encoded by hand."""
    import grpc as library  # noqa: PLC0415 - slow to import, and few pods have gRPC probes

    service = grpc.service.encode()
    request = b"\x0a" + bytes([len(service)]) + service if service else b""
    async with library.aio.insecure_channel(f"{target.address}:{grpc.port}") as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            response: bytes = await call(request, timeout=timeout)
        except library.aio.AioRpcError as error:
            return f"gRPC probe failed: {error.code().name}"
    return None if response == b"\x08\x01" else "gRPC probe failed: not SERVING"


def _without_verification() -> ssl.SSLContext:
    """As a kubelet, which does not verify the certificate of a probed container."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
