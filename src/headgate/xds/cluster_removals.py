"""Removes clusters a while after their last reference. Pure; the time is a parameter.

A request that was routed just before may still be choosing its backend, so a cluster outlives the last route to it.
"""

from collections.abc import Callable

#: Seconds that a cluster outlives the last route to it.
GRACE = 5.0


class ClusterRemovals:
    """The clusters of one Envoy that are to be removed. False when there are none."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        #: Since when each is unused; None while it is used, or while that is not known.
        self._unused_since: dict[str, float | None] = {}
        #: When the next cluster is due; None: only after something else happened.
        self.next_due: float | None = None

    def __bool__(self) -> bool:
        return bool(self._unused_since)

    def add(self, name: str) -> None:
        """The cluster is no longer desired; its grace period begins when it is unused."""
        self._unused_since[name] = None

    def cancel(self, name: str) -> None:
        """The cluster is desired again, or Envoy no longer has it."""
        self._unused_since.pop(name, None)

    def due(self, now: float, unused: Callable[[str], bool]) -> tuple[str, ...]:
        """The clusters that have been unused for the grace period; sets `next_due`.

        A cluster stays due until `cancel`. One that is found in use begins its grace period again.
        """
        self.next_due = None
        due = []
        for name, since in self._unused_since.items():
            if not unused(name):
                self._unused_since[name] = None
                continue
            if since is None:
                self._unused_since[name] = now
                self._wake_by(now + self._grace)
            elif now < since + self._grace:
                self._wake_by(since + self._grace)
            else:
                due.append(name)
        return tuple(due)

    def _wake_by(self, time: float) -> None:
        self.next_due = time if self.next_due is None else min(self.next_due, time)
