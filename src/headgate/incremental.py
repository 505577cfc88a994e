"""Remembered functions over a changing world.

Code written against this module reads like "rebuild everything" and costs like "touch one key". A program is a graph of
keyed collections, declared once, each over collections declared before it:

* `Engine.source` – what comes from outside: `set` and `delete`;
* `Engine.map` and `Engine.flat_map` – a function per key;
* `Engine.index` – groups of keys, to join by;
* `Engine.count`, `Engine.least`, `Engine.sorted` – folds per group, O(log n) comparisons per change;
* `Engine.union` – several collections with different keys as one;
* `Engine.collect` – hands out what was added, changed or removed since the last time.

A function gets a `Read` as its first argument. What it reads through it is remembered, per key, and only a change of
exactly those keys runs it again. An equal result stops there. Functions must be pure: same reads, same result.

`Engine.run` visits the collections in the order of their declaration, so each function runs at most once per run and
never sees half a change. If a function raises, its last good result stays, the failure is kept in `Engine.failures`
until a run succeeds, and all other keys go on. The small functions that say a member's group and order are not guarded
like that: they must be total.

References: Mokhov, Mitchell, Peyton Jones, *Build Systems à la Carte* (2018; this is a "self-adjusting" rebuilder with
a topological scheduler); Hammer et al., *Adapton* (2014); Istio's krt; salsa.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
K2 = TypeVar("K2", bound=Hashable)
V2 = TypeVar("V2")
G = TypeVar("G", bound=Hashable)
C = TypeVar("C", bound="Collection[Any, Any]")


class Ordered(Protocol):
    """Anything with a total order."""

    def __lt__(self, other: Any, /) -> bool:
        """Less than."""


@dataclass(frozen=True, slots=True)
class Delta(Generic[K, V]):
    """What changed in a collection between two calls of a collector: current values, and keys that are gone."""

    set: dict[K, V]
    removed: frozenset[K]

    def __bool__(self) -> bool:
        return bool(self.set or self.removed)


@dataclass(frozen=True, slots=True)
class Failure:
    """A function that raised for a key; `error` is the exception."""

    collection: str
    key: Hashable
    error: Exception


_ABSENT: Any = object()


class Collection(Generic[K, V]):
    """A keyed collection. Read it from functions through `Read`, from outside with `get`, `items` and `len`."""

    def __init__(self, engine: "Engine", name: str) -> None:
        self.name = name
        self._engine = engine
        self._values: dict[K, V] = {}
        self._readers: dict[K, set[tuple[_Derived[Any, Any], Hashable]]] = {}
        self._followers: list[Callable[[K, Any, Any], None]] = []

    def get(self, key: K) -> V | None:
        """The value of a key, untracked: for use outside of functions."""
        return self._values.get(key)

    def items(self) -> Iterable[tuple[K, V]]:
        """All keys and values, untracked."""
        return self._values.items()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def _put(self, key: K, new: Any) -> None:
        """Store or (with `_ABSENT`) drop a value, and tell everybody who depends on it if it differs."""
        old = self._values.get(key, _ABSENT)
        if old is new or (old is not _ABSENT and new is not _ABSENT and old == new):
            return
        if new is _ABSENT:
            del self._values[key]
        else:
            self._values[key] = new
        self._changed(key, old, new)

    def _changed(self, key: K, old: Any, new: Any) -> None:
        for reader, reader_key in self._readers.get(key, ()):
            reader._dirty[reader_key] = None
        for follow in self._followers:
            follow(key, old, new)

    def _settle(self) -> None:
        """Bring this collection up to date; sources and indexes always are."""


class Source(Collection[K, V]):
    """A collection that is fed from outside."""

    def set(self, key: K, value: V) -> None:
        """Add or replace; an equal value changes nothing."""
        self._put(key, value)

    def delete(self, key: K) -> None:
        """Remove; a missing key changes nothing."""
        self._put(key, _ABSENT)


class _Derived(Collection[K, V]):
    """A collection with functions that must run again when what they read has changed."""

    def __init__(self, engine: "Engine", name: str) -> None:
        super().__init__(engine, name)
        self._dirty: dict[Any, None] = {}  # ordered: runs are reproducible
        self._reads: dict[Any, list[tuple[Collection[Any, Any], Hashable]]] = {}

    def _settle(self) -> None:
        while self._dirty:
            dirty, self._dirty = self._dirty, {}
            for key in dirty:
                self._recompute(key)

    def _recompute(self, key: Any) -> None:
        raise NotImplementedError

    def _forget(self, key: Any) -> None:
        for collection, read_key in self._reads.pop(key, ()):
            readers = collection._readers.get(read_key)
            if readers is not None:
                readers.discard((self, key))
                if not readers:
                    del collection._readers[read_key]

    def _call(self, key: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function and remember what it read; `_ABSENT` if it failed."""
        self._forget(key)
        reads: dict[tuple[Collection[Any, Any], Hashable], None] = {}
        self._engine.runs[self.name] += 1
        failures = self._engine.failures
        try:
            result = function(Read(reads), *arguments)
        except Exception as error:
            failures[(self.name, key)] = Failure(self.name, key, error)
            result = _ABSENT
        else:
            failures.pop((self.name, key), None)
        self._reads[key] = list(reads)
        for collection, read_key in reads:
            collection._readers.setdefault(read_key, set()).add((self, key))
        return result


