"""The observations of the demo: objects from its watches, and responses to its requests."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headgate.api.core import Event
from headgate.api.delivery import Canary
from headgate.api.gateway import Gateway, HTTPRoute
from headgate.api.meta import Key, Object
from headgate.cli.demo.scenario import SHOP
from headgate.kube.client import Client
from headgate.kube.watch import Batch, follow
from headgate.traffic import RequestResult, Tally

#: The number of traffic samples behind the live view, and the seconds between two samples.
SAMPLES, SAMPLE_EVERY = 12, 0.25


def who_answered(outcome: RequestResult) -> str:
    """`primary` or `canary` by the body of headgate-echo (`shop-primary 1.0.0`); else `gateway` (Envoy)."""
    owner = outcome.body.partition(b" ")[0]
    return {b"shop-primary": "primary", b"shop": "canary"}.get(owner, "gateway")


@dataclass(frozen=True)
class WeightChange:
    """A change of the route's weights, and the request counts at that moment."""

    weights: tuple[int, int]
    before: Tally


@dataclass
class Observations:
    """The observed state. `changed` is set on every change."""

    gateway: Gateway | None = None
    canary: Canary | None = None
    route: HTTPRoute | None = None
    phases: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    steps: list[WeightChange] = field(default_factory=list)
    tally: Tally = field(default_factory=lambda: Tally(who_answered))
    samples: deque[Tally] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: list[Callable[[str], None]] = field(default_factory=list)
    _counts: dict[Key, int] = field(default_factory=dict)

    @property
    def weights(self) -> tuple[int, int] | None:
        """The weights of primary and canary in the route; None if no rule has both."""
        for rule in self.route.spec.rules if self.route else ():
            weights = {ref.name: ref.weight for ref in rule.backend_refs}
            if {f"{SHOP.name}-primary", f"{SHOP.name}-canary"} <= set(weights):
                return weights[f"{SHOP.name}-primary"], weights[f"{SHOP.name}-canary"]
        return None

    @property
    def recent(self) -> Tally:
        """The traffic of the last seconds."""
        return self.tally.since(self.samples[0]) if self.samples else self.tally

    def sample(self) -> None:
        """Record the current counts."""
        self.samples.append(self.tally.copy())

    def observe(self, obj: Object) -> None:
        """Record an object from a watch."""
        before = self.weights
        if isinstance(obj, Canary):
            self.canary = obj
            if obj.status.phase and self.phases[-1:] != [obj.status.phase]:
                self.phases.append(obj.status.phase)
                self.report(f"phase {obj.status.phase}")
        elif isinstance(obj, HTTPRoute):
            self.route = obj
            if self.weights != before and self.weights is not None:
                self.steps.append(WeightChange(self.weights, self.tally.copy()))
                self.report("weights {} / {}".format(*self.weights))
        elif isinstance(obj, Gateway):
            self.gateway = obj
        elif isinstance(obj, Event):
            self._event(obj)
        self.changed.set()

    def _event(self, event: Event) -> None:
        if event.involved_object.kind != "Canary" or self._counts.get(event.key) == event.count:
            return
        self._counts[event.key] = event.count
        again = f" (×{event.count})" if event.count > 1 else ""
        text = f"{event.type} {event.message}{again}"
        self.events.append(text)
        self.report(text)

    def report(self, text: str) -> None:
        """Send a line to all listeners."""
        for listener in self.listeners:
            listener(text)

    async def wait_for(self, condition: Callable[[], bool], deadline: float) -> bool:
        """Wait for a condition. Returns False if `deadline` seconds pass first."""
        try:
            async with asyncio.timeout(deadline):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True


async def watch(client: Client, observations: Observations) -> None:
    """Record objects and samples until cancelled."""

    def sink(batch: Batch[Any]) -> None:
        for change in batch.changes:
            if change.object is not None and (isinstance(change.object, Event) or change.key == SHOP):
                observations.observe(change.object)

    kinds: tuple[type[Object], ...] = (Gateway, Canary, HTTPRoute, Event)
    async with asyncio.TaskGroup() as tasks:
        for cls in kinds:
            tasks.create_task(follow(client, cls, sink, namespace=SHOP.namespace))
        tasks.create_task(_sample(observations))


async def _sample(observations: Observations) -> None:
    while True:
        await asyncio.sleep(SAMPLE_EVERY)
        observations.sample()
