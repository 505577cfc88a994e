"""Latencies in logarithmic buckets: quantiles within 1 % from a few hundred counters, whatever the number of values."""

import math
from collections import Counter
from typing import Self

_STEP = math.log(1.02)
_FLOOR = 1e-6


class Histogram:
    """Counts of positive values by their logarithm."""

    __slots__ = ("_buckets", "count", "largest", "total")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.total = 0.0
        self.largest = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._buckets[round(math.log(max(value, _FLOOR) / _FLOOR) / _STEP)] += 1
        self.count += 1
        self.total += value
        self.largest = max(self.largest, value)

    def quantile(self, share: float) -> float | None:
        """The value below which that share (0 to 1) of all values lies; None without values."""
        if not self.count:
            return None
        wanted = min(self.count, max(1, math.ceil(share * self.count)))
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(_FLOOR * math.exp(bucket * _STEP), self.largest)
        return self.largest

    @property
    def mean(self) -> float | None:
        """The mean; None without values."""
        return self.total / self.count if self.count else None

    def copy(self) -> Self:
        """A copy that does not change any more."""
        other = type(self)()
        other._buckets = self._buckets.copy()
        other.count, other.total, other.largest = self.count, self.total, self.largest
        return other

    def since(self, earlier: Self) -> Self:
        """What was counted after the copy `earlier` was made; `largest` stays that of the whole."""
        other = self.copy()
        other._buckets = self._buckets - earlier._buckets
        other.count -= earlier.count
        other.total -= earlier.total
        return other
