"""What one cluster did, over time: fine for the last minute, coarse before it. Pure."""

from collections import deque

from headgate.envoy.otlp import Counts, Histogram

#: Seconds that are kept one by one, and the grain of what is older.
FINE = 60
COARSE = 10


class Bucket:
    """What a cluster did in a stretch of time that ends at `end`."""

    __slots__ = ("by_class", "by_code", "end", "time")

    def __init__(self, end: float) -> None:
        self.end = end
        self.by_code: dict[str, int] = {}
        self.by_class: dict[str, int] = {}
        self.time: Histogram | None = None

    def add(self, other: "Counts | Bucket") -> None:
        """Count these, too."""
        for code, count in other.by_code.items():
            self.by_code[code] = self.by_code.get(code, 0) + count
        for status_class, count in other.by_class.items():
            self.by_class[status_class] = self.by_class.get(status_class, 0) + count
        self.time = merge(self.time, other.time)


class Series:
    """One cluster's entries, all its Envoys together."""

    def __init__(self) -> None:
        self._fine: deque[Bucket] = deque()
        self._coarse: deque[Bucket] = deque()

    def __len__(self) -> int:
        return len(self._fine) + len(self._coarse)

    def add(self, counts: Counts, now: float) -> None:
        """Something was reported now."""
        _put(self._fine, counts, now, 1)

    def forget(self, now: float, horizon: float) -> None:
        """Make what is older than a minute coarse, and drop what is older than `horizon` seconds."""
        while self._fine and self._fine[0].end <= now - FINE:
            entry = self._fine.popleft()
            _put(self._coarse, entry, entry.end, COARSE)
        for kept in (self._coarse, self._fine):
            while kept and kept[0].end <= now - horizon:
                kept.popleft()

    def between(self, begin: float, end: float) -> Bucket:
        """All that was reported after `begin` and not after `end`."""
        found = Bucket(end)
        for kept in (self._coarse, self._fine):
            for entry in kept:
                if begin < entry.end <= end:
                    found.add(entry)
        return found


def merge(one: Histogram | None, other: Histogram | None) -> Histogram | None:
    """Both histograms as one; buckets of other bounds go where their upper bound belongs."""
    if one is None or other is None:
        return one or other
    counts = list(one.counts)
    if one.bounds == other.bounds:
        counts = [a + b for a, b in zip(one.counts, other.counts, strict=True)]
    else:
        for bound, count in zip((*other.bounds, float("inf")), other.counts, strict=True):
            place = next((i for i, mine in enumerate(one.bounds) if bound <= mine), len(one.bounds))
            counts[place] += count
    return Histogram(one.bounds, tuple(counts), one.sum + other.sum)


def _put(kept: deque[Bucket], what: Counts | Bucket, now: float, grain: int) -> None:
    """Add to the last entry if it lies in the same `grain` seconds, else begin one."""
    if not kept or kept[-1].end // grain != now // grain:
        kept.append(Bucket(now))
    kept[-1].end = max(kept[-1].end, now)
    kept[-1].add(what)
