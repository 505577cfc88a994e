"""A shop seen from outside while things happen to it: every answer, the weights declared, the weights that Envoy has.

One thread sends steady traffic and watches the API; one asks Envoy, over its admin socket, which weights it serves by.
What a test wants done the moment that something shows is done in the first, see `on`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import math
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from headgate.api.delivery import Canary, CanaryStatus
from headgate.api.gateway import HTTPRoute
from headgate.kube.backoff import Backoff
from headgate.kube.client import JSON, Client
from headgate.kube.watch import Batch, WatchTiming, follow
from headgate.traffic import Load, Plan, Request, RequestResult
from support.envoys import OverSocket
from support.shares import Window, excess
from support.shop import CANARY, Shop
from support.waiting import until

#: Seconds between two questions to Envoy.
_SAMPLE = 0.03
#: Seconds by which a running watch may be behind: Envoy may know a weight before the observer sees it declared.
_BEHIND = 1.0
#: The watches reconnect at once, unlike the controller's (up to 2 s): what is declared when an API is back shows soon.
_TIMING = WatchTiming(Backoff(first=0.05, limit=0.5, jitter=0.3), Backoff(first=0.05, limit=0.05, jitter=0.3))
#: Seconds by which Envoy's worker threads may be behind its main thread, which answers us.
_WORKERS_BEHIND = 0.25


class Answer(NamedTuple):
    """One request: from when it was due to when it ended, and what came."""

    sent: float
    ended: float
    status: int
    failure: str
    owner: str
    version: str


class Weight(NamedTuple):
    """The canary's weight in percent, from this moment on; None where no route splits."""

    at: float
    percent: float | None


class Gap(NamedTuple):
    """A time without a running watch of routes: the API was away, or the connection broke. `back` is inf while open."""

    lost: float
    back: float


class Status(NamedTuple):
    """A Canary's status when it showed."""

    at: float
    status: CanaryStatus


