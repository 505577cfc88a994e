"""Counts of what Envoys did, by Gateway and cluster, with their coverage. Pure; the time is a parameter.

An Envoy reports every second what its clusters did since its last report. A report that is lost, an Envoy that ended
before its last one, and a controller that was restarted leave holes. Holes are kept as holes: an instant is covered
when every Envoy that was connected then has reported it, and there was one.

Memory is bounded: with more than `most` entries the horizon, an hour at most, is halved; what lies beyond it is a hole.
"""

from headgate.api.meta import Key
from headgate.envoy.otlp import Report

from .intervals import Intervals
from .reading import Reading
from .series import Series

#: Seconds that are kept at most.
RETENTION = 3_600.0
#: Seconds that a report may be late before its absence counts as a hole.
MAX_DELAY = 2.5
#: Seconds between two sweeps of what is too old.
_SWEEP = 10.0
#: What a report is about when it does not say, and the most that is believed, in seconds.
_USUAL, _LONGEST = 1.0, 5.0


class CounterStore:
    """The counts of all Gateways."""

    def __init__(self, *, most: int = 300_000) -> None:
        self._most = most
        self._horizon = RETENTION
        self._forgotten = float("-inf")
        self._swept = float("-inf")
        self._gateways: dict[Key, _Gateway] = {}

    def connected(self, gateway: Key, node_id: str, now: float) -> None:
        """An Envoy connected: from now on its reports are missed when they do not come."""
        self._gateway(gateway).node(node_id).connect(now)

    def disconnected(self, gateway: Key, node_id: str, now: float) -> None:
        """An Envoy is gone."""
        self._gateway(gateway).node(node_id).disconnect(now)

    def drop(self, gateway: Key) -> None:
        """A Gateway is gone, and all that was known of it."""
        self._gateways.pop(gateway, None)

    def add(self, gateway: Key, node_id: str, report: Report, now: float) -> None:
        """A report came. The times that count are ours: an Envoy's clock may be another."""
        state = self._gateway(gateway)
        state.node(node_id).report(min(report.seconds or _USUAL, _LONGEST), now)
        for name, counts in report.clusters.items():
            state.series.setdefault(name, Series()).add(counts, now)
        if now >= self._swept + _SWEEP:
            self._sweep(now)

    def read(self, gateway: Key, stat_name: str, now: float, window: float) -> Reading:
        """What a cluster, by its name in statistics, did in the last `window` seconds.

        They end at the last instant that all connected Envoys have reported, if that is less than `LATE` ago: the
        youngest second is always still on its way.
        """
        state = self._gateways.get(gateway)
        if state is None:
            return Reading(now - window, now, 0.0, {}, {}, None)
        end = max(now - MAX_DELAY, min(now, state.reported_until(now)))
        begin = end - window
        found = state.series.get(stat_name, Series()).between(begin, end)
        coverage = state.covered(max(begin, self._forgotten), end) / window
        return Reading(begin, end, min(1.0, coverage), found.by_code, found.by_class, found.time)

    def _gateway(self, key: Key) -> "_Gateway":
        return self._gateways.setdefault(key, _Gateway())

    def _sweep(self, now: float) -> None:
        self._swept = now
        entries = self._forget(now)
        while entries > self._most:
            self._horizon /= 2
            entries = self._forget(now)
        if entries < self._most // 4:
            self._horizon = min(RETENTION, self._horizon * 2)

    def _forget(self, now: float) -> int:
        """Drop what is beyond the horizon; how many entries are left."""
        self._forgotten = max(self._forgotten, now - self._horizon)
        return sum(state.forget(now, self._horizon) for state in self._gateways.values())


class _Node:
    """When one Envoy was connected, and the times that it reported on."""

    def __init__(self) -> None:
        self.there = Intervals()
        self.covered = Intervals()
        self.since: float | None = None
        self.last = float("-inf")

    def connect(self, now: float) -> None:
        if self.since is None:
            self.since = now

    def disconnect(self, now: float) -> None:
        if self.since is not None:
            self.there.add(self.since, now)
            self.since = None

    def report(self, seconds: float, now: float) -> None:
        begin = now - seconds
        if abs(begin - self.last) < seconds / 2:
            begin = self.last  # the next in a row; the rest is how long they travelled
        self.covered.add(begin, now)
        self.last = now

    def present(self, now: float) -> Intervals:
        """When it served: while it was connected, and while it reported."""
        open_end = [] if self.since is None else [(self.since, now)]
        return self.there.union([*self.covered, *open_end])


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
        """Seconds in which an Envoy was there, and all that were have reported."""
        anybody, missing = Intervals(), Intervals()
        for node in self._nodes.values():
            present = node.present(end)
            anybody = anybody.union(present)
            missing = missing.union(present.without(node.covered))
        return anybody.without(missing).seconds(begin, end)

    def forget(self, now: float, horizon: float) -> int:
        for series in self.series.values():
            series.forget(now, horizon)
        self.series = {name: series for name, series in self.series.items() if len(series)}
        for node in self._nodes.values():
            node.there.forget(now - horizon)
            node.covered.forget(now - horizon)
        self._nodes = {
            name: node for name, node in self._nodes.items() if node.since is not None or node.there or node.covered
        }
        return sum(len(series) for series in self.series.values())
