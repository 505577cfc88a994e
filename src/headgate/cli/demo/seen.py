"""What the demo knows: the objects that its watches bring, and the answers to its requests."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headgate.api.core import Event
from headgate.api.delivery import Canary
from headgate.api.gateway import Gateway, HTTPRoute
from headgate.api.meta import Key, Object
from headgate.cli.demo.scene import SHOP
from headgate.kube.client import Client
from headgate.kube.watch import Batch, follow
from headgate.traffic import Outcome, Tally

#: Samples of the traffic that the live view looks back over, and seconds between two of them.
SAMPLES, SAMPLE_EVERY = 12, 0.25


def who_answered(outcome: Outcome) -> str:
    """primary or canary by the line that headgate-echo answers (`shop-primary 1.0.0`); gateway if Envoy itself did."""
    owner = outcome.body.partition(b" ")[0]
    return {b"shop-primary": "primary", b"shop": "canary"}.get(owner, "gateway")


@dataclass(frozen=True)
class Step:
    """From when the route said these weights: the counts at that moment."""

    weights: tuple[int, int]
    before: Tally


@dataclass
class Seen:
    """The state of the stage. `changed` is set whenever something in it changes."""

    gateway: Gateway | None = None
    canary: Canary | None = None
    route: HTTPRoute | None = None
    phases: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    tally: Tally = field(default_factory=lambda: Tally(who_answered))
    samples: deque[Tally] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: list[Callable[[str], None]] = field(default_factory=list)
    _counts: dict[Key, int] = field(default_factory=dict)

    @property
    def weights(self) -> tuple[int, int] | None:
        """The weights of primary and canary in the route; None without a rule that splits between them."""
        for rule in self.route.spec.rules if self.route else ():
            found = {ref.name: ref.weight for ref in rule.backend_refs}
            if {f"{SHOP.name}-primary", f"{SHOP.name}-canary"} <= set(found):
                return found[f"{SHOP.name}-primary"], found[f"{SHOP.name}-canary"]
        return None

    @property
    def recent(self) -> Tally:
        """The traffic of the last seconds."""
        return self.tally.since(self.samples[0]) if self.samples else self.tally

    def sample(self) -> None:
        """Remember the counts as they are now."""
        self.samples.append(self.tally.copy())

    def take(self, obj: Object) -> None:
        """Note an object as it is now."""
        before = self.weights
        if isinstance(obj, Canary):
            self.canary = obj
            if obj.status.phase and self.phases[-1:] != [obj.status.phase]:
                self.phases.append(obj.status.phase)
                self.say(f"phase {obj.status.phase}")
        elif isinstance(obj, HTTPRoute):
            self.route = obj
            if self.weights != before and self.weights is not None:
                self.steps.append(Step(self.weights, self.tally.copy()))
                self.say("weights {} / {}".format(*self.weights))
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
        self.say(text)

    def say(self, text: str) -> None:
        """Tell whoever listens."""
        for listener in self.listeners:
            listener(text)

    async def until(self, condition: Callable[[], bool], deadline: float) -> bool:
        """Whether the condition came true before the deadline."""
        try:
            async with asyncio.timeout(deadline):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True


async def watch(client: Client, seen: Seen) -> None:
    """Keep what is seen up to date until cancelled."""

    def sink(batch: Batch[Any]) -> None:
        for change in batch.changes:
            if change.object is not None and (isinstance(change.object, Event) or change.key == SHOP):
                seen.take(change.object)

    kinds: tuple[type[Object], ...] = (Gateway, Canary, HTTPRoute, Event)
    async with asyncio.TaskGroup() as tasks:
        for cls in kinds:
            tasks.create_task(follow(client, cls, sink, namespace=SHOP.namespace))
        tasks.create_task(_sample(seen))


async def _sample(seen: Seen) -> None:
    while True:
        await asyncio.sleep(SAMPLE_EVERY)
        seen.sample()
