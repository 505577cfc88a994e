"""What is wrong with an object: one type for schemas, CEL rules, routing and rollouts.

A problem is data. The same one becomes a cause in a `Status` of the API, the message of a condition, an event, or a
finding of an offline check.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from .meta import Ref

Severity = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One problem of one object.

    * `path` – the field, as in `spec.rules[0].backendRefs[1]` (empty: the object as a whole);
    * `reason` – a machine-readable word: a `StatusCause` type of Kubernetes, or the reason of a condition;
    * `message` – what is there, and what would work;
    * `subject` – the object that the problem is about (None until the object is known, see `about`);
    * `reference` – the object that the field refers to, if a reference did not resolve: it does not exist, may not be
      referred to, or is not usable. A reader that does not know all objects can tell from it which one was missed;
    * `condition` – the type of the condition that the problem turns False (empty: none);
    * `severity` – `warning` if the object is used all the same.
    """

    path: str
    reason: str
    message: str
    subject: Ref | None = None
    reference: Ref | None = None
    condition: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def about(subject: Ref, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems, each with its subject; one that has another subject already keeps it."""
    return tuple(
        problem if problem.subject is not None else msgspec.structs.replace(problem, subject=subject)
        for problem in problems
    )
