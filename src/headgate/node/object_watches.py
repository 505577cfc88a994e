"""Single objects that pods name, followed by name while somebody needs them.

A node must not hold every Secret of a cluster: it watches exactly those that its pods name, each by a watch of its own.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from headgate.api import codec
from headgate.api.core import ConfigMap, Secret
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import Key, Object
from headgate.kube.client import Client
from headgate.kube.watch import Batch, follow
from headgate.workloads.endpoints import SERVICE_LABEL

_log = structlog.get_logger("headgate.node")
_What = tuple[type[Object], Key]


class _Followed:
    """What one watch shows."""

    def __init__(self) -> None:
        self.objects: dict[Key, Any] = {}
        self.users: set[str] = set()
        self.synced = False
        self.task: asyncio.Task[Any] | None = None


class ObjectWatches:
    """ConfigMaps and Secrets by name, EndpointSlices by the name of their Service. Each change is told to `changed`."""

    def __init__(self, client: Client, changed: Callable[[], None]) -> None:
        self._client = client
        self._changed = changed
        self._followed: dict[_What, _Followed] = {}

    def require(self, user: str, wanted: Iterable[_What]) -> None:
        """From now on `user` needs these, and nothing else."""
        wanted = set(wanted)
        for what, followed in list(self._followed.items()):
            if user in followed.users and what not in wanted:
                self._let_go(user, what)
        for what in wanted:
            followed = self._followed.get(what) or self._follow(what)
            followed.users.add(user)

    def release(self, user: str) -> None:
        """`user` needs nothing any more."""
        self.require(user, ())

    def are_synced(self, wanted: Iterable[_What]) -> bool:
        """Whether it is known of all of these whether they exist."""
        return all((followed := self._followed.get(what)) is not None and followed.synced for what in wanted)

    def config_maps(self) -> dict[Key, ConfigMap]:
        """Those that exist."""
        return self._all(ConfigMap)

    def secrets(self) -> dict[Key, Secret]:
        """Those that exist."""
        return self._all(Secret)

    def endpoint_slices(self, service: Key) -> list[EndpointSlice]:
        """The EndpointSlices of a Service that somebody is interested in."""
        followed = self._followed.get((EndpointSlice, service))
        return list(followed.objects.values()) if followed else []

    def close(self) -> None:
        """Ends all watches."""
        for followed in self._followed.values():
            if followed.task:
                followed.task.cancel()

    def _all(self, cls: type[Object]) -> dict[Key, Any]:
        found: dict[Key, Any] = {}
        for (kind, _), followed in self._followed.items():
            if kind is cls:
                found |= followed.objects
        return found

    def _follow(self, what: _What) -> _Followed:
        cls, key = what
        followed = self._followed[what] = _Followed()

        def sink(batch: Batch[Any]) -> None:
            for change in batch.changes:
                if change.object is None:
                    followed.objects.pop(change.key, None)
                else:
                    followed.objects[change.key] = change.object
            for broken, error in batch.broken:
                _log.warning("not readable", kind=codec.kind_of(cls).kind, key=str(broken), error=str(error))
            followed.synced = followed.synced or batch.synced
            self._changed()

        label = f"{SERVICE_LABEL}={key.name}" if cls is EndpointSlice else None
        field = None if cls is EndpointSlice else f"metadata.name={key.name}"
        followed.task = asyncio.get_running_loop().create_task(
            follow(self._client, cls, sink, namespace=key.namespace, label_selector=label, field_selector=field)
        )
        return followed

    def _let_go(self, user: str, what: _What) -> None:
        followed = self._followed[what]
        followed.users.discard(user)
        if not followed.users:
            del self._followed[what]
            if followed.task:
                followed.task.cancel()
