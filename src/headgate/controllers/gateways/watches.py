"""Watches feed the world: one follower per kind, each change set at once, one pass per batch."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from headgate.api import apps, certificates, codec, core
from headgate.api.meta import Key, Object, Ref
from headgate.kube.client import Client
from headgate.kube.defined import Defined, follow_defined
from headgate.kube.errors import ApiError
from headgate.kube.watch import Batch, follow
from headgate.world import World
from headgate.world.objects import SETTINGS, Definitions
from headgate.world.trim import Trimmer
from headgate.world.unresolved import LOOKED_FOR

from .fleets import SELECTOR, FleetKeeper
from .reference_barrier import ReferenceBarrier

#: Kinds without a definition that only some APIs have.
_NOT_EVERYWHERE = (certificates.ClusterTrustBundle,)

_log = structlog.get_logger("headgate.controllers.gateways")


class WorldWatches:
    """Followers of everything that the program reads.

    Args:
        defined: which of the kinds are served, and with which fields.
        seen: called with the kind and the keys that a batch brought, after the world was set.
        step: called once per batch when all collections are complete.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        defined: Defined,
        fleets: FleetKeeper,
        seen: Callable[[type[Object], list[Key]], None],
        step: Callable[[], None],
    ) -> None:
        self._client = client
        self._world = world
        self._defined = defined
        self._fleets = fleets
        self._seen = seen
        self._step = step
        self._sources = world.by_kind
        self._kept = Trimmer().trim
        self._arrivals = ReferenceBarrier(world, lambda: self.synced, seen, step, self._absent)
        self._ours: dict[type[Object], dict[Key, Object]] = {apps.Deployment: {}, core.Pod: {}, core.Service: {}}
        #: Kinds without a definition that only some APIs have, as far as this one has them.
        self._own: set[str] = set()
        self._pending: set[str] = {"definitions"}
        self._pending |= {cls.__name__ for cls in self._sources} | {f"our {cls.__name__}" for cls in self._ours}
        defined.listen(self._define)

    async def _absent(self, named: Ref) -> bool:
        """Whether the API has no such object."""
        try:
            await self._client.request("GET", self._client.path(LOOKED_FOR[named.kind], named.namespace, named.name))
        except ApiError as error:
            return error.reason == "NotFound"
        return False

    @property
    def synced(self) -> bool:
        """Whether every collection was listed completely once."""
        return not self._pending

    @property
    def pending(self) -> tuple[str, ...]:
        """The collections that are not complete yet."""
        return tuple(sorted(self._pending))

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            await self._follow()
        finally:
            self._arrivals.stop()

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for cls in self._sources:
                # Secrets of other types are nobody's business here, and a controller must not hold them.
                selector = "type=kubernetes.io/tls" if cls is core.Secret else None
                sink = self._into(cls)
                if cls in self._defined:
                    tasks.create_task(follow_defined(self._defined, self._client, cls, sink))
                else:
                    tasks.create_task(follow(self._client, cls, sink, field_selector=selector))
            for ours in self._ours:
                tasks.create_task(follow(self._client, ours, self._into_fleet(ours), label_selector=SELECTOR))

    def _define(self) -> None:
        """Definitions came, changed or went."""
        served = self._defined.all_served()
        kinds = {codec.kind_of(cls).kind: found for cls, found in served.items() if cls in self._sources}
        fields = {kind: found.fields for kind, found in kinds.items()} | dict.fromkeys(self._own, frozenset())
        releases = {kind: found.release for kind, found in kinds.items()}
        self._world.definitions.set(SETTINGS, Definitions(fields, releases))
        self._end("definitions", synced=True)

    def _into(self, cls: type[Object]) -> Callable[[Batch[Any]], None]:
        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                self._arrivals.take(cls, change.key, None if change.object is None else self._kept(change.object))
            for key, error in batch.broken:
                _log.error("an object cannot be read", kind=cls.__name__, key=str(key), error=str(error))
            self._seen(cls, [change.key for change in batch.changes])
            if cls in _NOT_EVERYWHERE and batch.served != (cls.__name__ in self._own):
                self._own ^= {cls.__name__}
                if "definitions" not in self._pending:
                    self._define()
            self._end(cls.__name__, synced=batch.synced)

        return sink

    def _into_fleet(self, cls: type[Object]) -> Callable[[Batch[Any]], None]:
        held = self._ours[cls]

        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                before = held.pop(change.key, None)
                if change.object is not None:
                    held[change.key] = change.object
                self._fleets.see(change.key, change.object, before)
            self._end(f"our {cls.__name__}", synced=batch.synced)

        return sink

    def _end(self, name: str, *, synced: bool) -> None:
        if synced:
            self._pending.discard(name)
        if self.synced:
            self._step()
