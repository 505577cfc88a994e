"""What changed in a collection since the last time."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .collections import ABSENT, Collection

#: What most calls return as removed.
_NOTHING: frozenset[Any] = frozenset()

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Delta(Generic[K, V]):
    """Changes between two calls of `Collector.take`: the current values, and the keys that are gone."""

    set: dict[K, V]
    removed: frozenset[K]

    def __bool__(self) -> bool:
        return bool(self.set or self.removed)


class Collector(Generic[K, V]):
    """Remembers what changed in a collection until it is taken."""

    def __init__(self, over: Collection[K, V]) -> None:
        self._current = over._held
        self._before: dict[K, Any] = dict.fromkeys(self._current, ABSENT)
        over._followers.append(self._follow)

    def _follow(self, key: K, old: Any, _new: Any) -> None:
        self._before.setdefault(key, old)

    def take(self) -> Delta[K, V]:
        """Changes since the last call. A value that changed and changed back is no change."""
        if not self._before:
            return Delta({}, _NOTHING)
        before, self._before = self._before, {}
        current = self._current
        changed: dict[K, V] = {}
        removed = set()
        for key, old in before.items():
            new: Any = current.get(key, ABSENT)
            if new is ABSENT:
                if old is not ABSENT:
                    removed.add(key)
            elif old is ABSENT or old != new:
                changed[key] = new
        return Delta(changed, frozenset(removed))
