"""Watches single objects by name, for as long as a pod uses them.

A node must not hold every Secret of a cluster. It watches exactly those that its pods name, each by a watch of its own.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from headgate.api.core import ConfigMap, Secret
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import Key, Object
from headgate.kube.client import Client
from headgate.kube.watch import Batch, follow
from headgate.workloads.endpoints import SERVICE_LABEL

#: Kind and name of an object; of an EndpointSlice, the name of its Service.
WatchedObject = tuple[type[Object], Key]


class _Watch:
    """The objects of one watch, and who uses it."""

    def __init__(self) -> None:
        self.objects: dict[Key, Any] = {}
        self.users: set[str] = set()
        self.synced = False
        self.task: asyncio.Task[Any] | None = None


class ObjectWatches:
    """ConfigMaps and Secrets by name, EndpointSlices by the name of their Service.

    `on_change` is called after each batch of changes.
    """

    def __init__(self, client: Client, on_change: Callable[[], None]) -> None:
        self._client = client
        self._on_change = on_change
        self._watches: dict[WatchedObject, _Watch] = {}

    def require(self, user: str, wanted: Iterable[WatchedObject]) -> None:
        """From now on `user` uses these objects, and no others."""
        wanted = set(wanted)
        for watched, watch in list(self._watches.items()):
            if user in watch.users and watched not in wanted:
                self._release(user, watched)
        for watched in wanted:
            watch = self._watches.get(watched) or self._follow(watched)
            watch.users.add(user)

    def release(self, user: str) -> None:
        """`user` uses no object any more."""
        self.require(user, ())

    def are_synced(self, wanted: Iterable[WatchedObject]) -> bool:
        """Whether it is known for each of these objects if it exists."""
        return all((watch := self._watches.get(watched)) is not None and watch.synced for watched in wanted)

    def config_maps(self) -> dict[Key, ConfigMap]:
        """The watched ones that exist."""
        return self._all(ConfigMap)

    def secrets(self) -> dict[Key, Secret]:
        """The watched ones that exist."""
        return self._all(Secret)

    def endpoint_slices(self, service: Key) -> list[EndpointSlice]:
        """The EndpointSlices of a Service that is used."""
        watch = self._watches.get((EndpointSlice, service))
        return list(watch.objects.values()) if watch else []

    def close(self) -> None:
        """End all watches."""
        for watch in self._watches.values():
            if watch.task:
                watch.task.cancel()

    def _all(self, cls: type[Object]) -> dict[Key, Any]:
        objects: dict[Key, Any] = {}
        for (kind, _), watch in self._watches.items():
            if kind is cls:
                objects |= watch.objects
        return objects

    def _follow(self, watched: WatchedObject) -> _Watch:
        cls, key = watched
        watch = self._watches[watched] = _Watch()

        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                if change.object is None:
                    watch.objects.pop(change.key, None)
                else:
                    watch.objects[change.key] = change.object
            watch.synced = watch.synced or batch.synced
            self._on_change()

        label = f"{SERVICE_LABEL}={key.name}" if cls is EndpointSlice else None
        field = None if cls is EndpointSlice else f"metadata.name={key.name}"
        watch.task = asyncio.get_running_loop().create_task(
            follow(self._client, cls, sink, namespace=key.namespace, label_selector=label, field_selector=field)
        )
        return watch

    def _release(self, user: str, watched: WatchedObject) -> None:
        watch = self._watches[watched]
        watch.users.discard(user)
        if not watch.users:
            del self._watches[watched]
            if watch.task:
                watch.task.cancel()
