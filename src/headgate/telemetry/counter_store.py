"""Request counts of Envoys by Gateway and cluster, with their coverage. Pure; the time is a parameter.

Each second an Envoy reports the counts of its clusters since its last report. A lost report, an Envoy that ended before
its last report, and a restart of the controller leave gaps. Gaps are recorded: an instant is covered when at least one
Envoy was connected then, and all Envoys that were have reported it.

Memory is bounded: with more than `max_buckets` buckets the retention, an hour at most, is halved; older times are gaps.
"""

from headgate.api.meta import Key
from headgate.envoy.otlp import Report

from .intervals import Intervals
from .reading import Reading
from .series import Series

#: The longest retention in seconds.
RETENTION = 3_600.0
#: Seconds by which a report may be delayed before its absence is a gap.
MAX_DELAY = 2.5
#: Seconds between two removals of old buckets.
_SWEEP = 10.0
#: The interval of a report in seconds: the default, and the longest that is accepted.
_DEFAULT_INTERVAL, _LONGEST_INTERVAL = 1.0, 5.0


class CounterStore:
    """The counts of all Gateways."""

    def __init__(self, *, max_buckets: int = 300_000) -> None:
        self._max_buckets = max_buckets
        self._retention = RETENTION
        self._complete_since = float("-inf")
        self._swept_at = float("-inf")
        self._gateways: dict[Key, _Gateway] = {}

    def connected(self, gateway: Key, node_id: str, now: float) -> None:
        """An Envoy connected: from now on a missing report of it is a gap."""
        self._gateway(gateway).node(node_id).connect(now)

    def disconnected(self, gateway: Key, node_id: str, now: float) -> None:
        """An Envoy disconnected."""
        self._gateway(gateway).node(node_id).disconnect(now)

    def drop(self, gateway: Key) -> None:
        """Delete the counts of a Gateway."""
        self._gateways.pop(gateway, None)

    def add(self, gateway: Key, node_id: str, report: Report, now: float) -> None:
        """Add a report that arrived now. Times are those of arrival, because the clocks of Envoys may differ."""
        state = self._gateway(gateway)
        state.node(node_id).report(min(report.seconds or _DEFAULT_INTERVAL, _LONGEST_INTERVAL), now)
        for name, counts in report.clusters.items():
            state.series.setdefault(name, Series()).add(counts, now)
        if now >= self._swept_at + _SWEEP:
            self._sweep(now)

    def read(self, gateway: Key, stat_name: str, now: float, window: float) -> Reading:
        """The counts of a cluster, by its `alt_stat_name`, in a window of so many seconds.

        The window ends at the last instant that all connected Envoys have reported, if that is less than `MAX_DELAY`
        ago: the reports of the most recent second are still on their way.
        """
        state = self._gateways.get(gateway)
        if state is None:
            return Reading(now - window, now, 0.0, {}, {}, None)
        end = max(now - MAX_DELAY, min(now, state.reported_until(now)))
        begin = end - window
        counted = state.series.get(stat_name, Series()).between(begin, end)
        coverage = state.covered(max(begin, self._complete_since), end) / window
        return Reading(begin, end, min(1.0, coverage), counted.by_code, counted.by_class, counted.time)

    def _gateway(self, key: Key) -> "_Gateway":
        return self._gateways.setdefault(key, _Gateway())

    def _sweep(self, now: float) -> None:
        self._swept_at = now
        buckets = self._prune(now)
        while buckets > self._max_buckets:
            self._retention /= 2
            buckets = self._prune(now)
        if buckets < self._max_buckets // 4:
            self._retention = min(RETENTION, self._retention * 2)

    def _prune(self, now: float) -> int:
        """Remove buckets older than the retention; the number of buckets that are left."""
        self._complete_since = max(self._complete_since, now - self._retention)
        return sum(state.prune(now, self._retention) for state in self._gateways.values())


class _Node:
    """When one Envoy was connected, and the times that its reports cover."""

    def __init__(self) -> None:
        self.connected = Intervals()
        self.covered = Intervals()
        self.since: float | None = None
        self.last = float("-inf")

    def connect(self, now: float) -> None:
        if self.since is None:
            self.since = now

    def disconnect(self, now: float) -> None:
        if self.since is not None:
            self.connected.add(self.since, now)
            self.since = None

    def report(self, seconds: float, now: float) -> None:
        begin = now - seconds
        if abs(begin - self.last) < seconds / 2:
            begin = self.last  # consecutive reports; the difference is the network delay
        self.covered.add(begin, now)
        self.last = now

    def present(self, now: float) -> Intervals:
        """When it served: while it was connected, and the times that it reported on."""
        open_end = [] if self.since is None else [(self.since, now)]
        return self.connected.union([*self.covered, *open_end])


class _Gateway:
    """One Gateway's Envoys and clusters."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self._nodes: dict[str, _Node] = {}

    def node(self, node_id: str) -> _Node:
        return self._nodes.setdefault(node_id, _Node())

    def reported_until(self, now: float) -> float:
        """The last instant that all connected Envoys have reported."""
        return min((node.last for node in self._nodes.values() if node.since is not None), default=now)

    def covered(self, begin: float, end: float) -> float:
        """The seconds in which at least one Envoy was connected, and all that were have reported."""
        any_present, missing = Intervals(), Intervals()
        for node in self._nodes.values():
            present = node.present(end)
            any_present = any_present.union(present)
            missing = missing.union(present.without(node.covered))
        return any_present.without(missing).seconds(begin, end)

    def prune(self, now: float, retention: float) -> int:
        for series in self.series.values():
            series.prune(now, retention)
        self.series = {name: series for name, series in self.series.items() if len(series)}
        for node in self._nodes.values():
            node.connected.prune(now - retention)
            node.covered.prune(now - retention)
        self._nodes = {
            name: node for name, node in self._nodes.items() if node.since is not None or node.connected or node.covered
        }
        return sum(len(series) for series in self.series.values())
