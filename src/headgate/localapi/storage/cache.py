"""The watch cache: objects in memory as serialized bytes, and their watchers.

A list joins bytes and a watch forwards bytes; reads decode nothing. Each collection keeps its last events, so that a
watch can resume from a revision. A client with an older revision has to list again (410).
"""

import asyncio
import bisect
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from headgate.api.meta import Key

from .store import Row, Store

#: The number of events that each collection keeps.
WINDOW = 8192

#: The number of events that a watcher may be behind before it is closed.
BACKLOG = 65536


class Record(msgspec.Struct, frozen=True, gc=False):
    """One object: its JSON in the storage version, and the fields that selectors and the garbage collector need."""

    key: Key
    uid: str
    revision: int
    body: bytes
    labels: dict[str, str]
    fields: dict[str, str]
    owners: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, gc=False):
    """A change. `type` is ADDED, MODIFIED or DELETED; `previous` is the state before, for selectors."""

    type: str
    record: Record
    previous: Record | None = None


class Watcher:
    """One watch on a collection. The writer adds events synchronously; `drain` returns them."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._wake = asyncio.Event()
        self.closed = False

    def offer(self, event: Event) -> None:
        """Add an event. A watcher that is too far behind is closed, which bounds its memory."""
        if len(self._events) >= BACKLOG:
            self.close()
            return
        self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """Close the watch."""
        self.closed = True
        self._wake.set()

    async def wait(self, seconds: float) -> None:
        """Wait for events, for the end of the watch, or for the time-out."""
        if not self._wake.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._wake.clear()

    def drain(self) -> list[Event]:
        """The events since the last call."""
        events = list(self._events)
        self._events.clear()
        return events


class Collection:
    """All objects of one resource."""

    def __init__(self, revision: int) -> None:
        self.records: dict[Key, Record] = {}
        self._order: list[Key] = []
        self._events: deque[Event] = deque()
        #: Events after this revision are kept.
        self.floor = revision
        self._watchers: set[Watcher] = set()

    def __iter__(self) -> Iterator[Record]:
        """Records in the order of namespace and name."""
        return (self.records[key] for key in self._order)

    def after(self, key: Key, namespace: str) -> Iterator[Record]:
        """Records after `key` in order; of one namespace unless it is empty."""
        start = bisect.bisect_right(self._order, key)
        if namespace and key.namespace != namespace:
            start = bisect.bisect_left(self._order, Key(namespace, ""))
        for position in range(start, len(self._order)):
            found = self._order[position]
            if namespace and found.namespace != namespace:
                return
            yield self.records[found]

    def insert(self, record: Record) -> None:
        """Add a record without an event (used when loading)."""
        if record.key not in self.records:
            bisect.insort(self._order, record.key)
        self.records[record.key] = record

    def apply(self, event: Event) -> None:
        """Add a change, keep its event, and notify the watchers."""
        key = event.record.key
        if event.type == "DELETED":
            del self.records[key]
            del self._order[bisect.bisect_left(self._order, key)]
        else:
            self.insert(event.record)
        self._events.append(event)
        if len(self._events) > WINDOW:
            self.floor = self._events.popleft().record.revision
        for watcher in tuple(self._watchers):
            watcher.offer(event)

    def since(self, revision: int) -> list[Event] | None:
        """Events after a revision, or None if they are no longer kept."""
        if revision < self.floor:
            return None
        start = bisect.bisect_right(self._events, revision, key=lambda event: event.record.revision)
        return [self._events[position] for position in range(start, len(self._events))]

    def watch(self) -> Watcher:
        """A new watcher of future events."""
        watcher = Watcher()
        self._watchers.add(watcher)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        """Remove a watcher."""
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End every watch: the resource is no longer served, or the API stops."""
        for watcher in tuple(self._watchers):
            watcher.close()


class Cache:
    """All collections over one store. Every write reaches the disk first, then the memory."""

    def __init__(self, store: Store, read: Callable[[str, Row], Record]) -> None:
        """`read` converts a stored row to a record (which fields are selectable depends on the resource)."""
        self._store = store
        self._read = read
        self._collections: dict[str, Collection] = {}
        self._owned: dict[str, set[tuple[str, Key]]] = {}
        for row in store.rows():
            record = read(row.resource, row)
            self.collection(row.resource).insert(record)
            self._own(row.resource, record)

    @property
    def revision(self) -> int:
        """The revision of the last write."""
        return self._store.revision

    def collection(self, resource: str) -> Collection:
        """The collection of a resource (`plural.group`), created on first use."""
        found = self._collections.get(resource)
        if found is None:
            found = self._collections[resource] = Collection(self.revision)
        return found

    def next_revision(self) -> int:
        """The revision of the next write."""
        return self.revision + 1

    def put(self, resource: str, row: Row) -> Record:
        """Store an object with the next revision."""
        record = self._read(resource, row)
        collection = self.collection(resource)
        previous = collection.records.get(record.key)
        self._store.put(row)
        if previous:
            self._disown(resource, previous)
        self._own(resource, record)
        collection.apply(Event("MODIFIED" if previous else "ADDED", record, previous))
        return record

    def remove(self, resource: str, row: Row) -> Record:
        """Remove an object. The row has its last state with the revision of the removal."""
        record = self._read(resource, row)
        collection = self.collection(resource)
        previous = collection.records[record.key]
        self._store.remove(row)
        self._disown(resource, previous)
        collection.apply(Event("DELETED", record, previous))
        return record

    def owned_by(self, uid: str) -> list[tuple[str, Key]]:
        """Resource and key of every object with an owner reference to this uid."""
        return sorted(self._owned.get(uid, ()))

    def resources(self) -> list[str]:
        """Every resource that has or had objects."""
        return sorted(self._collections)

    def forget(self, resource: str) -> None:
        """Close the watches of a resource that is no longer served."""
        if found := self._collections.pop(resource, None):
            found.close()

    def close(self) -> None:
        """End all watches."""
        for collection in self._collections.values():
            collection.close()

    def _own(self, resource: str, record: Record) -> None:
        for uid in record.owners:
            self._owned.setdefault(uid, set()).add((resource, record.key))

    def _disown(self, resource: str, record: Record) -> None:
        for uid in record.owners:
            owned = self._owned.get(uid, set())
            owned.discard((resource, record.key))
            if not owned:
                self._owned.pop(uid, None)
