"""Holds an object back until what it references has arrived, so that no request fails because watches differ in speed.

A user who creates a Service and then a route to it, or moves a route to another Service and then deletes the first,
made no mistake. But the watch of routes can be some milliseconds ahead of the watch of Services, or behind it, and for
that time requests would be answered with 500. So:

1. An object whose spec is new and has a reference that does not resolve waits for it, `wait` seconds at most. The
   object's previous version stays in the world. Meanwhile the API server is asked for the target by name: a target that
   it does not have is not waited for.
2. An object that others may reference (Service, EndpointSlice, Secret, ConfigMap, ReferenceGrant) stays in the world
   for `wait` seconds after it was deleted.
3. Nothing waits before all collections are complete: at the start, the lists have everything.

Which kinds wait for what is in the rows of `headgate.world.World`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from headgate.api.meta import Key, Object, Ref
from headgate.world import World
from headgate.world.objects import KIND_OF
from headgate.world.references import GRANT
from headgate.world.unresolved import unresolved_references

#: Seconds an object waits for what it references. Watches of one API server are some milliseconds apart.
REFERENCE_WAIT = 0.25
#: How many objects ask the API server for their targets at the same time.
_CONCURRENT_LOOKUPS = 16

_Subject = tuple[type[Object], Key]


class _Waiting(msgspec.Struct):
    """An object that waits: its new version (None: deleted), and when it is applied at the latest.

    `absent` are the unresolved references that the API server has no object for.
    """

    new: Object | None
    unresolved: frozenset[Ref]
    timer: asyncio.TimerHandle
    absent: frozenset[Ref] = frozenset()
    lookup: asyncio.Task[None] | None = None


class ReferenceBarrier:
    """Between the watches and the world; the module's docstring has the rules.

    Args:
        complete: whether all collections were listed once.
        on_delayed: called with the kind and the key of an object that was applied after it had waited.
        run_pass: called when an object was applied because of a timer or of a lookup, not of a watch event.
        is_absent: asks the API server whether it has no such object; False if that is not known.
        wait: seconds that an object waits at most.
    """

    def __init__(
        self,
        world: World,
        complete: Callable[[], bool],
        on_delayed: Callable[[type[Object], list[Key]], None],
        run_pass: Callable[[], None],
        is_absent: Callable[[Ref], Awaitable[bool]],
        *,
        wait: float = REFERENCE_WAIT,
    ) -> None:
        self._world = world
        self._complete = complete
        self._on_delayed = on_delayed
        self._run_pass = run_pass
        self._is_absent = is_absent
        self._wait = wait
        self._lookups = asyncio.Semaphore(_CONCURRENT_LOOKUPS)
        self._waiting: dict[_Subject, _Waiting] = {}

    def apply(self, cls: type[Object], key: Key, new: Object | None) -> None:
        """Set an object in the world, or (None) delete it: now, or when it has waited."""
        unresolved = self._unresolved(cls, key, new)
        resolves = KIND_OF[cls].resolves
        deleted = new is None and resolves is not None and key in self._world.sources[cls]
        if self._complete() and (unresolved or deleted):
            self._hold((cls, key), new, unresolved)
            return
        self._forget((cls, key))
        self._set(cls, key, new)
        if new is not None and resolves is not None and self._waiting:
            self._resolved(resolves(new))

    def stop(self) -> None:
        """Forget every object that waits."""
        for subject in list(self._waiting):
            self._forget(subject)

    def _unresolved(self, cls: type[Object], key: Key, new: Any) -> frozenset[Ref]:
        if new is None or not KIND_OF[cls].waits_for:
            return frozenset()
        previous: Any = self._world.sources[cls].get(key)
        unchanged = previous is not None and previous.spec == new.spec
        return frozenset() if unchanged else unresolved_references(self._world, new)

    def _hold(self, subject: _Subject, new: Object | None, unresolved: frozenset[Ref]) -> None:
        waiting = self._waiting.get(subject)
        if waiting is None:
            timer = asyncio.get_running_loop().call_later(self._wait, self._expire, subject)
            waiting = self._waiting[subject] = _Waiting(new, unresolved, timer)
        else:  # the timer goes on: an object that changes again and again does not wait for ever
            _cancel_lookup(waiting)
            waiting.new, waiting.unresolved, waiting.absent = new, unresolved, frozenset()
        if unresolved:
            waiting.lookup = asyncio.create_task(self._look_up(subject, waiting))

    async def _look_up(self, subject: _Subject, waiting: _Waiting) -> None:
        """Ask for the targets. Missing permissions are not looked up: no name says which grant would come."""
        targets = sorted(ref for ref in waiting.unresolved if ref.kind != GRANT)
        async with self._lookups:
            answers = await asyncio.gather(*map(self._is_absent, targets))
        waiting.absent = frozenset(ref for ref, absent in zip(targets, answers, strict=True) if absent)
        waiting.lookup = None
        if waiting.unresolved <= waiting.absent:
            self._expire(subject)

    def _resolved(self, reference: Ref) -> None:
        """A reference resolves now: objects that waited for no other are applied."""
        for subject in [subject for subject, waiting in self._waiting.items() if reference in waiting.unresolved]:
            waiting = self._waiting[subject]
            waiting.unresolved = self._unresolved(*subject, waiting.new)
            if waiting.unresolved <= waiting.absent:
                self._release(subject)

    def _expire(self, subject: _Subject) -> None:
        self._release(subject)
        self._run_pass()

    def _release(self, subject: _Subject) -> None:
        cls, key = subject
        waiting = self._forget(subject)
        if waiting is not None:
            self._set(cls, key, waiting.new)
            self._on_delayed(cls, [key])

    def _forget(self, subject: _Subject) -> _Waiting | None:
        waiting = self._waiting.pop(subject, None)
        if waiting is not None:
            waiting.timer.cancel()
            _cancel_lookup(waiting)
        return waiting

    def _set(self, cls: type[Object], key: Key, new: Object | None) -> None:
        source = self._world.sources[cls]
        if new is None:
            source.delete(key)
        else:
            source.set(key, new)


def _cancel_lookup(waiting: _Waiting) -> None:
    if waiting.lookup is not None:
        waiting.lookup.cancel()
        waiting.lookup = None
