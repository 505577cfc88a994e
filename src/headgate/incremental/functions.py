"""Collections made by a function per key."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from .collections import ABSENT, Collection, Journal
from .derived import Derived, Read

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
K2 = TypeVar("K2", bound=Hashable)
V2 = TypeVar("V2")


class Map(Derived[K, V2]):
    """One result per key."""

    def __init__(
        self, journal: Journal, name: str, over: Collection[K, V], function: Callable[[Read, K, V], V2 | None]
    ) -> None:
        super().__init__(journal, name)
        self._over = over._held
        self._function = function
        over._followers.append(self._follow)

    def _follow(self, key: K, _old: Any, _new: Any) -> None:
        self.dirty[key] = None

    def _recompute(self, key: K) -> None:
        value: Any = self._over.get(key, ABSENT)
        if value is ABSENT:
            self._end(key)
            self._put(key, ABSENT)
            return
        result = self._call(key, self._function, key, value)
        if result is not ABSENT:
            self._put(key, ABSENT if result is None else result)


class _Several(tuple[Any, ...]):
    """More than one output key of a key."""


class FlatMap(Derived[K2, V2], Generic[K, V, K2, V2]):
    """Any number of keyed results per key."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        over: Collection[K, V],
        function: Callable[[Read, K, V], Iterable[tuple[K2, V2]]],
    ) -> None:
        super().__init__(journal, name)
        self._over = over._held
        self._function = function
        #: The output keys of each key: one key or `_Several`. A key without output is not in it.
        self._outputs: dict[K, Any] = {}
        over._followers.append(self._follow)

    def _follow(self, key: K, _old: Any, _new: Any) -> None:
        self.dirty[key] = None

    def _recompute(self, key: K) -> None:
        value: Any = self._over.get(key, ABSENT)
        if value is ABSENT:
            self._end(key)
            self._replace(key, {})
            return
        result = self._call(key, lambda *arguments: dict(self._function(*arguments)), key, value)
        if result is not ABSENT:
            self._replace(key, result)

    def _replace(self, key: K, outputs: dict[K2, V2]) -> None:
        before = self._outputs.pop(key, ABSENT)
        if type(before) is _Several:
            for old in before:
                if old not in outputs:
                    self._put(old, ABSENT)
        elif before is not ABSENT and before not in outputs:
            self._put(before, ABSENT)
        if outputs:
            self._outputs[key] = next(iter(outputs)) if len(outputs) == 1 else _Several(outputs)
        for new, value in outputs.items():
            self._put(new, value)
