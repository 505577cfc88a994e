"""A queue of keys, each worked on by at most one task at a time.

A key that is added while it is being worked on is worked on once more afterwards; one that fails is tried again after a
pause that doubles. Workers look up what is desired *now*, so the latest wins and nothing stale is written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import structlog

K = TypeVar("K", bound=Hashable)

_log = structlog.get_logger("headgate.controllers")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0


class WorkQueue(Generic[K]):
    """See the module's text. `work` is called with a key and must be safe to repeat.

    Args:
        name: for the log.
        work: does what is needed for a key; an exception means "try again later".
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
        """Ask for a key to be worked on."""
        self._idle.clear()
        if key in self._busy:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = None
            self._wake.release()

    def __len__(self) -> int:
        """Keys that wait, are being worked on, or will be tried again."""
        return len(self._waiting) + len(self._busy) + len(self._timers)

    async def settled(self) -> None:
        """Until nothing waits (keys that wait for another try do not count)."""
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
            try:
                await self._work(key)
            except Exception as error:
                self._later(key, error)
            else:
                self._failures.pop(key, None)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            if not self._waiting and not self._busy:
                self._idle.set()

    def _later(self, key: K, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
        _log.warning(
            "will try again", work=self._name, key=str(key), error=f"{type(error).__name__}: {error}", seconds=pause
        )
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(pause, self._retry, key)

    def _retry(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
