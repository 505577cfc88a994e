"""Which versions an API serves of kinds that CustomResourceDefinitions define, as definitions are created and deleted.

The metadata of all CustomResourceDefinitions is watched (a cluster may have hundreds, of half a megabyte each); the
definitions of our kinds are read when they change. A kind is watched at the newest served version that `codec` knows,
from the moment when its definition is created; when the definition is deleted, all its objects are.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Never, TypeVar

import structlog

from headgate.api import codec
from headgate.api.definitions import CustomResourceDefinition, Served, served
from headgate.api.meta import Object

from .client import ApiError, Client, selection
from .watch import DEFAULT_TIMING, Batch, Follower, WatchTiming, follow

T = TypeVar("T", bound=Object)

_log = structlog.get_logger("headgate.kube.watch")


class ServedKinds:
    """What the API serves of some kinds. Listeners are called in the event loop whenever that may have changed."""

    def __init__(self, client: Client, kinds: Iterable[type[Object]], *, timing: WatchTiming = DEFAULT_TIMING) -> None:
        self._client = client
        self._timing = timing
        self._classes = {_definition_of(cls): cls for cls in kinds}
        self._served: dict[type[Object], Served] = {}
        #: Names of definitions that changed since they were read.
        self._waiting: set[str] = set()
        self._wake = asyncio.Event()
        self._listed = False
        self._listeners: list[Callable[[], None]] = []
        #: Whether every definition that existed at the start has been read.
        self.complete = False
        self._logged: dict[type[Object], str] = {}

    def __contains__(self, cls: type[Object]) -> bool:
        """Whether this is one of the kinds."""
        return _definition_of(cls) in self._classes

    def served(self, cls: type[Object]) -> Served | None:
        """What the API serves of a kind; None if it serves no version that `codec` knows."""
        return self._served.get(cls)

    def all_served(self) -> Mapping[type[Object], Served]:
        """What the API serves, by kind."""
        return dict(self._served)

    def listen(self, changed: Callable[[], None]) -> None:
        """Call `changed` after each change, and at once if the definitions have been read already."""
        self._listeners.append(changed)
        if self.complete:
            changed()

    async def run(self) -> Never:
        """Watch the definitions until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                follow(self._client, CustomResourceDefinition, self._see, metadata_only=True, timing=self._timing)
            )
            tasks.create_task(self._keep_reading())
        raise AssertionError("tasks do not end")

    def _see(self, batch: Batch[CustomResourceDefinition]) -> None:
        names = [change.key.name for change in batch.changes] + [key.name for key, _ in batch.broken]
        self._waiting.update(name for name in names if name in self._classes)
        self._listed = self._listed or batch.synced
        self._wake.set()

    async def _keep_reading(self) -> Never:
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            names, self._waiting = sorted(self._waiting), set()
            errors = await asyncio.gather(*(self._read(name) for name in names))
            if self._listed and not self._waiting:
                self.complete = True
            if self.complete:
                self._notify()
            failures = failures + 1 if any(errors) else 0
            if failures:
                _log.warning("reading a CustomResourceDefinition failed, retrying", error=next(filter(None, errors)))
                await asyncio.sleep(self._timing.backoff.delay(failures))
                self._wake.set()

    async def _read(self, name: str) -> str:
        """Read a definition; an error message if it has to be read again."""
        try:
            self._take(self._classes[name], await self._get(name))
        except ApiError as error:
            self._waiting.add(name)
            return str(error)
        except codec.DecodeError as error:
            _log.error(
                "CustomResourceDefinition does not decode; treating its kind as not served", name=name, error=str(error)
            )
            self._take(self._classes[name], None)
        return ""

    async def _get(self, name: str) -> CustomResourceDefinition | None:
        try:
            return await self._client.get(CustomResourceDefinition, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _take(self, cls: type[Object], definition: CustomResourceDefinition | None) -> None:
        current = served(definition, _versions(cls)) if definition is not None else None
        if current is None:
            self._served.pop(cls, None)
            return
        self._client.use_version(cls, current.version)
        self._served[cls] = current

    def _notify(self) -> None:
        for cls in self._classes.values():
            self._log_version(cls)
        for changed in self._listeners:
            changed()

    def _log_version(self, cls: type[Object]) -> None:
        """Log the version of a kind, once per change."""
        kind, current = codec.kind_of(cls), self._served.get(cls)
        version = current.version if current is not None else ""
        if self._logged.get(cls) == version:
            return
        self._logged[cls] = version
        if version:
            _log.info("watched", kind=kind.kind, version=f"{kind.group}/{version}")
        else:
            _log.info("not served: will be watched once it is", kind=kind.kind, group=kind.group)


async def follow_served(
    served_kinds: ServedKinds,
    client: Client,
    cls: type[T],
    sink: Callable[[Batch[T]], None],
    *,
    namespace: str | None = None,
    label_selector: str | None = None,
    field_selector: str | None = None,
    timing: WatchTiming = DEFAULT_TIMING,
) -> Never:
    """As `watch.follow`, at the served version of the kind. While it is not served, the collection is empty."""
    selectors = selection(label_selector, field_selector)
    follower = Follower(client, cls, sink, namespace, selectors, timing, probe_versions=False)
    changed = asyncio.Event()
    served_kinds.listen(changed.set)
    while not served_kinds.complete:
        await changed.wait()
        changed.clear()
    while True:
        current = served_kinds.served(cls)
        if current is None:
            follower.clear()
            await _until(lambda: served_kinds.served(cls) is not None, changed)
            continue
        await _follow_while(follower, partial(_is_another, served_kinds, cls, current), changed)


async def _follow_while(follower: Follower[Any], over: Callable[[], bool], changed: asyncio.Event) -> None:
    """Run the follower until `over()`; its next run lists again."""
    following = asyncio.create_task(follower.run())
    waiting = asyncio.create_task(_until(over, changed))
    try:
        await asyncio.wait((following, waiting), return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            await following  # only an error ends it
    finally:
        for task in (following, waiting):
            task.cancel()
        await asyncio.gather(following, waiting, return_exceptions=True)
    follower.relist()


async def _until(true: Callable[[], bool], changed: asyncio.Event) -> None:
    while not true():
        changed.clear()
        await changed.wait()


def _is_another(served_kinds: ServedKinds, cls: type[Object], then: Served) -> bool:
    now = served_kinds.served(cls)
    return now is None or (now.version, now.uid) != (then.version, then.uid)


def _definition_of(cls: type[Object]) -> str:
    kind = codec.kind_of(cls)
    return f"{kind.plural}.{kind.group}"


def _versions(cls: type[Object]) -> tuple[str, ...]:
    kind = codec.kind_of(cls)
    return (kind.version, *kind.other_versions)
