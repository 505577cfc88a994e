"""Problems that turn a condition False, and the exception that carries one.

Functions that read a single field raise `Invalid`. The reader of the object collects the problems, so that a status
reports all of them at once.
"""

from collections.abc import Iterable

from headgate.api.meta import Ref
from headgate.api.problems import Problem


def new_problem(condition: str, reason: str, path: str, message: str, reference: Ref | None = None) -> Problem:
    """A problem that turns `condition` False with this reason; `reference` is the object that was not resolved."""
    return Problem(path, reason, message, reference=reference, condition=condition)


class Invalid(Exception):  # noqa: N818 - it is the word of the field: a value is invalid
    """A field is invalid, or its reference does not resolve; `problem` has the reason."""

    def __init__(self, condition: str, reason: str, path: str, message: str, reference: Ref | None = None) -> None:
        self.problem = new_problem(condition, reason, path, message, reference)
        super().__init__(str(self.problem))


def first_problem(problems: Iterable[Problem], condition: str) -> Problem | None:
    """The first problem of a condition: its reason becomes the reason of the condition."""
    return next((problem for problem in problems if problem.condition == condition), None)


def joined_messages(problems: Iterable[Problem], condition: str) -> str:
    """The messages of all problems of a condition, with their paths, without repetition."""
    return "; ".join(dict.fromkeys(str(problem) for problem in problems if problem.condition == condition))
