"""List and watch a collection for ever, as changes that are handed over the moment their bytes arrive.

The rules, in the order in which `follow` keeps them:

1. List in pages, hand over each page; the collection is *synced* when the last page was handed over.
2. Watch from the list's resourceVersion, with bookmarks. Everything that one read from the socket brought is one batch.
3. A watch that ends is continued from the last resourceVersion seen.
4. 410 (the API has forgotten that version): list again, hand over what changed, and a deletion for everything that
   is gone.
5. Any other error: wait (0.2 s doubling to 10 s, with jitter), then continue where we were. An API that does not answer
   at all is asked at least every 2 s: when it comes back, everybody waits for what we have missed, and a refused
   connection costs it nothing. Said once per change of the error, not at every attempt.
6. 404 for a collection means that the API does not serve the kind in this version: an older version of the kind is
   tried; if there is none, that is not an error. The collection counts as synced and empty, and we ask again slowly,
   for its CRD may come. (`defined.follow_defined` knows instead of trying: there 404 is an error like others.)
7. An object that does not decode is handed over as *broken* with its key; all others go on. What was known of it
   before stays valid until it decodes again or is deleted.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Generic, Literal, Never, TypeVar

import msgspec
import structlog

from headgate.api import codec
from headgate.api.meta import Key, Object

from .client import JSON, METADATA, METADATA_LIST, ApiError, Client, UnreachableError, selection, status_error

T = TypeVar("T", bound=Object)

_log = structlog.get_logger("headgate.kube.watch")


class Change(msgspec.Struct, Generic[T], frozen=True):
    """An object came, changed ("set", with the object) or went ("delete")."""

    kind: Literal["set", "delete"]
    key: Key
    object: T | None = None


class Batch(msgspec.Struct, Generic[T], frozen=True):
    """What one read brought.

    `synced` is False until the first list is complete, True from then on. `broken` are objects that do not decode.
    Where the API does not have the kind at all, `served` is False.
    """

    changes: tuple[Change[T], ...] = ()
    broken: tuple[tuple[Key, codec.DecodeError], ...] = ()
    synced: bool = True
    served: bool = True


class WatchTiming(msgspec.Struct, frozen=True):
    """How patient `follow` is, in seconds; tests are less so."""

    first: float = 0.2
    most: float = 10.0
    #: The longest pause while nobody answers.
    dead: float = 2.0
    #: Between two questions for a kind that is not served.
    unserved: float = 15.0
    #: How long the API keeps one watch open.
    watch: float = 290.0

    def after(self, failures: int, *, dead: bool = False) -> float:
        """The pause after so many failures in a row, with jitter so that many clients do not come at once."""
        most = min(self.most, self.dead) if dead else self.most
        return min(most, self.first * 2.0 ** min(failures - 1, 16)) * random.uniform(0.7, 1.0)  # noqa: S311


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
    """Keeps `sink` informed of a collection until cancelled; the rules stand in the module's docstring.

    `sink` is called synchronously, in order, never concurrently with itself. What it raises ends `follow`.

    Args:
        metadata_only: objects come with nothing but their metadata.
    """
    selectors = selection(label_selector, field_selector)
    await Follower(client, cls, sink, namespace, selectors, timing, metadata_only=metadata_only).run()


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class _Identity(msgspec.Struct):
    """What can be read of any object, also of one whose spec does not decode."""

    metadata: _Metadata = _Metadata()


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_identity = msgspec.json.Decoder(_Identity)
_event = msgspec.json.Decoder(_Event)


class _ExpiredError(Exception):
    """The API has forgotten our resourceVersion."""


class Follower(Generic[T]):
    """State of one `follow`: what is known (key -> uid and resourceVersion) and from where to go on.

    Args:
        guess: whether 404 means that the kind, or this version of it, is not served.
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
        """List again with the next `run`; what is known already and is still so is not handed over."""
        self._resource_version = ""
        self._failures = 0

    def clear(self) -> None:
        """There are no objects of the kind any more, and will be none for now: complete, and empty."""
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
            await asyncio.sleep(self._timing.after(self._failures, dead=isinstance(error, UnreachableError)))

    async def _on_expired(self) -> None:
        self._resource_version = ""
        # Not a failure to reach the API: after an outage the first 410 is ordinary, and the list must not wait for the
        # pause that the outage has grown to. A server that answers 410 again and again is not asked in a tight loop.
        self._failures = 0
        self._relists += 1
        if self._relists > 1:
            await asyncio.sleep(self._timing.after(self._relists - 1))

    async def _not_served(self) -> None:
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
            _log.info("watch is back", kind=self._kind)
        else:
            _log.warning("watch waits", kind=self._kind, why=what, **more)

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
        """Notes an object's identity; True if this very version of it is known already."""
        try:
            about = _identity.decode(item).metadata
        except msgspec.ValidationError:
            return Key("", ""), False
        key, version = Key(about.namespace, about.name), (about.uid, about.resource_version)
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
        heard = False
        accept = METADATA if self._metadata_only else JSON
        async with self._client.stream(path, params=params, accept=accept, idle_timeout=seconds + 20) as chunks:
            self._log_state(None)
            rest = b""
            async for chunk in chunks:
                *lines, rest = (rest + chunk if rest else chunk).split(b"\n")
                if lines:
                    self._take(lines)
                    heard = True
                    self._failures = self._relists = 0
        if not heard and asyncio.get_running_loop().time() - began < 1.0:
            # A server that hangs up at once, without a word, must not be asked in a tight loop.
            self._failures += 1
            await asyncio.sleep(self._timing.after(self._failures))
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
            # What stood before an error in the same read is handed over all the same.
            self._resource_version = version
            if changes or broken:
                self._deliver(changes, broken)

    def _event(self, line: bytes, changes: list[Change[T]], broken: list[tuple[Key, codec.DecodeError]]) -> str:
        """Takes one event and gives its resourceVersion."""
        try:
            event = _event.decode(line)
        except msgspec.DecodeError as error:
            raise ApiError(0, "BadWatch", f"not a watch event: {error}") from None
        if event.type == "ERROR":
            refusal = status_error(bytes(event.object))
            raise _ExpiredError if refusal.status == 410 else refusal
        if event.type in ("ADDED", "MODIFIED"):
            try:
                thing = codec.decode(self._cls, event.object)
            except codec.DecodeError as error:
                broken.append((self._note_version(event.object)[0], error))
            else:
                about = thing.metadata
                self._known[thing.key] = (about.uid, about.resource_version)
                changes.append(Change("set", thing.key, thing))
                return about.resource_version
        try:
            about_it = _identity.decode(event.object).metadata
        except msgspec.DecodeError as error:
            raise ApiError(0, "BadWatch", f"an object without readable metadata: {error}") from None
        if event.type == "DELETED":
            key = Key(about_it.namespace, about_it.name)
            self._known.pop(key, None)
            changes.append(Change("delete", key))
        return about_it.resource_version

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
        self._sink(Batch(tuple(changes), tuple(broken), self._synced, served))
