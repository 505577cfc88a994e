"""Watches: one per kind. A batch of changes is applied to the world, then one pass runs."""

import asyncio
from collections.abc import Callable
from typing import Any

from headgate.api import codec
from headgate.api.meta import Key, Object, Ref
from headgate.kube.client import Client
from headgate.kube.errors import ApiError
from headgate.kube.served_kinds import ServedKinds, follow_served
from headgate.kube.watch import Batch, follow
from headgate.world import World
from headgate.world.kinds import WatchedKind
from headgate.world.objects import KIND_NAMED, KINDS, SETTINGS, Definitions
from headgate.world.trim import Interner

from . import fleet_objects
from .reference_barrier import ReferenceBarrier

#: The collection of the CustomResourceDefinitions, among the names of those that are not complete yet.
_DEFINITIONS = "definitions"


class WorldWatches:
    """Watches of every kind in the world, and of the objects of Envoys' fleets.

    Args:
        served_kinds: which of the kinds are served, and with which fields.
        observe: called with each change of an object of a fleet: kind, key, object (None: deleted).
        on_changed: called with the kind and the keys of a batch, after the world was set.
        run_pass: called once per batch when all collections are complete.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        served_kinds: ServedKinds,
        *,
        observe: Callable[[type[Object], Key, Object | None], None],
        on_changed: Callable[[type[Object], list[Key]], None],
        run_pass: Callable[[], None],
    ) -> None:
        self._client = client
        self._world = world
        self._served_kinds = served_kinds
        self._observe = observe
        self._on_changed = on_changed
        self._run_pass = run_pass
        self._interner = Interner()
        self._barrier = ReferenceBarrier(world, lambda: self.synced, on_changed, run_pass, self._is_absent)
        #: Names of the optional kinds that the API server serves.
        self._optional_served: set[str] = set()
        self._pending = {_DEFINITIONS, *(kind.name for kind in KINDS), *map(_name, fleet_objects.KINDS)}
        served_kinds.listen(self._set_definitions)

    @property
    def synced(self) -> bool:
        """Whether every collection was listed completely once."""
        return not self._pending

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for kind in KINDS:
                    tasks.create_task(self._follow(kind))
                for cls in fleet_objects.KINDS:
                    sink = self._fleet_sink(cls)
                    tasks.create_task(follow(self._client, cls, sink, label_selector=fleet_objects.SELECTOR))
        finally:
            self._barrier.stop()

    async def _follow(self, kind: WatchedKind[Any]) -> None:
        sink = self._sink(kind)
        if kind.type in self._served_kinds:
            await follow_served(self._served_kinds, self._client, kind.type, sink)
        else:
            await follow(self._client, kind.type, sink, field_selector=kind.field_selector)

    def _sink(self, kind: WatchedKind[Any]) -> Callable[[Batch[Any]], None]:
        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                new = change.object
                if new is not None and kind.trim is not None:
                    new = kind.trim(new, self._interner)
                self._barrier.apply(kind.type, change.key, new)
            self._on_changed(kind.type, [change.key for change in batch.changes])
            if kind.optional and batch.served != (kind.name in self._optional_served):
                self._optional_served ^= {kind.name}
                if _DEFINITIONS not in self._pending:
                    self._set_definitions()
            self._complete(kind.name, synced=batch.synced)

        return sink

    def _fleet_sink(self, cls: type[Object]) -> Callable[[Batch[Any]], None]:
        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                self._observe(cls, change.key, change.object)
            self._complete(_name(cls), synced=batch.synced)

        return sink

    def _set_definitions(self) -> None:
        """CustomResourceDefinitions came, changed or went."""
        served = {
            codec.kind_of(cls).kind: definition
            for cls, definition in self._served_kinds.all_served().items()
            if cls in self._world.sources
        }
        fields = {name: definition.fields for name, definition in served.items()}
        fields |= dict.fromkeys(self._optional_served, frozenset())
        releases = {name: definition.release for name, definition in served.items()}
        self._world.definitions.set(SETTINGS, Definitions(fields, releases))
        self._complete(_DEFINITIONS, synced=True)

    def _complete(self, collection: str, *, synced: bool) -> None:
        if synced:
            self._pending.discard(collection)
        if self.synced:
            self._run_pass()

    async def _is_absent(self, reference: Ref) -> bool:
        """Whether the API server has no such object; False if it does not answer."""
        cls = KIND_NAMED[reference.kind].type
        try:
            await self._client.request("GET", self._client.path(cls, reference.namespace, reference.name))
        except ApiError as error:
            return error.reason == "NotFound"
        return False


def _name(cls: type[Object]) -> str:
    """The name of a collection of objects of fleets."""
    return f"{codec.kind_of(cls).kind} of fleets"
