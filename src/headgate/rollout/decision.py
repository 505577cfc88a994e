"""Shorthands with which rules make decisions: they keep the memory, write the status and pace events."""

from collections.abc import Iterable
from typing import Any

import msgspec

from headgate.api.delivery import CanaryStatus

from . import routes, status, strategies
from .effects import Decision, Effect, Patch, warning
from .queries import Query
from .release import Release
from .split import Split
from .strategies import Progress


def act(release: Release, *effects: Effect | None, tick: bool = False) -> Decision:
    """Perform these, then decide again. `tick` starts the next interval of the analysis."""
    memory = release.snapshot.memory
    if tick:
        memory = msgspec.structs.replace(memory, last_tick=release.now, last_wait_event=release.now)
    return Decision(effects=tuple(effect for effect in effects if effect is not None), memory=memory)


def wait(release: Release, message: str = "", until: float | None = None) -> Decision:
    """Wait for a change, or `until`. The message is an event once per interval, the first time after one interval."""
    memory = release.snapshot.memory
    next_event = max(memory.last_wait_event or 0.0, release.changed_at) + release.interval
    if message and release.now >= next_event:
        memory = msgspec.structs.replace(memory, last_wait_event=release.now)
        return Decision(effects=(warning(message),), memory=memory)
    return Decision(requeue_at=min(next_event, until) if until is not None else next_event, memory=memory)


def wait_a_tick(release: Release) -> Decision:
    """Wait for a change, or for the next tick of the analysis, which is one interval from now."""
    memory = msgspec.structs.replace(release.snapshot.memory, last_tick=release.now)
    return Decision(requeue_at=release.now + release.interval, memory=memory)


def rest(release: Release, until: float | None = None) -> Decision:
    """Wait for a change, or `until`, without an event."""
    return Decision(requeue_at=until, memory=release.snapshot.memory)


def query(release: Release, queries: Iterable[Query]) -> Decision | None:
    """Run those of the queries that have no result yet, then decide again; None if all have one."""
    results = release.snapshot.query_results
    missing = tuple(dict.fromkeys(item for item in queries if item not in results))
    return Decision(queries=missing, memory=release.snapshot.memory) if missing else None


def next_tick(release: Release) -> float:
    """When the next tick of the analysis is due."""
    return (release.snapshot.memory.last_tick or release.changed_at) + release.interval


def write(release: Release, after: CanaryStatus, before: CanaryStatus | None = None) -> Patch:
    """The status from now on."""
    return status.patch(release.snapshot.canary, release.canary.key, before or release.status, after)


def with_progress(release: Release, to: Progress, **counters: Any) -> CanaryStatus:
    """The status at another point of the same phase."""
    progress = {"canary_weight": to.weight, "iterations": to.iterations}
    return status.with_counters(release.status, release.now, **progress, **counters)


def route_split(release: Release, split: Split) -> Patch | None:
    """The patch that gives the route a split; None if it has it already, or if there is no route."""
    return routes.express(release.route, release.names, split) if release.route else None


def route_progress(release: Release, to: Progress) -> Patch | None:
    """The same for a point of the rollout."""
    return route_split(release, strategies.split_at(release.canary, to))
