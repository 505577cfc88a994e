"""What a metric says about a stretch of time. Pure values."""

from collections.abc import Mapping

import msgspec

from headgate.envoy.otlp import Histogram

_SUCCESS_CLASSES = ("1", "2", "3", "4")


class Reading(msgspec.Struct, frozen=True):
    """What one cluster did from `begin` to `end`, as far as it is known.

    `coverage` is the share of that time for which every connected Envoy of the Gateway has reported. Below 1 the
    counts are too small by an unknown amount: whoever judges must not take what is missing for success or failure.
    """

    begin: float
    end: float
    coverage: float
    by_code: Mapping[str, int]
    by_class: Mapping[str, int]
    time: Histogram | None

    @property
    def total(self) -> int:
        """Requests that were answered."""
        return sum(self.by_class.values())

    @property
    def success_rate(self) -> float | None:
        """The share of answers that are not 5xx; None when there were none."""
        total = self.total
        return None if total == 0 else sum(self.by_class.get(each, 0) for each in _SUCCESS_CLASSES) / total

    def quantile(self, q: float) -> float | None:
        """The time in milliseconds that a share `q` of the requests stayed below; None when there were none.

        Within a bucket requests are taken to be spread evenly, as Prometheus' `histogram_quantile` does; beyond the
        last bound the answer is that bound.
        """
        if self.time is None or not (total := sum(self.time.counts)):
            return None
        rank, seen, lower = q * total, 0.0, 0.0
        for bound, count in zip(self.time.bounds, self.time.counts, strict=False):
            if count and seen + count >= rank:
                return lower + (bound - lower) * max(0.0, rank - seen) / count
            seen, lower = seen + count, bound
        return lower
