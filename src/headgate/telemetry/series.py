"""The counts of one cluster over time: in fine buckets for the last minute, in coarse ones before it. Pure."""

from collections import deque

from headgate.envoy.otlp import Counts, Histogram

#: Seconds for which there is a bucket per second, and the size of older buckets in seconds.
FINE = 60
COARSE = 10


class Bucket:
    """The counts of a cluster in an interval that ends at `end`."""

    __slots__ = ("by_class", "by_code", "end", "time")

    def __init__(self, end: float) -> None:
        self.end = end
        self.by_code: dict[str, int] = {}
        self.by_class: dict[str, int] = {}
        self.time: Histogram | None = None

    def add(self, other: "Counts | Bucket") -> None:
        """Add counts."""
        for code, count in other.by_code.items():
            self.by_code[code] = self.by_code.get(code, 0) + count
        for status_class, count in other.by_class.items():
            self.by_class[status_class] = self.by_class.get(status_class, 0) + count
        self.time = merge(self.time, other.time)


class Series:
    """The buckets of one cluster, for all Envoys of the Gateway together."""

    def __init__(self) -> None:
        self._fine: deque[Bucket] = deque()
        self._coarse: deque[Bucket] = deque()

    def __len__(self) -> int:
        return len(self._fine) + len(self._coarse)

    def add(self, counts: Counts, now: float) -> None:
        """Add counts that were reported now."""
        _put(self._fine, counts, now, 1)

    def prune(self, now: float, retention: float) -> None:
        """Merge buckets older than a minute into coarse ones, and remove those older than `retention` seconds."""
        while self._fine and self._fine[0].end <= now - FINE:
            bucket = self._fine.popleft()
            _put(self._coarse, bucket, bucket.end, COARSE)
        for buckets in (self._coarse, self._fine):
            while buckets and buckets[0].end <= now - retention:
                buckets.popleft()

    def between(self, begin: float, end: float) -> Bucket:
        """The sum of the counts that were reported after `begin` and not after `end`."""
        total = Bucket(end)
        for buckets in (self._coarse, self._fine):
            for bucket in buckets:
                if begin < bucket.end <= end:
                    total.add(bucket)
        return total


def merge(one: Histogram | None, other: Histogram | None) -> Histogram | None:
    """The sum of two histograms; with other bounds, a bucket is added to the one that has its upper bound."""
    if one is None or other is None:
        return one or other
    counts = list(one.counts)
    if one.bounds == other.bounds:
        counts = [a + b for a, b in zip(one.counts, other.counts, strict=True)]
    else:
        for upper, count in zip((*other.bounds, float("inf")), other.counts, strict=True):
            place = next((index for index, bound in enumerate(one.bounds) if upper <= bound), len(one.bounds))
            counts[place] += count
    return Histogram(one.bounds, tuple(counts), one.sum + other.sum)


def _put(buckets: deque[Bucket], counts: Counts | Bucket, now: float, size: int) -> None:
    """Add to the last bucket if it is in the same `size` seconds, else begin one."""
    if not buckets or buckets[-1].end // size != now // size:
        buckets.append(Bucket(now))
    buckets[-1].end = max(buckets[-1].end, now)
    buckets[-1].add(counts)
