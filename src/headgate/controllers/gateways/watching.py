"""Watches feed the world: one follower per kind, each change set at once, one pass per batch."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from headgate.api import apps, core, discovery, gateway
from headgate.api.meta import Key, Object
from headgate.incremental import Source
from headgate.kube.client import Client
from headgate.kube.watch import Batch, follow
from headgate.world import World

from .fleets import SELECTOR, FleetKeeper

_log = structlog.get_logger("headgate.controllers.gateways")


class Watching:
    """Followers of everything that the program reads.

    Args:
        seen: called with the kind and the keys that a batch brought, after the world was set.
        step: called once per batch when all collections are complete.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        fleets: FleetKeeper,
        seen: Callable[[type[Object], list[Key]], None],
        step: Callable[[], None],
    ) -> None:
        self._client = client
        self._fleets = fleets
        self._seen = seen
        self._step = step
        self._sources: dict[type[Object], Source[Any, Any]] = {
            gateway.GatewayClass: world.classes,
            gateway.Gateway: world.gateways,
            gateway.HTTPRoute: world.routes,
            gateway.ReferenceGrant: world.grants,
            core.Namespace: world.namespaces,
            core.Service: world.services,
            discovery.EndpointSlice: world.slices,
            core.Secret: world.secrets,
        }
        self._ours: dict[type[Object], dict[Key, Object]] = {apps.Deployment: {}, core.Pod: {}, core.Service: {}}
        self._pending: set[str] = {cls.__name__ for cls in self._sources} | {"our Deployment", "our Pod", "our Service"}

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
        async with asyncio.TaskGroup() as tasks:
            for cls in self._sources:
                # Secrets of other types are nobody's business here, and a controller must not hold them.
                selector = "type=kubernetes.io/tls" if cls is core.Secret else None
                tasks.create_task(follow(self._client, cls, self._into(cls), field_selector=selector))
            for ours in self._ours:
                tasks.create_task(follow(self._client, ours, self._into_fleet(ours), label_selector=SELECTOR))

    def _into(self, cls: type[Object]) -> Callable[[Batch[Any]], None]:
        source = self._sources[cls]

        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                if change.object is None:
                    source.delete(change.key)
                else:
                    source.set(change.key, change.object)
            for key, error in batch.broken:
                _log.error("an object cannot be read", kind=cls.__name__, key=str(key), error=str(error))
            self._seen(cls, [change.key for change in batch.changes])
            self._end(cls.__name__, batch)

        return sink

    def _into_fleet(self, cls: type[Object]) -> Callable[[Batch[Any]], None]:
        held = self._ours[cls]

        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                before = held.pop(change.key, None)
                if change.object is not None:
                    held[change.key] = change.object
                self._fleets.see(change.key, change.object, before)
            self._end(f"our {cls.__name__}", batch)

        return sink

    def _end(self, name: str, batch: Batch[Any]) -> None:
        if batch.synced:
            self._pending.discard(name)
        if self.synced:
            self._step()