class Read:
    """Tracked access to other collections, handed to every function."""

    __slots__ = ("_reads",)

    def __init__(self, reads: dict[tuple[Collection[Any, Any], Hashable], None]) -> None:
        self._reads = reads

    def __call__(self, collection: Collection[K, V], key: K) -> V | None:
        """The value of a key, or None."""
        self._reads[(collection, key)] = None
        return collection._values.get(key)

    def group(self, index: "Index[G, K]", group: G) -> tuple[K, ...]:
        """The keys in a group of an index, sorted. Costs O(n log n) in the size of the group."""
        self._reads[(index, group)] = None
        return index.members(group)


class _Map(_Derived[K, V2]):
    def __init__(
        self, engine: "Engine", name: str, over: Collection[K, V], function: Callable[[Read, K, V], V2 | None]
    ) -> None:
        super().__init__(engine, name)
        self._over = over
        self._function = function
        over._followers.append(self._follow)

    def _follow(self, key: K, _old: Any, _new: Any) -> None:
        self._dirty[key] = None

    def _recompute(self, key: K) -> None:
        value = self._over._values.get(key, _ABSENT)
        if value is _ABSENT:
            self._forget(key)
            self._engine.failures.pop((self.name, key), None)
            self._put(key, _ABSENT)
            return
        result = self._call(key, self._function, key, value)
        if result is not _ABSENT:
            self._put(key, _ABSENT if result is None else result)


class _FlatMap(_Derived[K2, V2], Generic[K, V, K2, V2]):
    def __init__(
        self,
        engine: "Engine",
        name: str,
        over: Collection[K, V],
        function: Callable[[Read, K, V], Iterable[tuple[K2, V2]]],
    ) -> None:
        super().__init__(engine, name)
        self._over = over
        self._function = function
        self._made: dict[K, tuple[K2, ...]] = {}
        over._followers.append(self._follow)

    def _follow(self, key: K, _old: Any, _new: Any) -> None:
        self._dirty[key] = None

    def _recompute(self, key: K) -> None:
        value = self._over._values.get(key, _ABSENT)
        made: dict[K2, V2] = {}
        if value is _ABSENT:
            self._forget(key)
            self._engine.failures.pop((self.name, key), None)
        else:
            result = self._call(key, lambda *arguments: dict(self._function(*arguments)), key, value)
            if result is _ABSENT:
                return
            made = result
        for old in self._made.pop(key, ()):
            if old not in made:
                self._put(old, _ABSENT)
        if made:
            self._made[key] = tuple(made)
        for new, new_value in made.items():
            self._put(new, new_value)


class Index(Collection[G, tuple[K, ...]], Generic[G, K]):
    """Groups of the keys of a collection. A reader of a group runs again when its membership changes, not when the
    value of a member does: read those too.
    """

    def __init__(
        self, engine: "Engine", name: str, over: Collection[K, V], groups: Callable[[K, V], Iterable[G]]
    ) -> None:
        super().__init__(engine, name)
        self._groups = groups
        self._members: dict[G, set[K]] = {}
        over._followers.append(self._follow)

    def members(self, group: G) -> tuple[K, ...]:
        """The keys in a group, sorted."""
        return tuple(sorted(self._members.get(group, ())))  # type: ignore[type-var]

    def _follow(self, key: K, old: Any, new: Any) -> None:
        before = () if old is _ABSENT else set(self._groups(key, old))
        after = () if new is _ABSENT else set(self._groups(key, new))
        for group in before:
            if group not in after:
                members = self._members[group]
                members.discard(key)
                if not members:
                    del self._members[group]
                self._changed(group, None, None)
        for group in after:
            if group not in before:
                self._members.setdefault(group, set()).add(key)
                self._changed(group, None, None)


class _Union(Collection[K, V]):
    """Whatever is in any of the parts; no key may be in two of them."""

    def __init__(self, engine: "Engine", name: str, parts: "tuple[Collection[Any, V], ...]") -> None:
        super().__init__(engine, name)
        for part in parts:
            part._followers.append(self._follow)

    def _follow(self, key: Any, _old: Any, new: Any) -> None:
        self._put(key, new)


