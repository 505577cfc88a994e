"""Running one coroutine as a command: it ends by itself or by a signal, and always through its `finally`s."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def until_stopped(work: Coroutine[Any, Any, T]) -> T | None:
    """Run `work`; Ctrl-C, SIGTERM and the end of the terminal cancel it, which is an ordinary end (None).

    A second signal changes nothing: whoever wants a hard end sends SIGKILL, and what that leaves behind is cleaned up
    by the next start.
    """
    return asyncio.run(_stoppable(work))


async def _stoppable(work: Coroutine[Any, Any, T]) -> T | None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            task.cancel()

    # What our parent made us ignore (`nohup`) stays ignored.
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            return await task
        return None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
