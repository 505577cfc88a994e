"""How rules answer: shorthands that keep the memory, write the status and pace what is said."""

from collections.abc import Iterable

import msgspec

from headgate.api.delivery import CanaryStatus

from . import routes, status
from .effects import Decision, Effect, Patch, warning
from .release import Release


def act(release: Release, *effects: Effect | None, ticked: bool = False) -> Decision:
    """Do these, then decide again. `ticked` starts the next interval of the analysis."""
    memory = release.seen.memory
    if ticked:
        memory = msgspec.structs.replace(memory, ticked=release.now, said=release.now)
    return Decision(effects=tuple(effect for effect in effects if effect is not None), memory=memory)


def wait(release: Release, message: str = "", until: float | None = None) -> Decision:
    """Wait for a change, or `until`. What is waited for is said once per interval, the first time after one."""
    memory = release.seen.memory
    again = max(memory.said or 0.0, release.changed_at) + release.interval
    if message and release.now >= again:
        memory = msgspec.structs.replace(memory, said=release.now)
        return Decision(effects=(warning(message),), memory=memory)
    return Decision(wake=min(again, until) if until is not None else again, memory=memory)


def rest(release: Release, until: float | None = None) -> Decision:
    """Nothing to do and nothing to say."""
    return Decision(wake=until, memory=release.seen.memory)


def asking(release: Release, questions: Iterable[object]) -> Decision:
    """Ask these, then decide again with the answers."""
    return Decision(questions=tuple(dict.fromkeys(questions)), memory=release.seen.memory)


def due(release: Release) -> float:
    """When the next tick of the analysis is due."""
    return (release.seen.memory.ticked or release.changed_at) + release.interval


def write(release: Release, after: CanaryStatus, before: CanaryStatus | None = None) -> Patch:
    """The status from now on."""
    return status.write(release.seen.canary, release.canary.key, before or release.status, after)


def weights(release: Release, weight: int) -> Patch | None:
    """The route's weights, None if they are so already or there is no route."""
    return routes.set_weights(release.route, release.names, weight) if release.route else None
