"""Whether somebody got more than their share: exact bounds for random choices, sound for any sample.

Every request chooses by itself, with a probability that is known. The number of choices in a window is then a sum of
independent trials, and the Chernoff bound says how improbable it is to see so many. Every window counts, so what one of
them has to exceed is shared out among all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: How often a right split may be called wrong, over all windows of one call.
FALSE_ALARM = 1e-9


@dataclass(frozen=True)
class Window:
    """Requests `first` to `last` (not included): how many chose it, of how many, at which mean probability."""

    first: int
    last: int
    chosen: int
    share: float
    improbable: float
    """Natural logarithm of the bound: the more negative, the less probable is it that so many choose by chance."""

    def __str__(self) -> str:
        size = self.last - self.first
        return (
            f"{self.chosen} of the {size} requests from {self.first} on, at a share of {self.share:.3f}: "
            f"once in 10^{-self.improbable / math.log(10):.0f}"
        )


def excess(chosen: Sequence[bool], shares: Sequence[float]) -> Window | None:
    """The window with more choices than its shares allow, None if there is none.

    `shares` are the probabilities, request by request; wrong alarms are rarer than FALSE_ALARM.
    """
    windows = list(_windows(len(chosen)))
    if not windows:
        return None
    sums = [0, *itertools.accumulate(chosen)]
    expected = [0.0, *itertools.accumulate(shares)]
    limit = math.log(FALSE_ALARM / len(windows))
    worst = min(
        (_judged(first, last, sums[last] - sums[first], expected[last] - expected[first]) for first, last in windows),
        key=lambda window: window.improbable,
    )
    return worst if worst.improbable < limit else None


def _windows(count: int) -> Iterator[tuple[int, int]]:
    """Windows of 1, 2, 4, … requests, each length at every half of itself, and everything."""
    size = 1
    while size < count:
        for first in range(0, count - size + 1, max(1, size // 2)):
            yield first, first + size
        size *= 2
    if count:
        yield 0, count


def _judged(first: int, last: int, chosen: int, expected: float) -> Window:
    size = last - first
    share = expected / size
    return Window(first, last, chosen, share, -size * _divergence(chosen / size, share))


def _divergence(seen: float, share: float) -> float:
    """The Kullback-Leibler divergence of two coins, where more was seen than expected; else 0."""
    if seen <= share:
        return 0.0
    if share <= 0.0:
        return math.inf
    rest = (1 - seen) * math.log((1 - seen) / (1 - share)) if seen < 1 else 0.0
    return seen * math.log(seen / share) + rest
