"""The image `headgate-echo`: a small HTTP/1.1 server whose responses name the pod and the version.

It runs as a program of its own and imports little, because it must start quickly and many may run. Its settings are
environment variables:

* `POD_IP`, `PORT` (8080): where it listens.
* `POD_NAME`, `POD_NAMESPACE`, `POD_OWNER`, `VERSION`: what its responses name.
* `ERROR_RATE` (0): the share of responses that are 500. `LATENCY` (0): a delay of each response, as `250ms` or `1.5s`.
* `GRACE` (10s): how long it serves after SIGTERM, closing each connection after its response. A proxy that still routes
  to the pod needs this time to learn that it goes, also if its control plane has to restart first.

`/healthz` is answered with 200; `/version` with one line; any other path with JSON. `/metrics` exports
`http_request_duration_seconds` of all requests but those for `/healthz` and `/metrics`.
"""

import asyncio
import collections
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar, cast

import httptools

from headgate.api.durations import go_seconds

T = TypeVar("T")

#: Upper bounds of the histogram, seconds: those of Prometheus' client libraries.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Seconds that requests in flight get to end after the grace.
_DRAIN_TIMEOUT = 10.0


def duration(text: str) -> float:
    """A Go duration (`1m30s`, `250ms`, `0`) in seconds, 0 for an empty text. Raises `ValueError`."""
    seconds = go_seconds(text or "0")
    if seconds < 0:
        raise ValueError(f"{text!r} is negative; a duration such as 250ms or 1m30s is needed")
    return seconds


def share(text: str) -> float:
    """A number from 0 to 1. Raises `ValueError`."""
    try:
        number = float(text or "0")
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{text!r} is not a share from 0 to 1")
    return number


def _read(environment: Mapping[str, str], name: str, reader: Callable[[str], T], default: str = "") -> T:
    try:
        return reader(environment.get(name) or default)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


class Histogram:
    """`http_request_duration_seconds` by method and status."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], list[int]] = collections.defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._sums: dict[tuple[str, int], float] = collections.defaultdict(float)

    def observe(self, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        place = next((i for i, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        self._counts[method, status][place] += 1
        self._sums[method, status] += seconds

    def text(self) -> str:
        """The Prometheus text format."""
        name = "http_request_duration_seconds"
        lines = [f"# HELP {name} Seconds spent serving HTTP requests.", f"# TYPE {name} histogram"]
        for (method, status), counts in sorted(self._counts.items()):
            labels = f'method="{method}",status="{status}"'
            total = 0
            for bound, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
                total += count
                lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
            lines.append(f"{name}_sum{{{labels}}} {self._sums[method, status]:.6f}")
            lines.append(f"{name}_count{{{labels}}} {total}")
        return "\n".join(lines) + "\n"


class Echo:
    """The settings, the metrics and the connections of the server."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.pod = environment.get("POD_NAME", "")
        self.namespace = environment.get("POD_NAMESPACE", "")
        self.version = environment.get("VERSION", "")
        self.owner = environment.get("POD_OWNER", "") or self.pod
        self.error_rate = _read(environment, "ERROR_RATE", share)
        self.latency = _read(environment, "LATENCY", duration)
        self.grace = _read(environment, "GRACE", duration, "10s")
        self.metrics = Histogram()
        self.stopping = False
        self.connections: set[Connection] = set()

    def respond(self, method: str, path: str, headers: list[tuple[str, str]]) -> tuple[int, str, str]:
        """Status, content type and body."""
        bare = path.partition("?")[0]
        if bare == "/healthz":
            return 200, "text/plain; charset=utf-8", "ok\n"
        if bare == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self.metrics.text()
        status = 500 if random.random() < self.error_rate else 200  # noqa: S311 - not for security
        if bare == "/version":
            return status, "text/plain; charset=utf-8", f"{self.owner} {self.version}\n"
        joined: dict[str, str] = {}
        for name, value in headers:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        body = {
            "pod": self.pod,
            "namespace": self.namespace,
            "version": self.version,
            "method": method,
            "path": path,
            "headers": joined,
        }
        return status, "application/json", json.dumps(body) + "\n"


class Connection(asyncio.Protocol):
    """One connection; its requests are answered in order."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: collections.deque[tuple[str, str, list[tuple[str, str]], bool]] = collections.deque()
        self._headers: list[tuple[str, str]] = []
        self._url = b""
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def busy(self) -> bool:
        """Whether a request waits for its response."""
        return bool(self._waiting) or (self._task is not None and not self._task.done())

    def close(self) -> None:
        """Close the connection after what was written."""
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._echo.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        del exc
        self._echo.connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what was received."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # upgrades are not supported: the request is answered in HTTP/1.1
        except httptools.HttpParserError:
            self._write(400, "text/plain; charset=utf-8", "not an HTTP/1.1 request\n", head=False, close=True)

    # httptools

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._headers, self._url = [], b""

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Ask for the body if the client waits for that."""
        if ("expect", "100-continue") in self._headers and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_message_complete(self) -> None:
        """Answer the complete request, at once or after those before it."""
        keep = self._parser.should_keep_alive()
        method, path = self._parser.get_method().decode(), self._url.decode("latin-1")
        self._waiting.append((method, path, self._headers, keep))
        if self._task is None or self._task.done():
            if self._echo.latency or self._task is not None:
                self._task = asyncio.get_running_loop().create_task(self._respond_to_all())
            else:
                self._respond(*self._waiting.popleft(), time.perf_counter())

    # answering

    async def _respond_to_all(self) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            began = time.perf_counter()
            if self._echo.latency and not request[1].startswith(("/healthz", "/metrics")):
                await asyncio.sleep(self._echo.latency)
            self._respond(*request, began)

    def _respond(self, method: str, path: str, headers: list[tuple[str, str]], keep: bool, began: float) -> None:
        status, kind, body = self._echo.respond(method, path, headers)
        if not path.startswith(("/healthz", "/metrics")):
            self._echo.metrics.observe(method, status, time.perf_counter() - began)
        self._write(status, kind, body, head=method == "HEAD", close=not keep or self._echo.stopping)

    def _write(self, status: int, kind: str, body: str, *, head: bool, close: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        payload = body.encode()
        lines = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"content-type: {kind}",
            f"content-length: {len(payload)}",
            *(("connection: close",) if close else ()),
        )
        self._transport.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (b"" if head else payload))
        if close:
            self._transport.close()


async def serve(echo: Echo, address: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then for the grace period, then until requests in flight have ended."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    server = await loop.create_server(lambda: Connection(echo), address, port, backlog=1024)
    sys.stderr.write(f"{echo.pod or 'echo'} {echo.version} listens on {address}:{port}\n")
    sys.stderr.flush()
    await stopping.wait()
    echo.stopping = True
    await asyncio.sleep(echo.grace)
    server.close()
    end = loop.time() + _DRAIN_TIMEOUT
    while any(connection.busy for connection in echo.connections) and loop.time() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for connection in list(echo.connections):
        connection.close()


def main() -> None:
    """The program."""
    try:
        import uvloop  # noqa: PLC0415

        run = uvloop.run
    except ImportError:
        run = asyncio.run
    try:
        echo = Echo(os.environ)
        port = _read(os.environ, "PORT", int, "8080")
    except ValueError as error:
        sys.exit(f"headgate-echo: {error}")
    address = os.environ.get("POD_IP") or "127.0.0.1"
    try:
        run(serve(echo, address, port))
    except OSError as error:
        sys.exit(f"headgate-echo: {address}:{port}: {error.strerror}")


if __name__ == "__main__":
    main()
