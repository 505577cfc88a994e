"""Lists and watches a collection until cancelled, and delivers its changes as soon as their bytes arrive.

The rules, in the order in which `follow` applies them:

1. List in pages and deliver each page. The collection is *synced* once the last page was delivered.
2. Watch from the resourceVersion of the list, with bookmarks. All events of one read from the socket are one batch.
3. When a watch ends, continue from the last resourceVersion seen.
4. On 410 (the API no longer has that version), list again; deliver what changed, and a deletion of each object that is
   gone.
5. On any other error, wait (0.2 s doubling to 10 s, with jitter) and continue from the same version. An API that cannot
   be reached is tried at least every 2 s: when it is back, missed changes are urgent, and a refused connection costs it
   nothing. The log has one line per change of the error, not one per attempt.
6. 404 for a collection means that the API does not serve this version of the kind: try the older versions of the kind.
   If the API serves none, that is not an error: the collection is synced and empty, and is tried again slowly, because
   its CustomResourceDefinition may be created. (`served_kinds.follow_served` knows the served version; to it 404 is an
   error like others.)
7. An object that does not decode is logged, counted and delivered as *broken*, by its key; all others are delivered.
   What the consumer had of a broken object stays valid until it decodes again or is deleted.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Generic, Literal, Never, TypeVar

import msgspec
import structlog
from prometheus_client import Counter

from headgate.api import codec
from headgate.api.json_outline import outline
from headgate.api.meta import Key, Object

from . import identity
from .backoff import Backoff
from .client import JSON, METADATA, METADATA_LIST, ApiError, Client, UnreachableError, selection, status_error

T = TypeVar("T", bound=Object)

_log = structlog.get_logger("headgate.kube.watch")

BROKEN = Counter(
    "headgate_undecodable_objects",
    "Versions of objects that were received and did not decode; the log names the objects.",
    ["kind"],
)


class Change(msgspec.Struct, Generic[T], frozen=True):
    """An object was added or modified ("set", with the object) or deleted ("delete")."""

    kind: Literal["set", "delete"]
    key: Key
    object: T | None = None


class Batch(msgspec.Struct, Generic[T], frozen=True):
    """The changes of one read.

    `synced` is False until the first list is complete, True from then on. `broken` are the keys of objects that do not
    decode, with the reasons. `served` is False while the API does not serve the kind.
    """

    changes: tuple[Change[T], ...] = ()
    broken: tuple[tuple[Key, codec.DecodeError], ...] = ()
    synced: bool = True
    served: bool = True


class WatchTiming(msgspec.Struct, frozen=True):
    """The times of `follow`, in seconds."""

    #: After errors that the API answers with.
    backoff: Backoff = Backoff(first=0.2, limit=10.0, jitter=0.3)
    #: While the API cannot be reached.
    unreachable: Backoff = Backoff(first=0.2, limit=2.0, jitter=0.3)
    #: Between two attempts for a kind that the API does not serve.
    unserved: float = 15.0
    #: How long the API keeps one watch open.
    watch: float = 290.0


DEFAULT_TIMING = WatchTiming()


async def follow(
    client: Client,
    cls: type[T],
    sink: Callable[[Batch[T]], None],
    *,
    namespace: str | None = None,
    label_selector: str | None = None,
    field_selector: str | None = None,
    metadata_only: bool = False,
    timing: WatchTiming = DEFAULT_TIMING,
) -> Never:
    """Deliver the changes of a collection to `sink` until cancelled; the module's docstring has the rules.

    `sink` is called synchronously, in order, never concurrently with itself. An exception that it raises ends `follow`.

    Args:
        metadata_only: request objects with their metadata only.
    """
    selectors = selection(label_selector, field_selector)
    await Follower(client, cls, sink, namespace, selectors, timing, metadata_only=metadata_only).run()


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_event = msgspec.json.Decoder(_Event)


def _decoded_event(line: bytes) -> _Event:
    """The type and the undecoded object of an event. Raises `msgspec.DecodeError`."""
    try:
        return _event.decode(line)
    except RecursionError:
        # The object is nested too deeply to be skipped. In the outline of one level it is null.
        shallow = outline(line, 1)
        return _Event(_event.decode(shallow.text).type, msgspec.Raw(b"".join(shallow.inner[:1])))


class _ExpiredError(Exception):
    """The API no longer has the resourceVersion to watch from."""


class Follower(Generic[T]):
    """The state of one `follow`: the versions of the objects that were delivered, and the version to continue from.

    Args:
        probe_versions: whether 404 means that this version of the kind is not served (rule 6).
    """

    def __init__(
        self,
        client: Client,
        cls: type[T],
        sink: Callable[[Batch[T]], None],
        namespace: str | None,
        selectors: dict[str, str],
        timing: WatchTiming,
        *,
        metadata_only: bool = False,
        probe_versions: bool = True,
    ) -> None:
        self._metadata_only = metadata_only
        self._probe_versions = probe_versions
        self._client = client
        self._cls = cls
        self._sink = sink
        self._namespace = namespace
        self._selectors = selectors
        self._timing = timing
        self._known: dict[Key, tuple[str, str]] = {}
        self._resource_version = ""
        self._synced = False
        self._failures = 0
        self._relists = 0
        self._logged: str | None = None
        kind = codec.kind_of(cls)
        self._kind = kind.kind
        self._versions = (kind.version, *kind.other_versions)
        self._tried = 0

    def relist(self) -> None:
        """List again with the next `run`. Objects that were delivered and are unchanged are not delivered again."""
        self._resource_version = ""
        self._failures = 0

    def clear(self) -> None:
        """Deliver deletions of all objects, and an empty, synced collection that is not served."""
        self.relist()
        self._synced = True
        self._deliver(self._deletions(frozenset()), served=False)

    async def run(self) -> Never:
        """Follow until cancelled."""
        while True:
            try:
                if not self._resource_version:
                    await self._list()
                await self._watch()
            except _ExpiredError:
                await self._on_expired()
            except ApiError as error:
                await self._on_error(error)

    async def _on_error(self, error: ApiError) -> None:
        if error.status == 410:
            await self._on_expired()
        elif error.status == 404 and self._probe_versions:
            await self._not_served()
        else:
            self._failures += 1
            self._log_state(f"{error.reason}: {error.message}", attempts=self._failures)
            unreachable = isinstance(error, UnreachableError)
            backoff = self._timing.unreachable if unreachable else self._timing.backoff
            await asyncio.sleep(backoff.delay(self._failures))

    async def _on_expired(self) -> None:
        self._resource_version = ""
        # This is not a failure to reach the API: the first 410 after an outage is normal, and the list must not wait
        # for the delay that the outage has grown to. Repeated 410s are backed off from.
        self._failures = 0
        self._relists += 1
        if self._relists > 1:
            await asyncio.sleep(self._timing.backoff.delay(self._relists - 1))

    async def _not_served(self) -> None:
        """Try the next version of the kind; when none is served, wait."""
        self._resource_version = ""
        self._tried += 1
        self._client.use_version(self._cls, self._versions[self._tried % len(self._versions)])
        if self._tried % len(self._versions):
            return
        self._log_state("the API does not serve this kind")
        self.clear()
        await asyncio.sleep(self._timing.unserved * random.uniform(0.8, 1.0))  # noqa: S311

    def _log_state(self, what: str | None, **more: object) -> None:
        if what == self._logged:
            return
        self._logged = what
        if what is None:
            _log.info("watch re-established", kind=self._kind)
        else:
            _log.warning("watch failed, retrying", kind=self._kind, why=what, **more)

    # ── list ─────────────────────────────────────────────────────────────────

    async def _list(self) -> None:
        seen: set[Key] = set()
        version = ""
        pages = self._client.pages(
            self._cls,
            self._namespace,
            label_selector=self._selectors.get("labelSelector"),
            field_selector=self._selectors.get("fieldSelector"),
            accept=METADATA_LIST if self._metadata_only else JSON,
        )
        async for page in pages:
            changes: list[Change[T]] = []
            broken: list[tuple[Key, codec.DecodeError]] = []
            for item in page.items:
                key, unchanged = self._note_version(item)
                seen.add(key)
                if not unchanged:
                    self._decode(key, item, changes, broken)
            version = page.resource_version
            if page.more:
                self._deliver(changes, broken)
            else:
                self._synced = True
                self._deliver([*changes, *self._deletions(frozenset(seen))], broken)
        self._resource_version = version

    def _deletions(self, seen: frozenset[Key]) -> list[Change[T]]:
        gone = [key for key in self._known if key not in seen]
        for key in gone:
            del self._known[key]
        return [Change("delete", key) for key in gone]

    def _note_version(self, item: msgspec.Raw) -> tuple[Key, bool]:
        """Remember the version of an object; its key, and whether this version was delivered before."""
        metadata = identity.read(item)
        key, version = metadata.key, (metadata.uid, metadata.resource_version)
        unchanged = self._known.get(key) == version
        self._known[key] = version
        return key, unchanged

    # ── watch ────────────────────────────────────────────────────────────────

    async def _watch(self) -> None:
        seconds = self._timing.watch * random.uniform(0.8, 1.0)  # noqa: S311
        params = self._selectors | {
            "watch": "true",
            "resourceVersion": self._resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        began = asyncio.get_running_loop().time()
        path = self._client.path(self._cls, self._namespace)
        received = False
        accept = METADATA if self._metadata_only else JSON
        async with self._client.stream(path, params=params, accept=accept, idle_timeout=seconds + 20) as chunks:
            self._log_state(None)
            rest = b""
            async for chunk in chunks:
                *lines, rest = (rest + chunk if rest else chunk).split(b"\n")
                if lines:
                    self._take(lines)
                    received = True
                    self._failures = self._relists = 0
        if not received and asyncio.get_running_loop().time() - began < 1.0:
            # The server closed the watch at once, without an event: back off instead of looping tightly.
            self._failures += 1
            await asyncio.sleep(self._timing.backoff.delay(self._failures))
        else:
            self._failures = self._relists = 0

    def _take(self, lines: Iterable[bytes]) -> None:
        changes: list[Change[T]] = []
        broken: list[tuple[Key, codec.DecodeError]] = []
        version = self._resource_version
        try:
            for line in lines:
                if line:
                    version = self._event(line, changes, broken) or version
        finally:
            # Events before an ERROR event in the same read are delivered.
            self._resource_version = version
            if changes or broken:
                self._deliver(changes, broken)

    def _event(self, line: bytes, changes: list[Change[T]], broken: list[tuple[Key, codec.DecodeError]]) -> str:
        """Process one event; its resourceVersion."""
        try:
            event = _decoded_event(line)
        except msgspec.DecodeError as error:
            raise ApiError(0, "BadWatch", f"not a watch event: {error}") from None
        if event.type == "ERROR":
            error_event = status_error(bytes(event.object))
            raise _ExpiredError if error_event.status == 410 else error_event
        if event.type in ("ADDED", "MODIFIED"):
            try:
                obj = codec.decode(self._cls, event.object)
            except codec.DecodeError as error:
                broken.append((self._note_version(event.object)[0], error))
            else:
                version = obj.metadata.resource_version
                self._known[obj.key] = (obj.metadata.uid, version)
                changes.append(Change("set", obj.key, obj))
                return version
        metadata = identity.read(event.object)
        if event.type == "DELETED":
            if not metadata.name:
                raise _ExpiredError  # the list shows what is gone
            key = metadata.key
            self._known.pop(key, None)
            changes.append(Change("delete", key))
        return metadata.resource_version

    def _decode(
        self,
        key: Key,
        item: msgspec.Raw,
        changes: list[Change[T]],
        broken: list[tuple[Key, codec.DecodeError]],
    ) -> None:
        try:
            changes.append(Change("set", key, codec.decode(self._cls, item)))
        except codec.DecodeError as error:
            broken.append((key, error))

    def _deliver(
        self, changes: Iterable[Change[T]], broken: Iterable[tuple[Key, codec.DecodeError]] = (), *, served: bool = True
    ) -> None:
        broken = tuple(broken)
        for key, error in broken:
            BROKEN.labels(self._kind).inc()
            _log.warning("object does not decode", kind=self._kind, key=str(key), error=str(error))
        self._sink(Batch(tuple(changes), broken, self._synced, served))
