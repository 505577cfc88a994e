"""Groups of a collection's keys: to join by, to count, to fold in order."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from .collections import ABSENT, Collection, Derived, Journal

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
V2 = TypeVar("V2")
G = TypeVar("G", bound=Hashable)


class Ordered(Protocol):
    """Anything with a total order."""

    def __lt__(self, other: Any, /) -> bool:
        """Less than."""


class Index(Collection[G, tuple[K, ...]], Generic[G, K]):
    """Groups of the keys of a collection. A reader of a group runs again when its membership changes, not when the
    value of a member does: read those too.
    """

    def __init__(
        self, journal: Journal, name: str, over: Collection[K, V], groups: Callable[[K, V], Iterable[G]]
    ) -> None:
        super().__init__(journal, name)
        self._groups = groups
        #: One key or a set of them; a key that is a tuple, say, is no set.
        self._members: dict[G, Any] = {}
        over._followers.append(self._follow)

    def members(self, group: G) -> tuple[K, ...]:
        """The keys in a group, sorted."""
        found = self._members.get(group, ABSENT)
        if found is ABSENT:
            return ()
        return tuple(sorted(found)) if type(found) is set else (found,)

    def _follow(self, key: K, old: Any, new: Any) -> None:
        before = () if old is ABSENT else set(self._groups(key, old))
        after = () if new is ABSENT else set(self._groups(key, new))
        for group in before:
            if group not in after:
                self._leave(group, key)
                self._changed(group, None, None)
        for group in after:
            if group not in before:
                self._join(group, key)
                self._changed(group, None, None)

    def _join(self, group: G, key: K) -> None:
        found = self._members.get(group, ABSENT)
        if found is ABSENT:
            self._members[group] = key
        elif type(found) is set:
            found.add(key)
        else:
            self._members[group] = {found, key}

    def _leave(self, group: G, key: K) -> None:
        found = self._members[group]
        if type(found) is set and len(found) > 1:
            found.discard(key)
        else:
            del self._members[group]


class _Grouped(Derived[G, V2], Generic[K, V, G, V2]):
    """One value per group of a collection's members."""

    def __init__(self, journal: Journal, name: str, over: Collection[K, V]) -> None:
        super().__init__(journal, name)
        over._followers.append(self._follow)

    def _follow(self, key: K, old: Any, new: Any) -> None:
        raise NotImplementedError


class Sized(_Grouped[K, V, G, V2]):
    """The value of a group is made of the group and its size."""

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
            self._dirty[before] = None
            self._sizes[before] -= 1
            if not self._sizes[before]:
                del self._sizes[before]
        if after is not None:
            self._dirty[after] = None
            self._sizes[after] = self._sizes.get(after, 0) + 1

    def _recompute(self, key: G) -> None:
        self._journal.runs[self.name] += 1
        size = self._sizes.get(key)
        self._put(key, ABSENT if size is None else self._finish(key, size))


class Fold(_Grouped[K, V, G, V2]):
    """Members of each group in order; the fold's value is made from the ordered pairs of order and key."""

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
                self._dirty[group] = None
            if after is not None:
                group, entry = after
                members = self._ordered.get(group, ())
                at = bisect_left(members, entry)
                self._ordered[group] = (*members[:at], entry, *members[at:])
                self._dirty[group] = None
        elif after is not None:
            self._dirty[after[0]] = None

    def _recompute(self, key: G) -> None:
        self._journal.runs[self.name] += 1
        members = self._ordered.get(key)
        self._put(key, ABSENT if members is None else self._finish(members))