class _Fold(_Derived[G, V2], Generic[K, V, G, V2]):
    """Members of each group in order; the fold's value is made from the ordered list of (order, key)."""

    def __init__(
        self,
        engine: "Engine",
        name: str,
        over: Collection[K, V],
        group: Callable[[K, V], G | None],
        order: Callable[[K, V], Ordered],
        finish: Callable[[list[tuple[Any, K]], Collection[K, V]], V2],
        *,
        follows_values: bool,
    ) -> None:
        super().__init__(engine, name)
        self._over = over
        self._group = group
        self._order = order
        self._finish = finish
        self._follows_values = follows_values
        self._ordered: dict[G, list[tuple[Any, K]]] = {}
        over._followers.append(self._follow)

    def _place(self, key: K, value: Any) -> tuple[G, tuple[Any, K]] | None:
        group = None if value is _ABSENT else self._group(key, value)
        return None if group is None else (group, (self._order(key, value), key))

    def _follow(self, key: K, old: Any, new: Any) -> None:
        before, after = self._place(key, old), self._place(key, new)
        if before != after:
            if before is not None:
                group, entry = before
                members = self._ordered[group]
                del members[bisect_left(members, entry)]
                if not members:
                    del self._ordered[group]
                self._dirty[group] = None
            if after is not None:
                group, entry = after
                insort(self._ordered.setdefault(group, []), entry)
                self._dirty[group] = None
        elif after is not None and self._follows_values:
            self._dirty[after[0]] = None

    def _recompute(self, key: G) -> None:
        self._engine.runs[self.name] += 1
        members = self._ordered.get(key)
        self._put(key, _ABSENT if members is None else self._finish(members, self._over))


class Collector(Generic[K, V]):
    """Remembers what changed in a collection until it is taken."""

    def __init__(self, over: Collection[K, V]) -> None:
        self._over = over
        self._before: dict[K, Any] = dict.fromkeys(over._values, _ABSENT)
        over._followers.append(self._follow)

    def _follow(self, key: K, old: Any, _new: Any) -> None:
        self._before.setdefault(key, old)

    def take(self) -> Delta[K, V]:
        """Changes since the last call; a value that changed and came back is no change."""
        before, self._before = self._before, {}
        current = self._over._values
        changed = {
            key: current[key]
            for key, old in before.items()
            if key in current and (old is _ABSENT or old != current[key])
        }
        removed = frozenset(key for key, old in before.items() if key not in current and old is not _ABSENT)
        return Delta(changed, removed)


@dataclass
class Engine:
    """A graph of collections; see the module's text."""

    #: How often each collection's function ran, by collection name: the law of equal counts looks at this.
    runs: Counter[str] = field(default_factory=Counter)
    #: Functions that raised, until they succeed.
    failures: dict[tuple[str, Hashable], Failure] = field(default_factory=dict)
    _collections: list[Collection[Any, Any]] = field(default_factory=list)

    def source(self, name: str) -> Source[Any, Any]:
        """A collection fed from outside."""
        return self._add(Source(self, name))

    def map(self, name: str, over: Collection[K, V], function: Callable[[Read, K, V], V2 | None]) -> Collection[K, V2]:
        """One result per key; None means there is none."""
        return self._add(_Map(self, name, over, function))

    def flat_map(
        self, name: str, over: Collection[K, V], function: Callable[[Read, K, V], Iterable[tuple[K2, V2]]]
    ) -> Collection[K2, V2]:
        """Any number of keyed results per key. An output key must contain its input key,
        so that no two inputs make the same one."""
        return self._add(_FlatMap(self, name, over, function))

    def index(self, name: str, over: Collection[K, V], groups: Callable[[K, V], Iterable[G]]) -> Index[G, K]:
        """Groups of keys, to be read with `Read.group`."""
        return self._add(Index(self, name, over, groups))

    def union(self, name: str, *parts: Collection[Any, V]) -> Collection[Any, V]:
        """All keys and values of several collections that have no key in common."""
        return self._add(_Union(self, name, parts))

    def count(self, name: str, over: Collection[K, V], group: Callable[[K, V], G | None]) -> Collection[G, int]:
        """How many members each group has; empty groups are absent."""
        return self._add(
            _Fold(self, name, over, group, lambda _k, _v: 0, lambda members, _: len(members), follows_values=False)
        )

    def least(
        self,
        name: str,
        over: Collection[K, V],
        group: Callable[[K, V], G | None],
        order: Callable[[K, V], Ordered],
    ) -> Collection[G, V]:
        """The value that comes first in each group; equal orders are settled by the key."""
        return self._add(
            _Fold(self, name, over, group, order, lambda members, c: c._values[members[0][1]], follows_values=True)
        )

    def sorted(
        self,
        name: str,
        over: Collection[K, V],
        group: Callable[[K, V], G | None],
        order: Callable[[K, V], Ordered],
    ) -> Collection[G, tuple[tuple[K, V], ...]]:
        """All keys and values of each group in order; equal orders are settled by the key."""
        return self._add(
            _Fold(
                self,
                name,
                over,
                group,
                order,
                lambda members, c: tuple((key, c._values[key]) for _, key in members),
                follows_values=True,
            )
        )

    def collect(self, over: Collection[K, V]) -> Collector[K, V]:
        """A reader for the shell of what changes in a collection."""
        return Collector(over)

    def run(self) -> None:
        """Bring every collection up to date."""
        for collection in self._collections:
            collection._settle()

    def __iter__(self) -> Iterator[Collection[Any, Any]]:
        return iter(self._collections)

    def _add(self, collection: C) -> C:
        if any(c.name == collection.name for c in self._collections):
            raise ValueError(f"a collection named {collection.name!r} exists already")
        self._collections.append(collection)
        return collection
