"""What a rollout wants done. Effects are values; `headgate.controllers.rollout` performs them in order and stops at the
first that fails. Each is safe to repeat: after a crash the next decision wants again what is still missing.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.api.meta import Key, Object

Json = dict[str, Any]


class Create(msgspec.Struct, frozen=True):
    """Create an object that is not there; if it is there meanwhile, the next decision looks at it."""

    type: type[Object]
    object: Json

    @property
    def key(self) -> Key:
        """The object's identity."""
        return Key(self.object["metadata"].get("namespace", ""), self.object["metadata"]["name"])

    def __repr__(self) -> str:  # never the bytes of a Secret
        return f"Create({self.type.__name__} {self.key})"


class Patch(msgspec.Struct, frozen=True):
    """A JSON Patch of an object. Its `test` operations say what must still be so; if not, we look and decide again."""

    type: type[Object]
    key: Key
    operations: tuple[Json, ...]
    subresource: str = ""

    def __repr__(self) -> str:
        paths = ", ".join(f"{operation['op']} {operation['path']}" for operation in self.operations)
        return f"Patch({self.type.__name__} {self.key} {paths})"


class Record(msgspec.Struct, frozen=True):
    """An event on the Canary (reason `Synced`, component `flagger`, as people's dashboards expect)."""

    type: Literal["Normal", "Warning"]
    message: str


class Count(msgspec.Struct, frozen=True):
    """A rollout ended; the exported counters count it."""

    outcome: Literal["success", "failure"]
    strategy: str
    analysis: Literal["completed", "skipped"]


class Measured(msgspec.Struct, frozen=True):
    """The value of a metric of the analysis, for the exported gauge."""

    metric: str
    value: float


Effect = Create | Patch | Record | Count | Measured


class Memory(msgspec.Struct, frozen=True):
    """What one process remembers of a Canary between decisions. Losing it (a crash) costs at most one early tick."""

    #: When the analysis last took a step or a measurement.
    ticked: float | None = None
    #: When it was last said that the rollout waits.
    said: float | None = None


class Decision(msgspec.Struct, frozen=True):
    """The answer of the machine.

    With `questions`, nothing is to be done yet: ask them and decide again with the answers. With `effects`, perform
    them and decide again. Otherwise wait for a change, or until `wake`.
    """

    effects: tuple[Effect, ...] = ()
    questions: tuple[Any, ...] = ()
    wake: float | None = None
    memory: Memory = Memory()
    #: The number of the rule that spoke, for logs and tests.
    rule: str = ""


Answers = Mapping[Any, Any]


def normal(message: str) -> Record:
    """An event of type Normal."""
    return Record("Normal", message)


def warning(message: str) -> Record:
    """An event of type Warning."""
    return Record("Warning", message)


def pointer(*parts: str | int) -> str:
    """A JSON pointer: `pointer("metadata", "labels", "a/b")` -> `/metadata/labels/a~1b`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def merge_map(path: tuple[str, ...], there: Json | None, wanted: Mapping[str, str]) -> list[Json]:
    """The operations that put entries into a map of strings (labels, annotations) and leave all others alone."""
    if not wanted:
        return []
    if not there:
        return [{"op": "add", "path": pointer(*path), "value": dict(wanted)}]
    return [
        {"op": "add", "path": pointer(*path, key), "value": value}
        for key, value in wanted.items()
        if there.get(key) != value
    ]
