"""Counts of outcomes, as a whole and by whatever tells them apart (which backend answered)."""

from collections import Counter
from collections.abc import Callable
from typing import Self

from headgate.traffic.histogram import Histogram
from headgate.traffic.request import RequestResult

#: Says to which group an outcome belongs; outcomes without answer belong to none and are not asked about.
Classify = Callable[[RequestResult], str]


class ResultCounts:
    """What came of a set of requests."""

    __slots__ = ("failed", "failures", "latency", "sent", "statuses")

    def __init__(self) -> None:
        self.sent = 0
        self.failed = 0
        self.statuses: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self.latency = Histogram()

    def add(self, outcome: RequestResult) -> None:
        """Count one outcome. Latency is that of answered requests."""
        self.sent += 1
        if not outcome.succeeded:
            self.failed += 1
        if outcome.failure:
            self.failures[outcome.failure] += 1
        else:
            self.statuses[outcome.status] += 1
            self.latency.add(outcome.latency)

    @property
    def success_rate(self) -> float | None:
        """The share of requests that were answered without server error; None without requests."""
        return 1 - self.failed / self.sent if self.sent else None

    def copy(self) -> Self:
        """A copy that does not change any more."""
        return self.since(type(self)())

    def since(self, earlier: Self) -> Self:
        """What was counted after the copy `earlier` was made."""
        other = type(self)()
        other.sent = self.sent - earlier.sent
        other.failed = self.failed - earlier.failed
        other.statuses = self.statuses - earlier.statuses
        other.failures = self.failures - earlier.failures
        other.latency = self.latency.since(earlier.latency)
        return other


class Tally:
    """Counts of a load: of everything, and by group."""

    def __init__(self, classify: Classify | None = None) -> None:
        self._classify = classify
        self.all = ResultCounts()
        self.groups: dict[str, ResultCounts] = {}

    def add(self, outcome: RequestResult) -> None:
        """Count one outcome; the callback of `Load.run`."""
        self.all.add(outcome)
        if self._classify is not None and not outcome.failure:
            self.group(self._classify(outcome)).add(outcome)

    def group(self, name: str) -> ResultCounts:
        """The counts of a group, empty ones if nothing was counted for it yet."""
        found = self.groups.get(name)
        if found is None:
            found = self.groups[name] = ResultCounts()
        return found

    def share(self, name: str) -> float | None:
        """The share of a group among all outcomes that belong to a group; None without any."""
        total = sum(counts.sent for counts in self.groups.values())
        counts = self.groups.get(name)
        return (counts.sent if counts else 0) / total if total else None

    def copy(self) -> "Tally":
        """A copy that does not change any more."""
        return self.since(Tally())

    def since(self, earlier: "Tally") -> "Tally":
        """What was counted after the copy `earlier` was made."""
        other = Tally(self._classify)
        other.all = self.all.since(earlier.all)
        nothing = ResultCounts()
        other.groups = {name: counts.since(earlier.groups.get(name, nothing)) for name, counts in self.groups.items()}
        return other
