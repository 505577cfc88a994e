"""Waiting for a condition with a deadline: the only way a test waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from support.processes import Program

T = TypeVar("T")


class DeadlineError(AssertionError):
    """The condition did not come true before its deadline."""


def until(
    condition: Callable[[], T],
    *,
    deadline: float = 60.0,
    what: str = "",
    every: float = 0.05,
    tolerate: tuple[type[BaseException], ...] = (OSError,),
    running: Program | None = None,
) -> T:
    """Call `condition` every `every` seconds until its result is true, and return the result.

    `what` names the condition in errors. Errors of the types `tolerate` mean "not yet". If the program `running` ends
    first, the error shows its log. The error of a missed deadline shows the last result. The default deadline is for a
    machine whose cores are shared with a build.
    """
    end = time.monotonic() + deadline
    while True:
        last: object
        try:
            answer = condition()
        except tolerate as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        name = what or getattr(condition, "__name__", "the condition")
        if running is not None and not running.running:
            raise DeadlineError(
                f"{running.name} ended ({running.returncode}) before {name}; its log ends:\n{running.tail()}"
            )
        if time.monotonic() >= end:
            log = f"\nlog of {running.name}:\n{running.tail()}" if running is not None else ""
            raise DeadlineError(f"not within {deadline:g} s: {name}; last: {last!r}{log}")
        time.sleep(every)
