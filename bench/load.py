"""Load from a process of its own, so that neither the controller's nor the bench's work is counted as its latency.

Two kinds of clients at once: kept connections, and a connection for each request. An answer other than 200, and every
connection that breaks, is a failure; none is sent again.
"""

import asyncio
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Literal

import msgspec
import uvloop

from bench import rig
from headgate.traffic import Histogram, Load, Plan, Request, RequestResult, Target

#: Failures that are kept to be shown.
SHOWN = 20

Clients = Literal["kept", "fresh"]


class Wish(msgspec.Struct, frozen=True):
    """What to send: `paths` in turn, to `host` at `address`; "fresh" clients connect for every request."""

    address: str
    port: int
    host: str
    rate: float
    clients: Clients = "kept"
    paths: tuple[str, ...] = ("/",)
    connections: int = 512
    tls: bool = False


class Failed(msgspec.Struct, frozen=True):
    """A request that failed: when it was due (`time.monotonic`), how long it took, and what came."""

    at: float
    latency: float
    said: str


class LoadResult(msgspec.Struct):
    """What came of one load. `by` counts answers by their body, which names the backend."""

    clients: str
    sent: int = 0
    #: Were due and never sent: the machine was too slow for the rate, which says nothing about the gateway.
    unsent: int = 0
    statuses: dict[str, int] = {}
    by: dict[str, int] = {}
    failed: int = 0
    failures: list[Failed] = []
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0


class _Count:
    """The callback of a load."""

    def __init__(self, wish: Wish) -> None:
        self._seen = LoadResult(wish.clients)
        self._statuses: Counter[str] = Counter()
        self._by: Counter[str] = Counter()
        self._latency = Histogram()
        self._began = time.monotonic()

    def add(self, outcome: RequestResult) -> None:
        seen = self._seen
        if outcome.failure == "unsent":
            seen.unsent += 1
            return
        seen.sent += 1
        said = outcome.failure or str(outcome.status)
        self._statuses[said] += 1
        if not outcome.failure:
            self._latency.add(outcome.latency)
        if outcome.status == rig.GOOD:
            self._by[_who(outcome.body)] += 1
            return
        seen.failed += 1
        if len(seen.failures) < SHOWN:
            body = outcome.body[:100].decode("latin-1")
            seen.failures.append(Failed(self._began + outcome.due, outcome.latency, f"{said} {body}".strip()))

    def seen(self) -> LoadResult:
        seen, latency = self._seen, self._latency
        seen.statuses, seen.by = dict(self._statuses), dict(self._by)
        seen.seconds = time.monotonic() - self._began
        seen.p50_ms = (latency.quantile(0.5) or 0) * 1000
        seen.p99_ms = (latency.quantile(0.99) or 0) * 1000
        seen.max_ms = latency.largest * 1000
        return seen


def _who(body: bytes) -> str:
    """The backend that gave an answer: the pod that `headgate-echo` names in its JSON, or the answer itself."""
    words = body[:100].decode("latin-1").split('"')
    return words[3] if words[0] == "{" and words[1] == "pod" else words[0]


def _target(wish: Wish) -> Target:
    context: ssl.SSLContext | None = None
    if wish.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return Target(wish.address, wish.port, wish.host, context)


def _send(orders: Connection, wish: Wish) -> None:
    """Send until told to stop, then say what came of it."""
    headers = {"connection": "close"} if wish.clients == "fresh" else {}
    requests = [Request(path, headers=headers) for path in wish.paths]
    load = Load(_target(wish), Plan(wish.rate, wish.connections), requests)

    async def run() -> LoadResult:
        count = _Count(wish)
        loop = asyncio.get_running_loop()
        loop.add_reader(orders.fileno(), load.stop)
        orders.send("running")
        await load.run(count.add)
        loop.remove_reader(orders.fileno())
        return count.seen()

    with contextlib.suppress(KeyboardInterrupt):
        orders.send(uvloop.run(run()))
        orders.recv()


@contextlib.asynccontextmanager
async def loads(wishes: Sequence[Wish], into: list[LoadResult]) -> AsyncIterator[None]:
    """All of these loads while the body runs; what came of each is in `into` afterwards."""
    with contextlib.ExitStack() as running:
        pipes = [running.enter_context(rig.process(_send, wish)) for wish in wishes]
        for pipe in pipes:
            await _heard(pipe)
        yield
        for pipe in pipes:
            pipe.send("stop")
        for pipe in pipes:
            into.append(await _heard(pipe))


async def _heard(pipe: Connection, seconds: float = 60) -> Any:
    """The next word of a process, without blocking the loop."""
    found = await asyncio.get_running_loop().run_in_executor(None, pipe.poll, seconds)
    if not found:
        raise SystemExit("a load did not answer in a minute")
    return pipe.recv()


def lines(seen: Sequence[LoadResult], origin: float) -> Iterator[str]:
    """For people: a line per load, and the first failures of each, in seconds after `origin`."""
    for each in seen:
        statuses = " ".join(f"{status}: {count}" for status, count in sorted(each.statuses.items()))
        yield (
            f"  {each.clients:5}  sent {each.sent} ({each.sent / each.seconds:.0f}/s)  {statuses}  "
            f"failed {each.failed}  p50 {each.p50_ms:.2f} ms  p99 {each.p99_ms:.2f} ms  max {each.max_ms:.1f} ms"
        )
        yield f"         answered by {' '.join(f'{body}: {count}' for body, count in sorted(each.by.items()))}"
        if each.unsent:
            yield f"         not sent in time: {each.unsent}; the rate was not held, so this run proves nothing"
        for failure in each.failures:
            yield f"         at {failure.at - origin:.3f} s, after {failure.latency * 1000:.1f} ms: {failure.said}"
