"""Feeds the world in an order in which no request fails, though watches of different kinds are not in step.

Whoever creates a Service and then a route to it, or moves a route away from a Service and then deletes that, did
everything right; but the watch of routes may be a few milliseconds ahead of that of Services, or behind it, and for so
long requests would be answered with 500. So:

1. An object whose spec is new and names what is not there waits for it, `REFERENCE_WAIT` at most. What was known of the
   object before stays. Meanwhile the API is asked: what it does not have now, it did not have when the object was
   written, and is not waited for.
2. What others may name (Services, their EndpointSlices, Secrets, ConfigMaps, ReferenceGrants) stays for
   `REFERENCE_WAIT` when it is deleted.
3. Nothing waits before all collections are complete: a controller that starts has everything in its lists.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from headgate.api import core, discovery, gateway
from headgate.api.meta import Key, Object, Ref
from headgate.world import World
from headgate.world.unresolved import GRANT, reference_to, unresolved_references

#: Seconds an object waits for what it references. Watches of one API server are some milliseconds apart.
REFERENCE_WAIT = 0.25
#: So many questions are asked at a time; the others wait for their turn, or for the end of their patience.
_AT_A_TIME = 16

#: What is named by others.
_NAMED = (core.Service, discovery.EndpointSlice, core.Secret, core.ConfigMap, gateway.ReferenceGrant)
#: What names it: routes, and what has certificates.
_NAMING = (
    gateway.HTTPRoute,
    gateway.GRPCRoute,
    gateway.TLSRoute,
    gateway.TCPRoute,
    gateway.UDPRoute,
    gateway.Gateway,
    gateway.ListenerSet,
)

Subject = tuple[type[Object], Key]


class _Waiting(msgspec.Struct):
    """What is to be set (None: deleted), what it lacks and need not be waited for, and when it is set all the same."""

    found: Object | None
    lacks: frozenset[Ref]
    timer: asyncio.TimerHandle
    absent: frozenset[Ref] = frozenset()
    asking: asyncio.Task[None] | None = None


class ReferenceBarrier:
    """See the module's text.

    Args:
        complete: whether all collections are complete.
        late: called with the kind and the key of an object that was set after it had waited.
        step: called when that was not because something came, so that nobody else is about to step.
        absent: asks the API whether it has no such object; False if that is not known.
        wait: seconds that an object waits at most.
    """

    def __init__(
        self,
        world: World,
        complete: Callable[[], bool],
        late: Callable[[type[Object], list[Key]], None],
        step: Callable[[], None],
        absent: Callable[[Ref], Awaitable[bool]],
        *,
        wait: float = REFERENCE_WAIT,
    ) -> None:
        self._world = world
        self._sources = world.by_kind
        self._complete = complete
        self._late = late
        self._step = step
        self._absent = absent
        self._wait_seconds = wait
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._waiting: dict[Subject, _Waiting] = {}

    def take(self, cls: type[Object], key: Key, found: Object | None) -> None:
        """An object came, changed or (None) went."""
        lacks = self._lacks(cls, key, found)
        if self._complete() and (lacks or (found is None and cls in _NAMED and key in self._sources[cls])):
            self._wait((cls, key), found, lacks)
            return
        self._forget((cls, key))
        self._set(cls, key, found)
        if found is not None and cls in _NAMED and self._waiting:
            self._came(reference_to(found, key))

    def stop(self) -> None:
        """Let nothing come any more."""
        for subject in list(self._waiting):
            self._forget(subject)

    def _lacks(self, cls: type[Object], key: Key, found: Any) -> frozenset[Ref]:
        if found is None or cls not in _NAMING:
            return frozenset()
        held = self._sources[cls].get(key)
        return (
            frozenset() if held is not None and held.spec == found.spec else unresolved_references(self._world, found)
        )

    def _wait(self, subject: Subject, found: Object | None, lacks: frozenset[Ref]) -> None:
        waiting = self._waiting.get(subject)
        if waiting is None:
            timer = asyncio.get_running_loop().call_later(self._wait_seconds, self._expire, subject)
            waiting = self._waiting[subject] = _Waiting(found, lacks, timer)
        else:  # whoever changes again and again does not wait for ever
            _stop_asking(waiting)
            waiting.found, waiting.lacks, waiting.absent = found, lacks, frozenset()
        if lacks:
            waiting.asking = asyncio.create_task(self._ask(subject, waiting))

    async def _ask(self, subject: Subject, waiting: _Waiting) -> None:
        """What is nowhere is not waited for; of permissions nobody can say which one would come."""
        asked = sorted(each for each in waiting.lacks if each.kind != GRANT)
        async with self._turns:
            answers = await asyncio.gather(*map(self._absent, asked))
        waiting.absent = frozenset(each for each, absent in zip(asked, answers, strict=True) if absent)
        waiting.asking = None
        if waiting.lacks <= waiting.absent:
            self._expire(subject)

    def _came(self, named: Ref) -> None:
        """Something is there now: who waited for nothing else is set."""
        for subject in [each for each, waiting in self._waiting.items() if named in waiting.lacks]:
            waiting = self._waiting[subject]
            waiting.lacks = self._lacks(*subject, waiting.found)
            if waiting.lacks <= waiting.absent:
                self._release(subject)

    def _expire(self, subject: Subject) -> None:
        self._release(subject)
        self._step()

    def _release(self, subject: Subject) -> None:
        cls, key = subject
        waiting = self._forget(subject)
        if waiting is not None:
            self._set(cls, key, waiting.found)
            self._late(cls, [key])

    def _forget(self, subject: Subject) -> _Waiting | None:
        waiting = self._waiting.pop(subject, None)
        if waiting is not None:
            waiting.timer.cancel()
            _stop_asking(waiting)
        return waiting

    def _set(self, cls: type[Object], key: Key, found: Any) -> None:
        if found is None:
            self._sources[cls].delete(key)
        else:
            self._sources[cls].set(key, found)


def _stop_asking(waiting: _Waiting) -> None:
    if waiting.asking is not None:
        waiting.asking.cancel()
        waiting.asking = None
