"""The image `headgate-echo`: a small HTTP/1.1 server that says who answered.

Run as a program; it imports little, for it must start quickly and there may be many. Its settings are environment
variables:

* `POD_IP`, `PORT` (8080): where it listens.
* `POD_NAME`, `POD_NAMESPACE`, `POD_OWNER`, `VERSION`: who it says it is.
* `ERROR_RATE` (0): the share of answers that are 500. `LATENCY` (0): a pause before each answer, as `250ms` or `1.5s`.
* `GRACE` (10s): how long it goes on serving after SIGTERM, telling every connection to close. Whoever still sends here
  must be able to notice that the pod goes, also while their control plane is down: killed, it is back within seconds.

`/healthz` is always well; `/metrics` counts all other requests in `http_request_duration_seconds`; `/version` is one
line; any other path is answered with JSON.
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
#: Requests that run when the grace is over get this long to end.
_LAST = 10.0


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
        raise ValueError(f"{text!r} is no share from 0 to 1")
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
    """Who answers, and how well."""

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

    def answer(self, method: str, path: str, headers: list[tuple[str, str]]) -> tuple[int, str, str]:
        """Status, content type and body."""
        bare = path.partition("?")[0]
        if bare == "/healthz":
            return 200, "text/plain; charset=utf-8", "ok\n"
        if bare == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self.metrics.text()
        status = 500 if random.random() < self.error_rate else 200  # noqa: S311 - a share of answers, no secret
        if bare == "/version":
            return status, "text/plain; charset=utf-8", f"{self.owner} {self.version}\n"
        together: dict[str, str] = {}
        for name, value in headers:
            together[name] = f"{together[name]}, {value}" if name in together else value
        body = {
            "pod": self.pod,
            "namespace": self.namespace,
            "version": self.version,
            "method": method,
            "path": path,
            "headers": together,
        }
        return status, "application/json", json.dumps(body) + "\n"


class Connection(asyncio.Protocol):
    """One connection: requests are answered one after the other, in the order in which they came."""

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
        """Whether a request waits for its answer."""
        return bool(self._waiting) or (self._task is not None and not self._task.done())

    def close(self) -> None:
        """Hang up after what was written."""
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._echo.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """They hung up, or we did."""
        del exc
        self._echo.connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # nothing to upgrade to: the request is answered as it is
        except httptools.HttpParserError:
            self._write(400, "text/plain; charset=utf-8", "this is no HTTP/1.1 request\n", head=False, close=True)

    # httptools

    def on_message_begin(self) -> None:
        """A request begins."""
        self._headers, self._url = [], b""

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Its body may follow."""
        if ("expect", "100-continue") in self._headers and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_message_complete(self) -> None:
        """It is complete: answer at once, or after those that came before it."""
        keep = self._parser.should_keep_alive()
        method, path = self._parser.get_method().decode(), self._url.decode("latin-1")
        self._waiting.append((method, path, self._headers, keep))
        if self._task is None or self._task.done():
            if self._echo.latency or self._task is not None:
                self._task = asyncio.get_running_loop().create_task(self._answer_all())
            else:
                self._answer(*self._waiting.popleft(), time.perf_counter())

    # answering

    async def _answer_all(self) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            began = time.perf_counter()
            if self._echo.latency and not request[1].startswith(("/healthz", "/metrics")):
                await asyncio.sleep(self._echo.latency)
            self._answer(*request, began)

    def _answer(self, method: str, path: str, headers: list[tuple[str, str]], keep: bool, began: float) -> None:
        status, kind, body = self._echo.answer(method, path, headers)
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
    """Serve until SIGTERM or SIGINT, then for the grace, then until the last request has its answer."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    server = await loop.create_server(lambda: Connection(echo), address, port, backlog=1024)
    sys.stderr.write(f"{echo.pod or 'echo'} {echo.version} listens on {address}:{port}\n")
    sys.stderr.flush()
    await told.wait()
    echo.stopping = True
    await asyncio.sleep(echo.grace)
    server.close()
    end = loop.time() + _LAST
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
