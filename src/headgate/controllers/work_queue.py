"""A queue of keys, each worked on by at most one worker at a time, as client-go's workqueue.

A key that is added while it is being worked on is worked on once more afterwards. A key whose work raises is added
again after a back-off. Workers look up what is desired at the moment of the work, so the latest state wins and nothing
stale is written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

from headgate.kube.backoff import Backoff

K = TypeVar("K", bound=Hashable)

_log = structlog.get_logger("headgate.controllers")

#: Between two attempts for a key that fails.
BACKOFF = Backoff(first=0.1, limit=30.0)
#: The longest single timer in seconds: some platforms take no more than a few weeks, and a key that is added too early
#: costs nothing.
_LONGEST_TIMER = 86_400.0


class WorkQueue(Generic[K]):
    """A queue of keys; the module's docstring has the rules.

    Args:
        name: for the log.
        work: does what a key needs. It must be safe to repeat; an exception means that it is tried again later.
        workers: how many keys are worked on at the same time.
    """

    def __init__(self, name: str, work: Callable[[K], Awaitable[None]], *, workers: int) -> None:
        self._name = name
        self._work = work
        self._workers = workers
        self._waiting: dict[K, None] = {}
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._wake = asyncio.Semaphore(0)
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, key: K) -> None:
        """Add a key to be worked on now."""
        self._idle.clear()
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = None
            self._wake.release()

    def add_after(self, key: K, seconds: float) -> None:
        """Add a key in so many seconds, at most a day, instead of when an earlier call said.

        Work on a key that begins before then cancels this: that work decides anew when the key is needed again.
        """
        self._cancel(key)
        delay = min(max(0.0, seconds), _LONGEST_TIMER)
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self._due, key)

    async def settled(self) -> None:
        """Until no key waits or is being worked on; keys that are added later by a timer are not waited for."""
        await self._idle.wait()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._workers):
                    tasks.create_task(self._one_after_another())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _one_after_another(self) -> None:
        while True:
            await self._wake.acquire()
            key = next(iter(self._waiting))
            del self._waiting[key]
            self._busy.add(key)
            self._cancel(key)
            try:
                await self._work(key)
            except Exception as error:
                self._retry(key, error)
            else:
                self._failures.pop(key, None)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            if not self._waiting and not self._busy:
                self._idle.set()

    def _retry(self, key: K, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = BACKOFF.delay(failures)
        _log.warning(
            "work failed, retrying",
            work=self._name,
            key=str(key),
            error=f"{type(error).__name__}: {error}",
            seconds=delay,
        )
        self.add_after(key, delay)

    def _due(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    def _cancel(self, key: K) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
