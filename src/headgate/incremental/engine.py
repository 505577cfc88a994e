"""The graph of collections, and the order in which they are brought up to date."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

from .collections import Collection, Failure, Journal, Source, Union
from .collector import Collector
from .derived import Derived, Read
from .folds import Fold, GroupSize, Ordered
from .functions import FlatMap, Map
from .index import Index

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
K2 = TypeVar("K2", bound=Hashable)
V2 = TypeVar("V2")
G = TypeVar("G", bound=Hashable)
C = TypeVar("C", bound=Collection[Any, Any])


class Engine:
    """A graph of collections; the package's docstring has the rules."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._collections: list[Collection[Any, Any]] = []
        #: Those with functions; sources, unions and indexes are always up to date.
        self._derived: list[Derived[Any, Any]] = []

    @property
    def runs(self) -> Counter[str]:
        """How often each collection's function ran, by the collection's name; tests compare these counts."""
        return self._journal.runs

    @property
    def failures(self) -> dict[tuple[str, Hashable], Failure]:
        """Functions that raised, by collection and key, until they succeed."""
        return self._journal.failures

    def source(self, name: str) -> Source[Any, Any]:
        """A collection that is set from outside."""
        return self._add(Source(self._journal, name))

    def map(self, name: str, over: Collection[K, V], function: Callable[[Read, K, V], V2 | None]) -> Collection[K, V2]:
        """One result per key; None means there is none."""
        return self._add(Map(self._journal, name, over, function))

    def flat_map(
        self, name: str, over: Collection[K, V], function: Callable[[Read, K, V], Iterable[tuple[K2, V2]]]
    ) -> Collection[K2, V2]:
        """Any number of results per key, each with a key of its own.

        An output key must contain its input key, so that no two inputs have an output key in common.
        """
        return self._add(FlatMap(self._journal, name, over, function))

    def index(self, name: str, over: Collection[K, V], groups: Callable[[K, V], Iterable[G]]) -> Index[G, K]:
        """Groups of keys, to be read with `Read.group`."""
        return self._add(Index(self._journal, name, over, groups))

    def union(self, name: str, *parts: Collection[Any, V]) -> Collection[Any, V]:
        """All keys and values of several collections that have no key in common."""
        return self._add(Union(self._journal, name, parts))

    def count(self, name: str, over: Collection[K, V], group: Callable[[K, V], G | None]) -> Collection[G, int]:
        """The number of members of each group; an empty group is absent. A change costs O(1)."""
        return self._add(GroupSize(self._journal, name, over, group, lambda _group, size: size))

    def distinct(
        self, name: str, over: Collection[K, V], group: Callable[[K, V], G | None], value: Callable[[G], V2]
    ) -> Collection[G, V2]:
        """A value for each group that has members, made from the group alone. A change costs O(1)."""
        return self._add(GroupSize(self._journal, name, over, group, lambda key, _size: value(key)))

    def least(
        self,
        name: str,
        over: Collection[K, V],
        group: Callable[[K, V], G | None],
        order: Callable[[K, V], Ordered],
    ) -> Collection[G, V]:
        """The value that comes first in each group; of equal orders, the one with the smaller key.

        A change costs O(log n) comparisons and a copy of n references, n being the size of the group.
        """
        held = over._held
        return self._add(Fold(self._journal, name, over, group, order, lambda members: held[members[0][1]]))

    def sorted(
        self,
        name: str,
        over: Collection[K, V],
        group: Callable[[K, V], G | None],
        order: Callable[[K, V], Ordered],
    ) -> Collection[G, tuple[tuple[K, V], ...]]:
        """All keys and values of each group in order; equal orders are ordered by key.

        A change costs O(log n) comparisons and copies of n references; what reads the result reads all of it.
        """
        held = over._held
        return self._add(
            Fold(
                self._journal,
                name,
                over,
                group,
                order,
                lambda members: tuple((key, held[key]) for _, key in members),
            )
        )

    def collect(self, over: Collection[K, V]) -> Collector[K, V]:
        """Collects what changes in a collection, to be taken between runs."""
        return Collector(over)

    def run(self) -> None:
        """Bring every collection up to date."""
        for collection in self._derived:
            if collection.dirty:
                collection._settle()

    def __iter__(self) -> Iterator[Collection[Any, Any]]:
        return iter(self._collections)

    def _add(self, collection: C) -> C:
        if any(c.name == collection.name for c in self._collections):
            raise ValueError(f"a collection named {collection.name!r} exists already")
        self._collections.append(collection)
        if isinstance(collection, Derived):
            self._derived.append(collection)
        return collection
