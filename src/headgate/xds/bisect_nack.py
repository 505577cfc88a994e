"""Finds the resource that Envoy rejects in a response of many, by bisection. Pure.

Envoy NACKs a response as a whole. The resources that changed in it are sent again in two halves, and so on until a
NACKed part holds a single resource; all others get through. A set that was NACKed once is never sent again.
"""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Bisection(Generic[T]):
    """The parts that are still to be tried, in order. False when nothing is being tried."""

    def __init__(self) -> None:
        self._parts: list[tuple[T, ...]] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def current(self) -> tuple[T, ...]:
        """The part to try now; empty when there is none."""
        return self._parts[0] if self._parts else ()

    def passed(self) -> None:
        """Envoy ACKed the current part, or nothing of it needs to be sent any more."""
        if self._parts:
            del self._parts[0]

    def failed(self, suspects: Sequence[T]) -> T | None:
        """Envoy NACKed these together. Returns the culprit, or None after it cut the suspects in two."""
        self.passed()
        if len(suspects) == 1:
            return suspects[0]
        middle = len(suspects) // 2
        self._parts[:0] = [tuple(suspects[:middle]), tuple(suspects[middle:])]
        return None

    def clear(self) -> None:
        """Give up: the next response is the whole again."""
        self._parts.clear()
