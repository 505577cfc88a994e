"""Writes statuses: each object in one patch of our own fields and entries, and only when it does not say so already."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from headgate.api import gateway
from headgate.api.meta import Condition, Key, Object, Ref, Value
from headgate.controllers.work import WorkQueue
from headgate.kube import apply
from headgate.kube.client import Client
from headgate.kube.statuses import entries_patch, status_patch
from headgate.world import Outputs, World

#: How many statuses are written at the same time.
WRITERS = 16

Entries = tuple[gateway.RouteParentStatus, ...]


class StatusWriter:
    """What the program says about classes, Gateways and routes, brought to the API.

    Args:
        holding: whether we may write (the lease is ours); asked before every write.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        outputs: Outputs,
        controllers: tuple[str, ...],
        holding: Callable[[], bool],
    ) -> None:
        self._client = client
        self._world = world
        self._outputs = outputs
        self._controllers = controllers
        self._holding = holding
        self.queue: WorkQueue[tuple[type[Object], Key]] = WorkQueue("status", self._write, workers=WRITERS)
        self.writes = 0

    def add(self, cls: type[Object], key: Key) -> None:
        """Have an object's status looked at; nothing happens if the object already says what it should."""
        if self._differs(cls, key):
            self.queue.add((cls, key))

    def add_all(self) -> None:
        """Have every status looked at: after the first pass, or when the lease has become ours."""
        for key, _ in self._outputs.class_statuses.items():
            self.add(gateway.GatewayClass, key)
        for key, _ in self._outputs.gateway_statuses.items():
            self.add(gateway.Gateway, key)
        for key, route in self._world.routes.items():
            if self._outputs.route_statuses.get(route.ref) or self._ours(route.status.parents):
                self.add(gateway.HTTPRoute, key)

    def _ours(self, entries: Entries) -> Entries:
        return tuple(each for each in entries if each.controller_name in self._controllers)

    def _differs(self, cls: type[Object], key: Key) -> bool:
        if cls is gateway.HTTPRoute:
            route = self._world.routes.get(key)
            return route is not None and not _same(
                self._ours(route.status.parents), self._outputs.route_statuses.get(route.ref) or ()
            )
        if cls is gateway.Gateway:
            found, desired = self._world.gateways.get(key), self._outputs.gateway_statuses.get(key)
            return found is not None and desired is not None and not _same_gateway(found.status, desired)
        a_class, status = self._world.classes.get(key), self._outputs.class_statuses.get(key)
        return a_class is not None and status is not None and not _same_class(a_class.status, status)

    async def _write(self, item: tuple[type[Object], Key]) -> None:
        cls, key = item
        if not self._holding():
            return
        wrote = await apply.write(self._client, cls, key, lambda raw: self._patch(cls, key, raw), subresource="status")
        if wrote:
            self.writes += 1
            if cls is gateway.HTTPRoute and len(self._controllers) > 1:
                self.queue.add(item)  # entries are patched one controller name at a time

    def _patch(self, cls: type[Object], key: Key, raw: dict[str, Any]) -> list[dict[str, Any]]:
        if not self._holding():
            return []
        now = time.time()
        if cls is gateway.HTTPRoute:
            ref = Ref(cls.__name__, key.namespace, key.name)
            return self._patch_entries(self._outputs.route_statuses.get(ref) or (), raw, now)
        collection: Any = self._outputs.gateway_statuses if cls is gateway.Gateway else self._outputs.class_statuses
        desired: Value | None = collection.get(key)
        if desired is None or raw["metadata"].get("generation", 0) != _generation(desired):
            return []  # it has changed since; a later pass knows more
        return status_patch(raw, desired, now)

    def _patch_entries(self, desired: Entries, raw: dict[str, Any], now: float) -> list[dict[str, Any]]:
        generation = raw["metadata"].get("generation", 0)
        if any(condition.observed_generation != generation for each in desired for condition in each.conditions):
            return []
        for controller in self._controllers:
            mine = [each for each in desired if each.controller_name == controller]
            operations = entries_patch(raw, ("status", "parents"), mine, controller=controller, now=now)
            if operations:
                return operations
        return []


def _generation(desired: Value) -> int:
    conditions: tuple[Condition, ...] = getattr(desired, "conditions", ())
    return conditions[0].observed_generation if conditions else 0


def _timeless(condition: Condition) -> Condition:
    return msgspec.structs.replace(condition, last_transition_time="")


def _by_type(conditions: tuple[Condition, ...]) -> dict[str, Condition]:
    return {condition.type: _timeless(condition) for condition in conditions}


def _same(present: tuple[Any, ...], desired: tuple[Any, ...]) -> bool:
    """Whether conditions, or entries with conditions, say the same; times, order of types and foreign types aside."""
    if desired and isinstance(desired[0], Condition):
        there = _by_type(present)
        return all(there.get(each.type) == _timeless(each) for each in desired)
    if len(present) != len(desired):
        return False
    return all(
        msgspec.structs.replace(old, conditions=()) == msgspec.structs.replace(new, conditions=())
        and _same(old.conditions, new.conditions)
        for old, new in zip(present, desired, strict=True)
    )


def _same_class(present: gateway.GatewayClassStatus, desired: gateway.GatewayClassStatus) -> bool:
    features = present.supported_features == desired.supported_features
    return features and _same(present.conditions, desired.conditions)


def _same_gateway(present: gateway.GatewayStatus, desired: gateway.GatewayStatus) -> bool:
    return (
        present.addresses == desired.addresses
        and _same(present.conditions, desired.conditions)
        and _same(present.listeners, desired.listeners)
    )
