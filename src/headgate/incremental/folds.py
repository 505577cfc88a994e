"""Folds: one value per group of a collection's members, by their number or in their order."""

from bisect import bisect_left
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

from .collections import ABSENT, Collection, Journal
from .derived import Derived

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
V2 = TypeVar("V2")
G = TypeVar("G", bound=Hashable)


class Ordered(Protocol):
    """Anything with a total order."""

    def __lt__(self, other: Any, /) -> bool:
        """Less than."""


class _Grouped(Derived[G, V2], Generic[K, V, G, V2]):
    """One value per group of a collection's members."""

    def __init__(self, journal: Journal, name: str, over: Collection[K, V]) -> None:
        super().__init__(journal, name)
        over._followers.append(self._follow)

    def _follow(self, key: K, old: Any, new: Any) -> None:
        raise NotImplementedError


class GroupSize(_Grouped[K, V, G, V2]):
    """A value per group, made from the group and its number of members. A change costs O(1)."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        over: Collection[K, V],
        group: Callable[[K, V], G | None],
        finish: Callable[[G, int], V2],
    ) -> None:
        super().__init__(journal, name, over)
        self._group = group
        self._finish = finish
        self._sizes: dict[G, int] = {}

    def _follow(self, key: K, old: Any, new: Any) -> None:
        before = None if old is ABSENT else self._group(key, old)
        after = None if new is ABSENT else self._group(key, new)
        if before == after:
            return
        if before is not None:
            self.dirty[before] = None
            self._sizes[before] -= 1
            if not self._sizes[before]:
                del self._sizes[before]
        if after is not None:
            self.dirty[after] = None
            self._sizes[after] = self._sizes.get(after, 0) + 1

    def _recompute(self, key: G) -> None:
        self._journal.runs[self.name] += 1
        size = self._sizes.get(key)
        self._put(key, ABSENT if size is None else self._finish(key, size))


class Fold(_Grouped[K, V, G, V2]):
    """A value per group, made from the ordered pairs of order and key.

    A change finds its place with O(log n) comparisons and copies the group's tuple of n pairs: O(n), less than
    a millisecond for 10,000 members. Most groups have few members, and a tuple takes the least memory for those.
    """

    def __init__(
        self,
        journal: Journal,
        name: str,
        over: Collection[K, V],
        group: Callable[[K, V], G | None],
        order: Callable[[K, V], Ordered],
        finish: Callable[[tuple[tuple[Any, K], ...]], V2],
    ) -> None:
        super().__init__(journal, name, over)
        self._group = group
        self._order = order
        self._finish = finish
        self._ordered: dict[G, tuple[tuple[Any, K], ...]] = {}

    def _place(self, key: K, value: Any) -> tuple[G, tuple[Any, K]] | None:
        group = None if value is ABSENT else self._group(key, value)
        return None if group is None else (group, (self._order(key, value), key))

    def _follow(self, key: K, old: Any, new: Any) -> None:
        before, after = self._place(key, old), self._place(key, new)
        if before != after:
            if before is not None:
                group, entry = before
                members = self._ordered.pop(group)
                at = bisect_left(members, entry)
                if len(members) > 1:
                    self._ordered[group] = members[:at] + members[at + 1 :]
                self.dirty[group] = None
            if after is not None:
                group, entry = after
                members = self._ordered.get(group, ())
                at = bisect_left(members, entry)
                self._ordered[group] = (*members[:at], entry, *members[at:])
                self.dirty[group] = None
        elif after is not None:
            self.dirty[after[0]] = None

    def _recompute(self, key: G) -> None:
        self._journal.runs[self.name] += 1
        members = self._ordered.get(key)
        self._put(key, ABSENT if members is None else self._finish(members))
