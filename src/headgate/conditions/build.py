"""Builds conditions."""

from collections.abc import Iterable, Sequence

import msgspec

from headgate.api.meta import Condition
from headgate.api.problems import Problem

from .invalid import first_problem, joined_messages

#: The longest message of a condition, in characters (`metav1.Condition`).
_MAX_MESSAGE = 32768


def new_condition(type_: str, status: bool | None, reason: str, message: str) -> Condition:
    """A condition without time and generation; `status` None is Unknown. A message that is too long is cut."""
    if len(message) > _MAX_MESSAGE:
        message = f"{message[: _MAX_MESSAGE - 1]}…"
    return Condition(type=type_, status="Unknown" if status is None else str(status), reason=reason, message=message)


#: Envoy may print the whole rejected message before its error.
_ERROR = "Proto constraint validation failed"
_MAX_ERROR = 1024


def envoy_message(message: str) -> str:
    """Envoy's error for a rejected resource, at most 1024 characters, without the dump of the resource before it."""
    start = message.find(_ERROR)
    error = message if start < 0 else message[start:]
    return error if len(error) <= _MAX_ERROR else f"{error[: _MAX_ERROR - 1]}…"


def stamp(conditions: Iterable[Condition], generation: int) -> tuple[Condition, ...]:
    """The conditions with the observed generation of their object."""
    return tuple(msgspec.structs.replace(condition, observed_generation=generation) for condition in conditions)


def condition_from(good: Condition, problems: Sequence[Problem]) -> Condition:
    """`good`, or the same condition False if it has problems: with the reason of the first and the messages of all."""
    if (problem := first_problem(problems, good.type)) is None:
        return good
    return new_condition(good.type, False, problem.reason, joined_messages(problems, good.type))