class Observer:
    """Observes from entering to leaving. Times are those of `time.monotonic`."""

    def __init__(self, shop: Shop, *, rate: float = 150.0, traffic: bool = True) -> None:
        """Without `traffic`, it begins with `begin_traffic`: before a route is there, nothing can be asked."""
        self.shop = shop
        self.answers: list[Answer] = []
        self.declared: list[Weight] = []
        self.served: list[Weight] = []
        self.statuses: list[Status] = []
        self.gaps: list[Gap] = []
        self._rate = rate
        self._traffic = traffic
        self._triggers: list[tuple[Callable[[CanaryStatus], bool], Callable[[], None], Future[Status]]] = []
        self._always: list[Callable[[], None]] = []
        self._load: Load | None = None
        self._sending: Future[None]
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._ended = threading.Event()
        self._started: Future[None] = Future()
        self._threads = [threading.Thread(target=self._observe), threading.Thread(target=self._ask_envoy)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self._started.result(30)
        if self._traffic:
            self.begin_traffic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._loop.call_soon_threadsafe(self._end.set)
        for thread in self._threads:
            thread.join(30)

    # ── what tests do ────────────────────────────────────────────────────────

    def begin_traffic(self) -> None:
        """Send from now on; not before a first answer is good."""
        target = self.shop.target
        until(self.shop.answers, what="the shop answers")
        self._load = Load(target, Plan(rate=self._rate, connections=32, timeout=10.0), [Request("/version")])
        self._sending = asyncio.run_coroutine_threadsafe(self._load.run(self._answered), self._loop)

    def on(self, condition: Callable[[CanaryStatus], bool], action: Callable[[], None]) -> Future[Status]:
        """Do something once, the moment that a status of the Canary shows of which this is true."""
        done: Future[Status] = Future()
        self._triggers.append((condition, action, done))
        return done

    def on_every_change(self, action: Callable[[], None]) -> None:
        """Do something the moment that the Canary shows a phase, a weight or a count of failed checks, or the route a
        weight, that was not there before. What is merely written again (the time is new) is no change.
        """
        self._always.append(action)

    # ── what was seen ────────────────────────────────────────────────────────

    @property
    def phases(self) -> list[str]:
        """The phases in the order in which they showed."""
        seen: list[str] = []
        for _, status in self.statuses:
            if seen[-1:] != [status.phase]:
                seen.append(status.phase)
        return seen

    @property
    def rests(self) -> bool:
        """Whether the canary is to get nothing, and has got nothing for a while."""
        since = time.monotonic() - _BEHIND
        recent = [weight.percent for weight in self.served if weight.at >= since]
        return self.declared[-1:] != [] and self.declared[-1].percent == 0 and len(recent) > 1 and not any(recent)

    def failed(self, *, but_for: str = "") -> Counter[tuple[int, str, str]]:
        """Requests without a good answer, by status, failure and version; the server errors of a version may be its
        own."""
        return Counter(
            (answer.status, answer.failure, answer.version)
            for answer in self.answers
            if answer.status != 200 and not (answer.status == 500 and but_for and answer.version == but_for)
        )

    def versions(self, *, since: float = 0.0) -> Counter[tuple[str, str]]:
        """How many answers each Deployment and version gave."""
        return Counter((each.owner, each.version) for each in self.answers if each.sent >= since and not each.failure)

    def canary_answers_beyond_envoys_weights(self) -> Window | None:
        """More answers of the canary than the weights that Envoy had while each request ran."""
        times = [weight.at for weight in self.served]

        def served(answer: Answer) -> float:
            first = bisect_right(times, answer.sent - _WORKERS_BEHIND) - 1
            last = bisect_left(times, answer.ended + _WORKERS_BEHIND) + 1
            return _most(self.served[max(0, first) : last])

        return self._excess(served)

    def canary_answers_beyond_declared_weights(self) -> Window | None:
        """More answers of the canary than the larger of the declared weights before and after."""
        return self._excess(lambda answer: self._allowed(answer.sent, answer.ended))

    def served_beyond_declared_weights(self) -> list[tuple[Weight, float]]:
        """Moments at which Envoy gave the canary more than the larger of the declared weights before and after."""
        return [
            (weight, allowed)
            for weight in self.served
            if weight.percent is not None and weight.percent / 100 > (allowed := self._allowed(weight.at, weight.at))
        ]

    def _allowed(self, begin: float, end: float) -> float:
        """The largest declared share from the weight before the one at `begin` to the one at `end`."""
        first = bisect_right([weight.at for weight in self.declared], begin) - 2
        last = bisect_right([self._earliest(weight) for weight in self.declared], end + _BEHIND)
        return _most(self.declared[max(0, first) : last])

    def _earliest(self, weight: Weight) -> float:
        """When a weight may have been declared: one that shows first when the watch is back may be as old as the gap.

        An API that is killed may have stored it and told the controller before it died, but not the observer.
        """
        gaps = (gap.lost for gap in self.gaps if gap.lost <= weight.at <= gap.back + _BEHIND)
        return min(gaps, default=weight.at)

    def _excess(self, share: Callable[[Answer], float]) -> Window | None:
        answers = sorted((answer for answer in self.answers if not answer.failure), key=lambda each: each.sent)
        return excess([each.owner == CANARY for each in answers], [share(each) for each in answers])

    # ── the thread of traffic and watches ────────────────────────────────────

    def _observe(self) -> None:
        try:
            asyncio.run(self._observing())
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
            raise

    async def _observing(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        kubeconfig = self.shop.kubectl.kubeconfig
        async with Client.from_kubeconfig(kubeconfig) as client, _RouteClient.from_kubeconfig(kubeconfig) as routes:
            routes.gaps = self.gaps
            namespace = self.shop.namespace
            watches = [
                asyncio.create_task(follow(client, Canary, self._see_canaries, namespace=namespace, timing=_TIMING)),
                asyncio.create_task(follow(routes, HTTPRoute, self._see_routes, namespace=namespace, timing=_TIMING)),
            ]
            self._started.set_result(None)
            await self._end.wait()
            if self._load is not None:
                self._load.stop()
                await asyncio.wrap_future(self._sending)
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    def _answered(self, outcome: RequestResult) -> None:
        now = time.monotonic()
        owner, _, version = outcome.body.decode(errors="replace").strip().partition(" ")
        self.answers.append(
            Answer(now - outcome.latency, now, outcome.status, outcome.failure, owner if version else "", version)
        )

    def _see_canaries(self, batch: Batch[Canary]) -> None:
        for change in batch.changes:
            if change.object is not None:
                self._status(Status(time.monotonic(), change.object.status))

    def _status(self, now: Status) -> None:
        before = self.statuses[-1].status if self.statuses else None
        self.statuses.append(now)
        for trigger in list(self._triggers):
            condition, action, done = trigger
            if condition(now.status):
                self._triggers.remove(trigger)
                action()
                done.set_result(now)
        if before is None or _state(before) != _state(now.status):
            self._changed()

    def _changed(self) -> None:
        for action in self._always:
            action()

    def _see_routes(self, batch: Batch[HTTPRoute]) -> None:
        for change in batch.changes:
            weight = None
            for rule in change.object.spec.rules if change.object is not None else ():
                weight = _percent((ref.name, ref.weight) for ref in rule.backend_refs)
            if not self.declared or self.declared[-1].percent != weight:
                self.declared.append(Weight(time.monotonic(), weight))
                self._changed()

    # ── the thread that asks Envoy ───────────────────────────────────────────

    def _ask_envoy(self) -> None:
        envoy = Admin(self.shop.gateway)
        while not self._ended.wait(_SAMPLE):
            try:
                weight = envoy.canary_weight()
            except (OSError, http.client.HTTPException, ValueError):
                continue  # there is none (yet, or any more)
            self.served.append(Weight(time.monotonic(), weight))


class _RouteClient(Client):
    """The client of one watch; `gaps` are the times in which the watch did not run."""

    gaps: list[Gap]

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
        idle_timeout: float | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with super().stream(path, params=params, accept=accept, idle_timeout=idle_timeout) as chunks:
            if self.gaps:
                self.gaps[-1] = Gap(self.gaps[-1].lost, time.monotonic())
            try:
                yield chunks
            finally:
                self.gaps.append(Gap(time.monotonic(), math.inf))


class Admin:
    """The admin socket of the one Envoy of a Gateway (`namespace/name`)."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._socket: Path | None = None

    def canary_weight(self) -> float | None:
        """By which percentage Envoy chooses the canary: what the overlay says, else what the routes say."""
        runtime = self._get("/runtime")
        while True:
            routes = self._get("/config_dump?resource=dynamic_route_configs")
            again = self._get("/runtime")
            if again["entries"] == runtime["entries"]:  # else the two do not belong together
                return _effective(routes, {key: value["final_value"] for key, value in again["entries"].items()})
            runtime = again

    def _get(self, path: str) -> Any:
        if self._socket is None:
            self._socket = admin_socket(self._gateway)
        connection = OverSocket(self._socket)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        except OSError:
            self._socket = None
            raise
        finally:
            connection.close()


def process_of_envoy(gateway: str) -> tuple[int, list[str]]:
    """Found among the processes of this machine: their command lines say for whom they work. Process id and words.

    So the name has to be one that no other test, and no cluster of the user's own, can have: see `Shop`.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "--service-cluster" in words and words[words.index("--service-cluster") + 1] == gateway:
                return int(process.name), words
    raise FileNotFoundError(f"no Envoy of Gateway {gateway} runs")


def admin_socket(gateway: str) -> Path:
    """Where the admin API of a Gateway's Envoy is."""
    _, words = process_of_envoy(gateway)
    config = json.loads(words[words.index("--config-yaml") + 1])
    return Path(config["admin"]["address"]["pipe"]["path"])


def _effective(routes: Any, overlay: dict[str, str]) -> float | None:
    for configuration in routes.get("configs", ()):
        for host in configuration["route_config"].get("virtual_hosts", ()):
            for route in host.get("routes", ()):
                split = route.get("route", {}).get("weighted_clusters")
                if split:
                    prefix = split.get("runtime_key_prefix", "")
                    weights = (
                        (each["name"].split("/")[1], float(overlay.get(f"{prefix}.{each['name']}", each["weight"])))
                        for each in split["clusters"]
                    )
                    return _percent(weights)
    return None


def _state(status: CanaryStatus) -> tuple[str, int, int]:
    return status.phase, status.canary_weight, status.failed_checks


def _percent(weights: Iterable[tuple[str, float | None]]) -> float | None:
    by_name = {name: 1.0 if weight is None else weight for name, weight in weights}
    total = sum(by_name.values())
    return 100 * by_name["shop-canary"] / total if total and "shop-canary" in by_name else None


def _most(weights: Iterable[Weight]) -> float:
    return max((weight.percent or 0.0 for weight in weights), default=0.0) / 100
