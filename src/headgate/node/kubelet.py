"""The HTTPS server of a kubelet: `/healthz`, and `/containerLogs/NAMESPACE/POD/CONTAINER`, which serves `pods/log`.

Its certificate is self-signed, as that of a kubelet without a cluster's CA. With a client CA, logs are served to
clients with a certificate of that CA (an API server with `--kubelet-client-certificate`). Without one they are served
on loopback, to processes of this user and root.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import msgspec
from aiohttp import web

from headgate import pki
from headgate.api import times
from headgate.host.files import write_atomically
from headgate.node import socket_owners

#: Bytes of one read, and seconds between two reads of a log that is followed.
_CHUNK, _POLL = 65536, 0.1


class ContainerLog(Protocol):
    """The log of a container."""

    @property
    def path(self) -> Path:
        """The file."""

    def grows(self) -> bool:
        """Whether more may be appended."""

    def since(self, moment: float) -> int:
        """The offset of what was written since then (seconds since 1970)."""


class ListenError(Exception):
    """The server cannot listen; the text names the address and the reason."""


class LogQuery(msgspec.Struct, frozen=True):
    """The parameters of a request for a log."""

    follow: bool = False
    previous: bool = False
    tail: int | None = None
    limit: int | None = None
    since: float | None = None
    """seconds since 1970"""


def parse_log_query(parameters: "web.BaseRequest | dict[str, str]", now: float) -> LogQuery:
    """Read the parameters of a request. Raises `ValueError`."""
    given = parameters if isinstance(parameters, dict) else dict(parameters.query)
    if given.get("timestamps", "") not in ("", "false"):
        raise ValueError("timestamps: this node does not store the times of lines; use sinceTime")
    return LogQuery(
        follow=given.get("follow", "") in ("true", "1"),
        previous=given.get("previous", "") in ("true", "1"),
        tail=_number(given, "tailLines"),
        limit=_number(given, "limitBytes"),
        since=_since(given, now),
    )


def _since(given: dict[str, str], now: float) -> float | None:
    if (ago := _number(given, "sinceSeconds")) is not None:
        return now - ago
    if not (text := given.get("sinceTime", "")):
        return None
    if (moment := times.seconds(text)) is None:
        raise ValueError(f"sinceTime: {text!r} is not a time such as 2027-01-15T08:00:00Z")
    return moment


def _number(given: dict[str, str], name: str) -> int | None:
    text = given.get(name, "")
    if not text:
        return None
    if not text.isdigit():
        raise ValueError(f"{name}: {text!r} is not a number of 0 or more")
    return int(text)


class KubeletServer:
    """The server. `find(namespace, pod, container, previous)` returns a log, or None."""

    def __init__(self, find: Callable[[str, str, str, bool], ContainerLog | None], folder: Path) -> None:
        self._find = find
        self._folder = folder
        self._runner: web.AppRunner | None = None
        self.healthy = False

    async def start(self, address: str, port: int, client_ca: Path | None = None) -> int:
        """Listen; the port. Raises `ListenError`."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        app["verified"] = client_ca is not None
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        tls = self._tls(address, client_ca)
        try:
            await web.TCPSite(self._runner, address, port, ssl_context=tls).start()
        except OSError as error:
            raise ListenError(f"{address}:{port}: {error.strerror or error}") from None
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """Close all connections."""
        if self._runner:
            await self._runner.cleanup()

    def _tls(self, address: str, client_ca: Path | None) -> ssl.SSLContext:
        now = time.time()
        server = pki.issue_server(pki.create_ca(now), [address, "localhost"], now)
        file = self._folder / "kubelet.pem"
        write_atomically(file, server.certificate + server.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL  # /healthz needs no certificate
        return context

    def _allowed(self, request: web.Request) -> bool:
        transport = request.transport
        if transport is None:
            return False
        if request.app["verified"]:
            return bool(transport.get_extra_info("peercert"))
        return socket_owners.is_trusted_peer(transport.get_extra_info("peername"), transport.get_extra_info("sockname"))

    async def _healthz(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok\n") if self.healthy else web.Response(status=503, text="not registered yet\n")

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        if not self._allowed(request):
            return web.Response(status=403, text="logs are served to the user that runs the node and to root\n")
        path = request.match_info
        try:
            query = parse_log_query(request, time.time())
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        log = self._find(path["namespace"], path["pod"], path["container"], query.previous)
        if log is None:
            text = f"no container {path['container']} of pod {path['namespace']}/{path['pod']} runs on this node\n"
            return web.Response(status=404, text=text)
        if query.previous and not log.path.exists():
            text = f'previous terminated container "{path["container"]}" in pod "{path["pod"]}" not found\n'
            return web.Response(status=400, text=text)
        answer = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        await answer.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            async for chunk in _read(log, query):
                await answer.write(chunk)
        return answer


async def _read(log: ContainerLog, query: LogQuery) -> AsyncIterator[bytes]:
    left = query.limit
    position = _tail_offset(log.path, query.tail)
    if query.since is not None:
        position = max(position, log.since(query.since))
    while left is None or left > 0:
        grows = log.grows()  # read first, so that the last lines are not missed
        if log.path.exists() and log.path.stat().st_size < position:
            position = 0  # it was trimmed
        chunk = _chunk(log.path, position, _CHUNK if left is None else min(left, _CHUNK))
        if chunk:
            position += len(chunk)
            left = None if left is None else left - len(chunk)
            yield chunk
        elif not query.follow or not grows:
            return
        else:
            await asyncio.sleep(_POLL)


def _chunk(path: Path, position: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(size)
    except FileNotFoundError:
        return b""


def _tail_offset(path: Path, lines: int | None) -> int:
    """The offset of the last lines of a file."""
    if lines is None or not path.exists():
        return 0
    if lines == 0:
        return path.stat().st_size
    with path.open("rb") as file:
        end = position = file.seek(0, 2)
        missing = lines
        while position > 0:
            size = min(_CHUNK, position)
            position -= size
            file.seek(position)
            block = file.read(size)
            cut = len(block) - 1 if position + size == end and block.endswith(b"\n") else len(block)
            while (newline := block.rfind(b"\n", 0, cut)) >= 0:
                missing -= 1
                if missing <= 0:
                    return position + newline + 1
                cut = newline
    return 0
