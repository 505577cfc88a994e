"""Keyed collections, and which keys of other collections depend on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Stands for "no value" where None is a value.
ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Failure:
    """A function that raised for a key; `error` is the exception."""

    collection: str
    key: Hashable
    error: Exception


@dataclass(slots=True)
class Journal:
    """Counts and failures of all collections of an engine."""

    runs: Counter[str] = field(default_factory=Counter)
    failures: dict[tuple[str, Hashable], Failure] = field(default_factory=dict)


class Reader:
    """Something whose keys read keys of collections."""

    def __init__(self) -> None:
        #: Keys that must be computed again; ordered, so that runs are reproducible.
        self.dirty: dict[Any, None] = {}


class _Several(dict[Hashable, None]):
    """More than one reading key of a key, in the order in which they came."""


class Collection(Generic[K, V]):
    """A keyed collection. Functions read it through `Read`; other code with `get`, `items`, `in` and `len`."""

    def __init__(self, journal: Journal, name: str) -> None:
        self.name = name
        self._journal = journal
        self._values: dict[K, V] = {}
        #: Per reader: which of its keys read which key of this collection; one key or `_Several`.
        self._readers: dict[Reader, dict[K, Any]] = {}
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
        """Store a value, or (with `ABSENT`) drop it. If it differs, everything that depends on the key is marked."""
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
            reading = by_key.get(key, ABSENT)
            if type(reading) is _Several:
                reader.dirty.update(reading)
            elif reading is not ABSENT:
                reader.dirty[reading] = None
        for follow in self._followers:
            follow(key, old, new)

    # ── readers ──────────────────────────────────────────────────────────────

    def _add_reader(self, key: K, reader: Reader, reader_key: Hashable) -> None:
        by_key = self._readers.setdefault(reader, {})
        reading = by_key.get(key, ABSENT)
        if reading is ABSENT:
            by_key[key] = reader_key
        elif type(reading) is _Several:
            reading[reader_key] = None
        elif reading != reader_key:
            by_key[key] = _Several(((reading, None), (reader_key, None)))

    def _drop_reader(self, key: K, reader: Reader, reader_key: Hashable) -> None:
        by_key = self._readers.get(reader, {})
        reading = by_key.get(key, ABSENT)
        if type(reading) is _Several:
            reading.pop(reader_key, None)
            if not reading:
                del by_key[key]
        elif reading is not ABSENT and reading == reader_key:
            del by_key[key]


class Source(Collection[K, V]):
    """A collection that is set from outside."""

    def set(self, key: K, value: V) -> None:
        """Add or replace; an equal value changes nothing."""
        self._put(key, value)

    def delete(self, key: K) -> None:
        """Remove; a missing key changes nothing."""
        self._put(key, ABSENT)


class Union(Collection[K, V]):
    """The keys and values of several collections, without a copy. No key may be in two of them."""

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
            if (value := part.get(key, ABSENT)) is not ABSENT:
                return value
        raise KeyError(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """As of every mapping; written out because it is called often."""
        for part in self._parts:
            if (value := part.get(key, ABSENT)) is not ABSENT:
                return value
        return default

    def __contains__(self, key: object) -> bool:
        return any(key in part for part in self._parts)

    def __iter__(self) -> Any:
        return chain.from_iterable(self._parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))
