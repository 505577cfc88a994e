"""Collections whose functions run again when what they read has changed, and the tracked access to what they read."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import chain
from typing import Any, TypeVar

from .collections import ABSENT, Collection, Failure, Journal, Reader
from .index import Index

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
G = TypeVar("G", bound=Hashable)


class Read:
    """Tracked access to other collections; every function gets one as its first argument."""

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


class Derived(Collection[K, V], Reader):
    """A collection with functions that must run again when what they read has changed."""

    def __init__(self, journal: Journal, name: str) -> None:
        Collection.__init__(self, journal, name)
        Reader.__init__(self)
        #: What each key has read, flat: collection, key, collection, key … A key that read nothing is not in it.
        self._reads: dict[Any, tuple[Any, ...]] = {}

    def _settle(self) -> None:
        """Run the functions of the dirty keys."""
        while self.dirty:
            dirty, self.dirty = self.dirty, {}
            for key in dirty:
                self._recompute(key)

    def _recompute(self, key: Any) -> None:
        raise NotImplementedError

    def _end(self, key: Any) -> None:
        """Forget a key that is gone."""
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
        """Run a function and remember what it read. Returns `ABSENT` if it raised."""
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
