"""Groups of a collection's keys, to join by."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from .collections import ABSENT, Collection, Journal

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
G = TypeVar("G", bound=Hashable)


class Index(Collection[G, tuple[K, ...]], Generic[G, K]):
    """Groups of the keys of a collection.

    A function that reads a group runs again when a member joins or leaves, not when the value of a member changes: it
    must read the values too.
    """

    def __init__(
        self, journal: Journal, name: str, over: Collection[K, V], groups: Callable[[K, V], Iterable[G]]
    ) -> None:
        super().__init__(journal, name)
        self._groups = groups
        #: One key, or a set of several keys. A key is never a set itself.
        self._members: dict[G, Any] = {}
        over._followers.append(self._follow)

    def members(self, group: G) -> tuple[K, ...]:
        """The keys in a group, sorted."""
        members = self._members.get(group, ABSENT)
        if members is ABSENT:
            return ()
        return tuple(sorted(members)) if type(members) is set else (members,)

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
        members = self._members.get(group, ABSENT)
        if members is ABSENT:
            self._members[group] = key
        elif type(members) is set:
            members.add(key)
        else:
            self._members[group] = {members, key}

    def _leave(self, group: G, key: K) -> None:
        members = self._members[group]
        if type(members) is set and len(members) > 1:
            members.discard(key)
        else:
            del self._members[group]
