"""Counts results: all of them, and by group (for example by the backend that responded)."""

from collections import Counter
from collections.abc import Callable
from typing import Self

from headgate.traffic.histogram import Histogram
from headgate.traffic.request import RequestResult

#: Returns the group of a result. It is not called for results without a response, which are in no group.
Classify = Callable[[RequestResult], str]


class ResultCounts:
    """The counts of a set of results."""

    __slots__ = ("failed", "failures", "latency", "sent", "statuses")

    def __init__(self) -> None:
        self.sent = 0
        self.failed = 0
        self.statuses: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self.latency = Histogram()

    def add(self, result: RequestResult) -> None:
        """Count a result. `latency` is that of requests with a response."""
        self.sent += 1
        if not result.succeeded:
            self.failed += 1
        if result.failure:
            self.failures[result.failure] += 1
        else:
            self.statuses[result.status] += 1
            self.latency.add(result.latency)

    @property
    def success_rate(self) -> float | None:
        """The share of requests with a response other than a server error; None without requests."""
        return 1 - self.failed / self.sent if self.sent else None

    def copy(self) -> Self:
        """A copy, which later results do not change."""
        return self.since(type(self)())

    def since(self, earlier: Self) -> Self:
        """The results counted after the copy `earlier` was made."""
        other = type(self)()
        other.sent = self.sent - earlier.sent
        other.failed = self.failed - earlier.failed
        other.statuses = self.statuses - earlier.statuses
        other.failures = self.failures - earlier.failures
        other.latency = self.latency.since(earlier.latency)
        return other


class Tally:
    """The counts of a load: of all results, and by group."""

    def __init__(self, classify: Classify | None = None) -> None:
        self._classify = classify
        self.all = ResultCounts()
        self.groups: dict[str, ResultCounts] = {}

    def add(self, result: RequestResult) -> None:
        """Count a result; a callback for `Load.run`."""
        self.all.add(result)
        if self._classify is not None and not result.failure:
            self.group(self._classify(result)).add(result)

    def group(self, name: str) -> ResultCounts:
        """The counts of a group, which are empty before its first result."""
        return self.groups.setdefault(name, ResultCounts())

    def share(self, name: str) -> float | None:
        """The share of a group among the results of all groups; None without results."""
        total = sum(counts.sent for counts in self.groups.values())
        counts = self.groups.get(name)
        return (counts.sent if counts else 0) / total if total else None

    def copy(self) -> "Tally":
        """A copy, which later results do not change."""
        return self.since(Tally())

    def since(self, earlier: "Tally") -> "Tally":
        """The results counted after the copy `earlier` was made."""
        other = Tally(self._classify)
        other.all = self.all.since(earlier.all)
        nothing = ResultCounts()
        other.groups = {name: counts.since(earlier.groups.get(name, nothing)) for name, counts in self.groups.items()}
        return other
