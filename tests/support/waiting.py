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
    deadline: float = 30.0,
    says: str = "",
    every: float = 0.05,
    tolerate: tuple[type[BaseException], ...] = (OSError,),
    running: Program | None = None,
) -> T:
    """Call `condition` until its answer is true and return that answer.

    `says` names what is waited for, `tolerate` the errors that mean "not yet", `running` a program whose end makes
    waiting pointless: its log is in the error then. The error of a missed deadline shows the last answer.
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
        what = says or getattr(condition, "__name__", "the condition")
        if running is not None and not running.running:
            raise DeadlineError(
                f"{running.name} ended ({running.returncode}) before {what}; its log ends:\n{running.tail()}"
            )
        if time.monotonic() >= end:
            log = f"\n{running.name} says:\n{running.tail()}" if running is not None else ""
            raise DeadlineError(f"not within {deadline:g} s: {what}; last: {last!r}{log}")
        time.sleep(every)
