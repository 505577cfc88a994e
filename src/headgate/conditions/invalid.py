"""What is wrong with an object, at which field, and what would work.

Leaves of `resolve` raise `Invalid`; one loop per kind collects the problems, so an object reports all of them at once.
The same sentence is a condition, a finding of a check and an error of the command line.
"""

from collections.abc import Iterable

import msgspec


class Problem(msgspec.Struct, frozen=True, gc=False, order=True):
    """One thing that is wrong.

    `condition` is the type that turns False (Accepted, ResolvedRefs, …), `reason` its reason, `path` the field,
    `message` what is there and what would work.
    """

    condition: str
    reason: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Invalid(Exception):  # noqa: N818 - it is the word of the field: a value is invalid
    """Raised by a leaf that met a `Problem`."""

    def __init__(self, condition: str, reason: str, path: str, message: str) -> None:
        self.problem = Problem(condition, reason, path, message)
        super().__init__(str(self.problem))


def first_problem(problems: Iterable[Problem], condition: str) -> Problem | None:
    """The first problem of a condition: its reason is the condition's reason."""
    return next((each for each in problems if each.condition == condition), None)


def joined_messages(problems: Iterable[Problem], condition: str) -> str:
    """All problems of a condition in one message, each once."""
    return "; ".join(dict.fromkeys(str(each) for each in problems if each.condition == condition))
