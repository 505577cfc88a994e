"""Writes statuses: one patch per object, of the fields and entries of this controller, and only if they differ."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from headgate.api.definitions import Served
from headgate.api.meta import Condition, Key, Object, Ref, Value
from headgate.controllers.work_queue import WorkQueue
from headgate.kube import apply
from headgate.kube.client import Client
from headgate.kube.served_kinds import ServedKinds
from headgate.kube.statuses import status_patch
from headgate.world import Outputs, World
from headgate.world.objects import KINDS
from headgate.world.statuses import OwnedStatus

#: How many objects are written at the same time.
WRITERS = 16

#: Attributes of a status that are lists of entries of several controllers.
_ENTRIES = ("parents", "ancestors")


class StatusWriter:
    """Brings the desired statuses to the API server.

    Args:
        controllers: controller names; entries with one of them are the controller's.
        is_leader: whether this replica may write; asked before every write.
        served_kinds: the kinds that are served; a field that the CustomResourceDefinition lacks is not written.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        outputs: Outputs,
        controllers: tuple[str, ...],
        is_leader: Callable[[], bool],
        served_kinds: ServedKinds,
    ) -> None:
        self._client = client
        self._sources = world.sources
        self._outputs = outputs
        self._controllers = controllers
        self._is_leader = is_leader
        self._owned: dict[type[Object], OwnedStatus] = {kind.type: kind.status for kind in KINDS if kind.status}
        self._served_kinds = served_kinds
        self.queue: WorkQueue[tuple[type[Object], Key]] = WorkQueue("status", self._write, workers=WRITERS)
        self.writes = 0
        self._attributes: dict[type[Object], tuple[Served | None, tuple[str, ...]]] = {}

    def add(self, cls: type[Object], key: Key) -> None:
        """Have an object's status written, if it differs from the desired one."""
        if self._differs(cls, key):
            self.queue.add((cls, key))

    def add_all(self) -> None:
        """Have every status written that differs: after the first pass, or when this replica begins to lead."""
        for cls in self._owned:
            for key, _ in self._sources[cls].items():
                self.add(cls, key)

    def _desired(self, cls: type[Object], key: Key) -> Value | None:
        """The status that an object should have; None: the object is not the controller's."""
        return self._owned[cls].desired(self._outputs, Ref(cls.__name__, key.namespace, key.name))

    def _fields(self, cls: type[Object], status: Value) -> tuple[str, ...]:
        """The attributes of a status that the installed definition has."""
        served = self._served_kinds.served(cls)
        known = self._attributes.get(cls)
        if known is None or known[0] is not served:
            known = self._attributes[cls] = (served, _attributes(status, served))
        return known[1]

    def _differs(self, cls: type[Object], key: Key) -> bool:
        current, desired = self._sources[cls].get(key), self._desired(cls, key)
        if current is None or desired is None:
            return False
        owned = self._owned[cls]
        return any(
            not self._same(name, owned, getattr(current.status, name), getattr(desired, name))
            for name in self._fields(cls, desired)
        )

    def _same(self, name: str, owned: OwnedStatus, present: Any, desired: Any) -> bool:
        if name == "conditions":
            return _same_conditions(present, desired, owned.conditions)
        if name in _ENTRIES:
            own = [entry for entry in present if entry.controller_name in self._controllers]
            return _same_items(own, desired, _belongs, owned.conditions)
        if name == "listeners":
            return _same_items(present, desired, _name, owned.listener_conditions)
        return bool(present == desired)

    async def _write(self, item: tuple[type[Object], Key]) -> None:
        cls, key = item
        if not self._is_leader():
            return
        wrote = await apply.patch_with_retry(
            self._client, cls, key, lambda raw: self._patch(cls, key, raw), subresource="status"
        )
        self.writes += wrote

    def _patch(self, cls: type[Object], key: Key, raw: dict[str, Any]) -> list[dict[str, Any]]:
        desired = self._desired(cls, key)
        if not self._is_leader() or desired is None:
            return []
        if _generations(desired) - {raw["metadata"].get("generation", 0)}:
            return []  # the object changed since; a later pass computes its status
        owned = self._owned[cls]
        return status_patch(
            raw,
            desired,
            time.time(),
            controllers=self._controllers,
            owned_conditions=owned.conditions,
            owned_in_items=owned.listener_conditions,
            fields=self._fields(cls, desired),
        )


def _attributes(status: Value, served: Served | None) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in msgspec.structs.fields(status)
        if served is None or f"status.{field.encode_name}" in served.fields
    )


def _generations(desired: Value) -> set[int]:
    """The generations that a status was computed from: one, or none if it has no conditions."""
    holders = [desired, *(entry for name in _ENTRIES for entry in getattr(desired, name, ()))]
    return {condition.observed_generation for holder in holders for condition in getattr(holder, "conditions", ())}


# ── comparing: without times, order, and what other controllers wrote ────────


def _same_conditions(present: tuple[Condition, ...], desired: tuple[Condition, ...], owned: tuple[str, ...]) -> bool:
    wanted = {condition.type: _timeless(condition) for condition in desired}
    compared = [condition for condition in present if condition.type in wanted or condition.type in owned]
    there = {condition.type: _timeless(condition) for condition in compared}
    return there == wanted


def _same_items(present: Any, desired: Any, identity: Callable[[Any], Any], owned: tuple[str, ...]) -> bool:
    """Whether entries or listeners, each with conditions, are the same."""
    wanted = {identity(item): item for item in desired}
    there = {identity(item): item for item in present}
    return (
        len(there) == len(present)
        and there.keys() == wanted.keys()
        and all(
            msgspec.structs.replace(there[at], conditions=()) == msgspec.structs.replace(new, conditions=())
            and _same_conditions(there[at].conditions, new.conditions, owned)
            for at, new in wanted.items()
        )
    )


def _timeless(condition: Condition) -> Condition:
    return msgspec.structs.replace(condition, last_transition_time="")


def _name(listener: Any) -> Any:
    return listener.name


def _belongs(entry: Any) -> Any:
    return entry.controller_name, getattr(entry, "parent_ref", None) or getattr(entry, "ancestor_ref", None)
