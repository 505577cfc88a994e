"""Finding what Envoy refuses in a response of many, by halves. Pure.

Envoy refuses a response as a whole. What changed in it is tried again in two halves, and so on until what is refused
stands alone; everything else goes through. A set that was refused once is never tried again.
"""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Bisection(Generic[T]):
    """The parts that are still to be tried, in order."""

    def __init__(self) -> None:
        self._parts: list[tuple[T, ...]] = []

    def __bool__(self) -> bool:
        return bool(self._parts)

    @property
    def current(self) -> tuple[T, ...]:
        """The part to try now; everything that is not suspected when there is none."""
        return self._parts[0] if self._parts else ()

    def passed(self) -> None:
        """The current part was taken, or there is nothing left to send of it."""
        if self._parts:
            del self._parts[0]

    def failed(self, suspects: Sequence[T]) -> T | None:
        """These were refused together: the one that is to blame, or None after they were cut in two."""
        self.passed()
        if len(suspects) == 1:
            return suspects[0]
        middle = len(suspects) // 2
        self._parts[:0] = [tuple(suspects[:middle]), tuple(suspects[middle:])]
        return None

    def clear(self) -> None:
        """Give up: start from the whole again."""
        self._parts.clear()
