"""Which seconds the Envoys of a Gateway reported about.

A second is covered if at least one Envoy was connected and every connected one reported about it. So a restart of the
controller, a lost report or an Envoy that is silent makes a hole, and a hole reads neither as success nor as failure.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from headgate.envoy.bootstrap import FLUSH_INTERVAL

#: Seconds for which we remember.
MEMORY = 3600.0
#: A report may be late by this many flush intervals before the time since the last one counts as a hole.
LATE = 1.5

Span = tuple[float, float]


@dataclass
class Node:
    """One Envoy: when it was connected, and the spans that its reports are about."""

    since: float | None = None
    connected: deque[Span] = field(default_factory=deque)
    reported: deque[Span] = field(default_factory=deque)
    last: float | None = None

    def connect(self, now: float) -> None:
        """A stream opened."""
        if self.since is None:
            self.since = now

    def disconnect(self, now: float) -> None:
        """The last stream ended."""
        if self.since is not None:
            self.connected.append((self.since, now))
            self.since = None

    def report(self, now: float, seconds: float) -> None:
        """A report came in, about the last `seconds` (0: Envoy does not say)."""
        if not seconds:
            since = now - self.last if self.last is not None else float(FLUSH_INTERVAL)
            seconds = since if since <= LATE * FLUSH_INTERVAL else float(FLUSH_INTERVAL)
        begin = max(now - seconds, self.last if self.last is not None else 0.0)
        if self.reported and begin <= self.reported[-1][1]:
            begin = self.reported.pop()[0]
        self.reported.append((begin, now))
        self.last = now

    def forget(self, before: float) -> bool:
        """Drop what is older; True if nothing is left."""
        for spans in (self.connected, self.reported):
            while spans and spans[0][1] < before:
                spans.popleft()
        return self.since is None and not self.connected and not self.reported

    def presence(self, now: float) -> list[Span]:
        """When it was connected, until now."""
        current = [] if self.since is None else [(self.since, now)]
        return [*self.connected, *current]


def end_of(nodes: Iterable[Node], now: float) -> float:
    """The moment up to which the connected Envoys have all reported: the last flush, unless one of them is silent."""
    heard = [node.last for node in nodes if node.since is not None and node.last is not None]
    end = min(heard, default=now)
    return end if now - end <= 3 * FLUSH_INTERVAL else now


def covered(nodes: Iterable[Node], begin: float, end: float) -> float:
    """The share of the time between two moments that is covered."""
    if end <= begin:
        return 0.0
    edges: dict[float, list[int]] = {}

    def mark(spans: Iterable[Span], which: int) -> None:
        for start, stop in spans:
            first, last = max(start, begin), min(stop, end)
            if first < last:
                edges.setdefault(first, [0, 0])[which] += 1
                edges.setdefault(last, [0, 0])[which] -= 1

    for node in nodes:
        present = node.presence(end)
        mark(present, 0)
        mark(_overlap(present, node.reported), 1)
    total, connected, reporting, since = 0.0, 0, 0, begin
    for at in sorted(edges):
        if connected and reporting == connected:
            total += at - since
        connected, reporting, since = connected + edges[at][0], reporting + edges[at][1], at
    return total / (end - begin)


def _overlap(present: Iterable[Span], reported: Iterable[Span]) -> list[Span]:
    return [
        (max(begin, first), min(end, last))
        for begin, end in present
        for first, last in reported
        if max(begin, first) < min(end, last)
    ]
