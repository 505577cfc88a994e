"""Keyed collections, who reads them, and what their functions have read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from .groups import Index

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
G = TypeVar("G", bound=Hashable)

ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Failure:
    """A function that raised for a key; `error` is the exception."""

    collection: str
    key: Hashable
    error: Exception


@dataclass(slots=True)
class Journal:
    """What all collections of an engine report to."""

    runs: Counter[str] = field(default_factory=Counter)
    failures: dict[tuple[str, Hashable], Failure] = field(default_factory=dict)


class _Several(dict[Hashable, None]):
    """More than one reader of a key, in the order in which they came."""


class Collection(Generic[K, V]):
    """A keyed collection. Read it from functions through `Read`, from outside with `get`, `items` and `len`."""

    def __init__(self, journal: Journal, name: str) -> None:
        self.name = name
        self._journal = journal
        self._values: dict[K, V] = {}
        #: Per collection that reads this one: which of its keys read which of ours, one or `_Several`.
        self._readers: dict[Derived[Any, Any], dict[K, Any]] = {}
        self._followers: list[Callable[[K, Any, Any], None]] = []

    def get(self, key: K) -> V | None:
        """The value of a key, untracked: for use outside of functions."""
        return self._held.get(key)

    def items(self) -> Iterable[tuple[K, V]]:
        """All keys and values, untracked."""
        return self._held.items()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: K) -> bool:
        return key in self._held

    @property
    def _held(self) -> Mapping[K, V]:
        """The values, always the same mapping."""
        return self._values

    def _put(self, key: K, new: Any) -> None:
        """Store or (with `ABSENT`) drop a value, and tell everybody who depends on it if it differs."""
        old = self._values.get(key, ABSENT)
        if old is new or (old is not ABSENT and new is not ABSENT and old == new):
            return
        if new is ABSENT:
            del self._values[key]
        else:
            self._values[key] = new
        self._changed(key, old, new)

    def _changed(self, key: K, old: Any, new: Any) -> None:
        for reader, by_key in self._readers.items():
            found = by_key.get(key, ABSENT)
            if type(found) is _Several:
                reader._dirty.update(found)
            elif found is not ABSENT:
                reader._dirty[found] = None
        for follow in self._followers:
            follow(key, old, new)

    def _settle(self) -> None:
        """Bring this collection up to date; sources, unions and indexes always are."""

    # ── who reads it ─────────────────────────────────────────────────────────

    def _add_reader(self, key: K, reader: Derived[Any, Any], reader_key: Hashable) -> None:
        by_key = self._readers.setdefault(reader, {})
        there = by_key.get(key, ABSENT)
        if there is ABSENT:
            by_key[key] = reader_key
        elif type(there) is _Several:
            there[reader_key] = None
        elif there != reader_key:
            by_key[key] = _Several(((there, None), (reader_key, None)))

    def _drop_reader(self, key: K, reader: Derived[Any, Any], reader_key: Hashable) -> None:
        by_key = self._readers.get(reader, {})
        there = by_key.get(key, ABSENT)
        if type(there) is _Several:
            there.pop(reader_key, None)
            if not there:
                del by_key[key]
        elif there is not ABSENT and there == reader_key:
            del by_key[key]


class Source(Collection[K, V]):
    """A collection that is fed from outside."""

    def set(self, key: K, value: V) -> None:
        """Add or replace; an equal value changes nothing."""
        self._put(key, value)

    def delete(self, key: K) -> None:
        """Remove; a missing key changes nothing."""
        self._put(key, ABSENT)


class Union(Collection[K, V]):
    """Whatever is in any of the parts, without a copy of it; no key may be in two of them."""

    def __init__(self, journal: Journal, name: str, parts: tuple[Collection[Any, V], ...]) -> None:
        super().__init__(journal, name)
        self._merged = _Merged(tuple(part._held for part in parts))
        for part in parts:
            part._followers.append(self._changed)

    @property
    def _held(self) -> Mapping[K, V]:
        return self._merged


class _Merged(Mapping[Any, Any]):
    """Several mappings as one."""

    def __init__(self, parts: tuple[Mapping[Any, Any], ...]) -> None:
        self._parts = parts

    def __getitem__(self, key: Any) -> Any:
        for part in self._parts:
            if (found := part.get(key, ABSENT)) is not ABSENT:
                return found
        raise KeyError(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """As of any mapping; spelt out because it is asked often."""
        for part in self._parts:
            if (found := part.get(key, ABSENT)) is not ABSENT:
                return found
        return default

    def __contains__(self, key: object) -> bool:
        return any(key in part for part in self._parts)

    def __iter__(self) -> Any:
        return chain.from_iterable(self._parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class Derived(Collection[K, V]):
    """A collection with functions that must run again when what they read has changed."""

    def __init__(self, journal: Journal, name: str) -> None:
        super().__init__(journal, name)
        self._dirty: dict[Any, None] = {}  # ordered: runs are reproducible
        #: What each key has read, flat: collection, key, collection, key … Keys that read nothing are not in it.
        self._reads: dict[Any, tuple[Any, ...]] = {}

    def _settle(self) -> None:
        while self._dirty:
            dirty, self._dirty = self._dirty, {}
            for key in dirty:
                self._recompute(key)

    def _recompute(self, key: Any) -> None:
        raise NotImplementedError

    def _end(self, key: Any) -> None:
        """The key is gone."""
        self._forget(self._reads.pop(key, ()), key)
        self._journal.failures.pop((self.name, key), None)

    def _forget(self, reads: tuple[Any, ...], key: Any) -> None:
        for collection, read_key in zip(reads[::2], reads[1::2], strict=True):
            collection._drop_reader(read_key, self, key)

    def _remember(self, reads: tuple[Any, ...], key: Any) -> None:
        before = self._reads.get(key, ())
        if reads == before:
            return
        self._forget(before, key)
        if reads:
            self._reads[key] = reads
        else:
            del self._reads[key]
        for collection, read_key in zip(reads[::2], reads[1::2], strict=True):
            collection._add_reader(read_key, self, key)

    def _call(self, key: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function and remember what it read; `ABSENT` if it failed."""
        reads: dict[tuple[Collection[Any, Any], Hashable], None] = {}
        self._journal.runs[self.name] += 1
        failures = self._journal.failures
        try:
            result = function(Read(reads), *arguments)
        except Exception as error:
            failures[(self.name, key)] = Failure(self.name, key, error)
            result = ABSENT
        else:
            if failures:
                failures.pop((self.name, key), None)
        self._remember(tuple(chain.from_iterable(reads)), key)
        return result


class Read:
    """Tracked access to other collections, handed to every function."""

    __slots__ = ("_reads",)

    def __init__(self, reads: dict[tuple[Collection[Any, Any], Hashable], None]) -> None:
        self._reads = reads

    def __call__(self, collection: Collection[K, V], key: K) -> V | None:
        """The value of a key, or None."""
        self._reads[(collection, key)] = None
        return collection._held.get(key)

    def group(self, index: Index[G, K], group: G) -> tuple[K, ...]:
        """The keys in a group of an index, sorted. Costs O(n log n) in the size of the group."""
        self._reads[(index, group)] = None
        return index.members(group)
