"""Adds up what the Envoys of Gateways counted, cluster by cluster, over windows of time.

Memory is bounded: a cluster is remembered for `SHORT` seconds, and as long as anybody asked for, up to `MEMORY`, once
somebody has asked for it.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from headgate.api.meta import Key
from headgate.envoy.otlp import Counts, Report

from .coverage import MEMORY, Node, covered, end_of

#: Seconds for which a cluster is remembered that nobody asked about.
SHORT = 60.0
#: Seconds between two clean-ups.
SWEEP = 30.0


class Reading(msgspec.Struct, frozen=True):
    """What was counted of one cluster in a window.

    `coverage` is the share of the window that all connected Envoys reported about, from 0 to 1. `buckets` are (upper
    bound in milliseconds, requests between the bound before and this one); the last bound is infinite.
    """

    coverage: float
    by_code: dict[str, int] = {}
    by_class: dict[str, int] = {}
    buckets: tuple[tuple[float, int], ...] = ()

    @property
    def requests(self) -> int:
        """Answers of any status."""
        return sum(self.by_class.values())

    @property
    def server_errors(self) -> int:
        """Answers 5xx."""
        return self.by_class.get("5", 0)


@dataclass
class _Gateway:
    nodes: dict[str, Node] = field(default_factory=dict)
    clusters: dict[str, deque[tuple[float, Counts]]] = field(default_factory=dict)


class Telemetry:
    """The counters of all Envoys of a controller."""

    def __init__(self) -> None:
        self._gateways: dict[Key, _Gateway] = {}
        self._wanted: dict[str, float] = {}
        self._swept = 0.0

    # ── in ───────────────────────────────────────────────────────────────────

    def connected(self, gateway: Key, node: str, now: float) -> None:
        """An Envoy's stream opened."""
        self._node(gateway, node).connect(now)

    def disconnected(self, gateway: Key, node: str, now: float) -> None:
        """An Envoy's last stream ended."""
        self._node(gateway, node).disconnect(now)

    def take(self, gateway: Key, node: str, report: Report, now: float) -> None:
        """A report of an Envoy came in."""
        self._node(gateway, node).report(now, report.seconds)
        clusters = self._gateways[gateway].clusters
        for name, counts in report.clusters.items():
            clusters.setdefault(name, deque()).append((now, counts))
        if now - self._swept > SWEEP:
            self._sweep(now)

    def drop(self, gateway: Key) -> None:
        """A Gateway is gone."""
        self._gateways.pop(gateway, None)

    def _node(self, gateway: Key, node: str) -> Node:
        return self._gateways.setdefault(gateway, _Gateway()).nodes.setdefault(node, Node())

    def _sweep(self, now: float) -> None:
        self._swept = now
        for gateway in self._gateways.values():
            for name, node in list(gateway.nodes.items()):
                if node.forget(now - MEMORY):
                    del gateway.nodes[name]
            for name, counts in list(gateway.clusters.items()):
                oldest = now - self._wanted.get(name, SHORT)
                while counts and counts[0][0] < oldest:
                    counts.popleft()
                if not counts:
                    del gateway.clusters[name]

    # ── out ──────────────────────────────────────────────────────────────────

    def read(self, gateways: Iterable[Key], cluster: str, now: float, window: float) -> Reading | None:
        """What all Envoys of these Gateways counted of a cluster in the last `window` seconds before their last report.

        None if none of the Gateways has, or had, an Envoy here.
        """
        self._wanted[cluster] = min(MEMORY, max(self._wanted.get(cluster, SHORT), window + SHORT))
        known = [found for gateway in gateways if (found := self._gateways.get(gateway)) is not None]
        if not known:
            return None
        nodes = [node for gateway in known for node in gateway.nodes.values()]
        end = end_of(nodes, now)
        begin = end - window
        counted = [
            counts for gateway in known for at, counts in gateway.clusters.get(cluster, ()) if begin < at <= end + 1e-6
        ]
        return msgspec.structs.replace(_sum(counted), coverage=min(1.0, covered(nodes, begin, end)))


def _sum(counted: Iterable[Counts]) -> Reading:
    by_code: dict[str, int] = {}
    by_class: dict[str, int] = {}
    buckets: dict[float, int] = {}
    for each in counted:
        for total, part in ((by_code, each.by_code), (by_class, each.by_class)):
            for name, count in part.items():
                total[name] = total.get(name, 0) + count
        if each.time is not None:
            for bound, count in zip((*each.time.bounds, float("inf")), each.time.counts, strict=True):
                buckets[bound] = buckets.get(bound, 0) + count
    return Reading(0.0, by_code, by_class, tuple(sorted(buckets.items())))
