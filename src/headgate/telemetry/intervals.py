"""Sets of instants as half-open intervals, sorted and disjoint. Pure."""

from collections.abc import Iterable, Iterator

#: Intervals this many seconds apart are joined, because of the precision of clocks and floats.
_JOIN = 0.01


class Intervals:
    """A set of instants."""

    def __init__(self, intervals: Iterable[tuple[float, float]] = ()) -> None:
        self._intervals: list[tuple[float, float]] = []
        for begin, end in sorted(intervals):
            self.add(begin, end)

    def add(self, begin: float, end: float) -> None:
        """Add an interval that does not begin before the last one begins."""
        if self._intervals and begin <= self._intervals[-1][1] + _JOIN:
            last_begin, last_end = self._intervals[-1]
            self._intervals[-1] = (last_begin, max(last_end, end))
        elif end > begin:
            self._intervals.append((begin, end))

    def prune(self, before: float) -> None:
        """Remove the intervals that end before an instant."""
        while self._intervals and self._intervals[0][1] <= before:
            del self._intervals[0]

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(self._intervals)

    def __bool__(self) -> bool:
        return bool(self._intervals)

    def union(self, other: "Iterable[tuple[float, float]]") -> "Intervals":
        """The instants of both sets."""
        return Intervals([*self, *other])

    def without(self, other: "Intervals") -> "Intervals":
        """The instants that are not in the other set."""
        left = []
        for begin, end in self:
            at = begin
            for hole_begin, hole_end in other:
                if hole_end <= at or hole_begin >= end:
                    continue
                if hole_begin > at:
                    left.append((at, hole_begin))
                at = max(at, hole_end)
            if at < end:
                left.append((at, end))
        return Intervals(left)

    def seconds(self, begin: float, end: float) -> float:
        """The number of seconds of the set between two instants."""
        return sum(max(0.0, min(end, own_end) - max(begin, own_begin)) for own_begin, own_end in self)
