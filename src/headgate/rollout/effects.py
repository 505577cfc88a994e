"""What a rollout wants done, as values; `headgate.controllers.rollout` performs them.

Effects on objects are performed in order, up to the first that fails. Each is safe to repeat: after a crash the next
decision returns again what is still missing. `Notify` effects are performed after all others and never stop them.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.api.json_pointer import pointer
from headgate.api.meta import Key, Object

from .queries import HTTPRequest, Query

Json = dict[str, Any]


class Create(msgspec.Struct, frozen=True):
    """Create an object. If the API has it by then, the next decision reads it."""

    type: type[Object]
    object: Json

    @property
    def key(self) -> Key:
        """The object's identity."""
        return Key(self.object["metadata"].get("namespace", ""), self.object["metadata"]["name"])

    def __repr__(self) -> str:  # never the bytes of a Secret
        return f"Create({self.type.__name__} {self.key})"


class Patch(msgspec.Struct, frozen=True):
    """A JSON Patch of an object. Its `test` operations are preconditions; if one fails, we read and decide again."""

    type: type[Object]
    key: Key
    operations: tuple[Json, ...]
    subresource: str = ""

    def __repr__(self) -> str:
        paths = ", ".join(f"{operation['op']} {operation['path']}" for operation in self.operations)
        return f"Patch({self.type.__name__} {self.key} {paths})"


class EmitEvent(msgspec.Struct, frozen=True):
    """An event on the Canary (reason `Synced`, component `flagger`, as dashboards for Flagger expect)."""

    type: Literal["Normal", "Warning"]
    message: str


class CountRollout(msgspec.Struct, frozen=True):
    """A rollout ended: increment `flagger_canary_successes_total` or `flagger_canary_failures_total`."""

    outcome: Literal["success", "failure"]
    strategy: str
    analysis: Literal["completed", "skipped"]


class ObserveMetric(msgspec.Struct, frozen=True):
    """The value of a metric of the analysis, for the gauge `flagger_canary_metric_analysis`."""

    metric: str
    value: float


class Notify(msgspec.Struct, frozen=True):
    """A request that informs another system: an alert, an event webhook. If it fails, that is an event of the Canary.

    Attributes:
        name: what sends it, for the event: `alert on-call`.
    """

    name: str
    request: HTTPRequest

    def __repr__(self) -> str:  # the URL may be a secret
        return f"Notify({self.name})"


Effect = Create | Patch | EmitEvent | CountRollout | ObserveMetric | Notify


class Memory(msgspec.Struct, frozen=True):
    """What one process remembers of a Canary between decisions. Losing it (a crash) costs at most one early tick.

    Attributes:
        last_tick: when the analysis last took a step or a measurement, seconds since the epoch.
        last_wait_event: when an event last named what the rollout waits for, seconds since the epoch.
    """

    last_tick: float | None = None
    last_wait_event: float | None = None


class Decision(msgspec.Struct, frozen=True):
    """The output of `decide`.

    Attributes:
        queries: if there are any, run them, add their results to the snapshot and decide again. Nothing else is done.
        effects: if there are any, perform them and decide again.
        requeue_at: without queries and effects, when to decide again even if nothing changes, seconds since the epoch.
        memory: what to remember until the next decision.
        rule: the name of the rule that decided, for logs and tests.
    """

    effects: tuple[Effect, ...] = ()
    queries: tuple[Query, ...] = ()
    requeue_at: float | None = None
    memory: Memory = Memory()
    rule: str = ""


def normal(message: str) -> EmitEvent:
    """An event of type Normal."""
    return EmitEvent("Normal", message)


def warning(message: str) -> EmitEvent:
    """An event of type Warning."""
    return EmitEvent("Warning", message)


def merge_map(path: tuple[str, ...], current: Json | None, desired: Mapping[str, str]) -> list[Json]:
    """The operations that put entries into a map of strings (labels, annotations) and leave all others alone."""
    if not desired:
        return []
    if not current:
        return [{"op": "add", "path": pointer(*path), "value": dict(desired)}]
    return [
        {"op": "add", "path": pointer(*path, key), "value": value}
        for key, value in desired.items()
        if current.get(key) != value
    ]
