"""Making conditions."""

from collections.abc import Iterable, Sequence

import msgspec

from headgate.api.meta import Condition

from .invalid import Problem, first_problem, joined_messages

#: The longest message that a condition may carry (`metav1.Condition`).
_LONGEST = 32768


def new_condition(condition: str, status: bool | None, reason: str, message: str) -> Condition:
    """A condition without time and generation; `status` None is Unknown."""
    word = "Unknown" if status is None else str(status)
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST - 1]}…"
    return Condition(type=condition, status=word, reason=reason, message=message)


#: Before its sentence Envoy may print the whole message that it refused.
_SENTENCE = "Proto constraint validation failed"
_SHORT = 1024


def envoy_message(message: str) -> str:
    """Envoy's sentence on what it refused, without the dump of the configuration that may come before it."""
    at = message.find(_SENTENCE)
    words = message if at < 0 else message[at:]
    return words if len(words) <= _SHORT else f"{words[: _SHORT - 1]}…"


def stamp(conditions: Iterable[Condition], generation: int) -> tuple[Condition, ...]:
    """The same conditions, said of this generation of the object."""
    return tuple(msgspec.structs.replace(each, observed_generation=generation) for each in conditions)


def condition_from(good: Condition, problems: Sequence[Problem]) -> Condition:
    """`good`; or, if anything turns its condition, False with the first problem's reason and all sentences."""
    if (problem := first_problem(problems, good.type)) is None:
        return good
    return new_condition(good.type, False, problem.reason, joined_messages(problems, good.type))
