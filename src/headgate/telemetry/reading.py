"""The counts of a cluster in a window, and what follows from them. Pure values."""

from collections.abc import Mapping

import msgspec

from headgate.envoy.otlp import Histogram

_SUCCESS_CLASSES = ("1", "2", "3", "4")


class Reading(msgspec.Struct, frozen=True):
    """The counts of one cluster from `begin` to `end`, in seconds.

    `coverage` is the share of that time for which every connected Envoy of the Gateway has reported. Below 1 the counts
    are too low by an unknown amount, so a missing count must be read neither as success nor as failure.
    """

    begin: float
    end: float
    coverage: float
    by_code: Mapping[str, int]
    by_class: Mapping[str, int]
    time: Histogram | None

    @property
    def total(self) -> int:
        """The number of responses."""
        return sum(self.by_class.values())

    @property
    def success_rate(self) -> float | None:
        """The share of responses that are not 5xx; None without responses."""
        total = self.total
        return (
            None if total == 0 else sum(self.by_class.get(status_class, 0) for status_class in _SUCCESS_CLASSES) / total
        )

    def quantile(self, q: float) -> float | None:
        """The `q`-quantile (0 to 1) of the request durations in milliseconds; None without requests.

        Within a bucket, durations are interpolated linearly, as Prometheus' `histogram_quantile` does; above the last
        bound the result is that bound.
        """
        if self.time is None or not (total := sum(self.time.counts)):
            return None
        rank, seen, lower = q * total, 0.0, 0.0
        for bound, count in zip(self.time.bounds, self.time.counts, strict=False):
            if count and seen + count >= rank:
                return lower + (bound - lower) * max(0.0, rank - seen) / count
            seen, lower = seen + count, bound
        return lower
