"""Latencies in logarithmic buckets: quantiles within 1 %, from a few hundred counters for any number of values."""

import math
from collections import Counter
from typing import Self

_STEP = math.log(1.02)
_FLOOR = 1e-6


class Histogram:
    """Counts positive values by their logarithm."""

    __slots__ = ("_buckets", "count", "largest")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.largest = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._buckets[round(math.log(max(value, _FLOOR) / _FLOOR) / _STEP)] += 1
        self.count += 1
        self.largest = max(self.largest, value)

    def quantile(self, share: float) -> float | None:
        """The quantile of a share (0 to 1) of all values; None without values."""
        if not self.count:
            return None
        rank = min(self.count, max(1, math.ceil(share * self.count)))
        counted = 0
        for bucket in sorted(self._buckets):
            counted += self._buckets[bucket]
            if counted >= rank:
                return min(_FLOOR * math.exp(bucket * _STEP), self.largest)
        return self.largest

    def copy(self) -> Self:
        """A copy, which later values do not change."""
        other = type(self)()
        other._buckets = self._buckets.copy()
        other.count, other.largest = self.count, self.largest
        return other

    def since(self, earlier: Self) -> Self:
        """The values counted after the copy `earlier` was made; `largest` stays that of all values."""
        other = self.copy()
        other._buckets = self._buckets - earlier._buckets
        other.count -= earlier.count
        return other
