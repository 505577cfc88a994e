"""A small HTTP server on loopback that answers as a test tells it: for what no real API does on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def watch(self) -> bool:
        """Whether it is a watch."""
        return self.params.get("watch") == "true"


@dataclass
class Reply:
    """How to answer: `json` and `body` at once, or `start` and then `send` bit by bit."""

    writer: asyncio.StreamWriter
    started: bool = False
    chunked: bool = False

    async def json(self, value: Any, status: int = 200) -> None:
        """A whole answer in JSON."""
        await self.body(json.dumps(value).encode(), status)

    async def body(self, body: bytes, status: int = 200) -> None:
        """A whole answer."""
        self.started = True
        self.writer.write(
            f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await self.writer.drain()

    async def refuse(self, status: int, reason: str, message: str = "no") -> None:
        """A Status object."""
        await self.json(status_object(status, reason, message), status)

    async def start(self) -> None:
        """The head of an answer that comes in chunks."""
        self.started = self.chunked = True
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self.writer.drain()

    async def send(self, chunk: bytes) -> None:
        """One chunk."""
        if not self.started:
            await self.start()
        self.writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        await self.writer.drain()

    async def event(self, kind: str, obj: Any) -> None:
        """One watch event."""
        await self.send(json.dumps({"type": kind, "object": obj}).encode() + b"\n")

    def hang_up(self) -> None:
        """Close the connection, whatever was promised."""
        self.writer.close()


Answer = Callable[[Request, Reply], Awaitable[None]]


@dataclass
class ScriptedApi:
    """A server; `answer` is called for each request, and every request is kept."""

    answer: Answer
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    server: str = ""
    _listener: asyncio.Server | None = None
    _talks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.server = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener
        self._listener.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def asked(self, method: str = "GET", *, watch: bool | None = None) -> list[Request]:
        """The requests so far with this method."""
        return [each for each in self.requests if each.method == method and (watch is None or each.watch == watch)]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        talk = asyncio.current_task()
        assert talk
        self._talks.add(talk)
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                reply = Reply(writer)
                await self.answer(request, reply)
                if writer.is_closing():
                    return
                if reply.chunked:
                    writer.write(b"0\r\n\r\n")
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._talks.discard(talk)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Request(method, url.path, dict(parse_qsl(url.query)), headers, body)


def status_object(code: int, reason: str, message: str = "no") -> dict[str, Any]:
    """A Kubernetes Status that refuses."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }


async def eventually(condition: Callable[[], object], what: str = "", deadline: float = 30.0) -> None:
    """Wait until a condition of the same event loop is true."""
    end = asyncio.get_running_loop().time() + deadline
    while not condition():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"not within {deadline:g} s: {what or condition}")
        await asyncio.sleep(0.002)
