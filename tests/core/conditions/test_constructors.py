"""Every constructor of `headgate.conditions`, called with sample arguments: its message says what is wrong, where, and
what would work. A constructor that is added is found by itself.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import pytest

from headgate import conditions
from headgate.api.meta import Condition, Key, Ref
from headgate.api.problems import Problem
from headgate.conditions import Invalid

#: Modules that build conditions and problems, and have no constructors of their own.
TOOLS = {"build", "invalid"}

#: Functions that return parts of messages.
PARTS = {
    "ca_certificates.invalid",
    "ca_certificates.reference",
    "ca_certificates.unsupported_kind",
    "http_route.not_permitted",
    "listener.listener_names",
}

#: Conditions that report good news with this status; all others do when they are True.
GOOD_WHEN_FALSE = {"Conflicted"}
#: Conditions that exist only to report something, and are True then.
BAD_WHEN_TRUE = {"InsecureFrontendValidationMode", "OverlappingTLSConfig", "Overridden", "PartiallyInvalid"}

#: Messages without a field path and without a remedy, and why.
EXCEPTIONS = {
    "gateway.pending": "the caller's message says what the Gateway waits for",
    "http_route.pending": "nothing is wrong: an Envoy accepts the listener in a moment",
    "http_route.rejected_by_envoy": "the message is Envoy's; what would work is unknown",
    "http_route.incompatible_filters": "the caller's message names the filters and the remedy",
    "http_route.parent_not_accepted": "the reason is the problem of the ListenerSet, with its remedy",
    "http_route.not_allowed_by_listeners": "the owner of the route cannot change the listener; the field is named",
    "http_route.partially_invalid": "the caller's message has the paths and remedies of the invalid rules",
    "listener.certificate_rejected_by_envoy": "the message is Envoy's; what would work is unknown",
    "listener.invalid_ca_certificate": "the reason has the remedy",
    "listener.invalid_certificate": "the reason has the remedy",
    "listener.not_accepted": "the message is that of the problems, with their remedies",
    "listener.not_programmed": "the message is that of the problems, with their remedies",
    "listener.pending": "the caller's message says what the listener waits for",
    "listener.rejected_by_envoy": "the message is Envoy's; what would work is unknown",
    "listener_set.pending": "the caller's message says what the ListenerSet waits for",
    "backend_tls_policy.invalid_ca_certificate": "the reason has the remedy",
    "policies.section_not_found": "the message lists the sections that exist",
    "policies.overridden": "nothing is wrong: the message names the policies that take effect instead",
    "x_backend.invalid": "the reason is the problem of the XBackend, with its remedy",
    "x_backend.invalid_reference": "the reason has the remedy",
}

SOURCE = Path(conditions.__path__[0]).parent
TAKING_A_REMEDY = {"invalid_value", "missing_value", "unsupported_value"}

BANNED = re.compile(
    r"\b(nobody|somebody|whoever|everybody|everyone|is told|are told|believes?|believed|stands?|says|leads nowhere"
    r"|counts|is had|asked for|as it stands)\b",
    re.IGNORECASE,
)
#: A sentence, or a part of one, that says what to do: an imperative, or what is required.
REMEDY = re.compile(
    r"(?:[;,.:]|\bor\b|\band\b) ?(?:use|remove|set|create|add|change|choose|install|refer|request|see|allow|delete)\b"
    r"|\b(?:it is required|requires)\b|; it has "
)


class Constructor(NamedTuple):
    """A function of `headgate.conditions` that makes a condition or a problem."""

    name: str
    function: Callable[..., Condition | Problem | Invalid]

    def __str__(self) -> str:
        return self.name

    def sample(self) -> Condition | Problem:
        """What it makes of sample arguments."""
        hints = get_type_hints(self.function)
        arguments = {name: _argument(name, hints[name]) for name in inspect.signature(self.function).parameters}
        made = self.function(**arguments)
        return made.problem if isinstance(made, Invalid) else made


SAMPLES: dict[object, object] = {
    str: "sample",
    int: 80,
    bool: True,
    Key: Key("shop", "web"),
    Ref: Ref("Service", "shop", "web"),
    Problem: Problem("spec.field", "Invalid", "'x' is invalid; use 'y'", condition="ResolvedRefs"),
}
BY_NAME = {
    "path": "spec.field",
    "type_": "Accepted",
    "gateway": Ref("Gateway", "shop", "gate"),
    "remedy": "use another one",
}


def _argument(name: str, hint: Any) -> object:
    if name in BY_NAME and hint in (str, Ref):
        return BY_NAME[name]
    if hint in SAMPLES:
        return SAMPLES[hint]
    parts, origin = get_args(hint), get_origin(hint)
    if NoneType in parts:
        return _argument(name, next(part for part in parts if part is not NoneType))
    if origin is Sequence:
        return [_argument(name, parts[0])]
    if origin is tuple:
        return tuple(_argument(name, part) for part in parts)
    if origin is Mapping:
        return {_argument(name, parts[0]): _argument(name, parts[1])}
    raise TypeError(f"no sample for {name}: {hint}")


def _functions() -> list[Constructor]:
    """All public functions of the modules of `headgate.conditions`."""
    found = []
    for module in pkgutil.iter_modules(conditions.__path__):
        if module.name in TOOLS:
            continue
        loaded = importlib.import_module(f"headgate.conditions.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            if function.__module__ == loaded.__name__ and not name.startswith("_"):
                found.append(Constructor(f"{module.name}.{name}", function))
    return found


def _remedies(path: Path) -> Iterator[tuple[int, str]]:
    """The literal remedies that a module gives to constructors, with their lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
        if isinstance(node, ast.Call) and name in TAKING_A_REMEDY:
            last = node.args[-1]
            first = last.values[0] if isinstance(last, ast.JoinedStr) else last
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield last.lineno, first.value


FUNCTIONS = _functions()
CONSTRUCTORS = [each for each in FUNCTIONS if each.name not in PARTS]


def is_good_news(made: Condition | Problem) -> bool:
    if isinstance(made, Problem) or made.status == "Unknown":
        return False
    if made.type in BAD_WHEN_TRUE:
        return made.status == "False"
    return made.status == ("False" if made.type in GOOD_WHEN_FALSE else "True")


def has_remedy(message: str) -> bool:
    return REMEDY.search(message) is not None


@pytest.mark.parametrize("constructor", CONSTRUCTORS, ids=str)
def test_a_function_makes_a_condition_or_a_problem(constructor: Constructor) -> None:
    assert get_type_hints(constructor.function)["return"] in (Condition, Problem, Invalid)


@pytest.mark.parametrize("constructor", CONSTRUCTORS, ids=str)
def test_a_reason_is_one_word_in_camel_case(constructor: Constructor) -> None:
    assert re.fullmatch(r"([A-Z]+[a-z]+)+|sample", constructor.sample().reason)


@pytest.mark.parametrize("constructor", CONSTRUCTORS, ids=str)
def test_a_problem_has_a_field_path_and_the_condition_that_it_turns_false(constructor: Constructor) -> None:
    made = constructor.sample()
    if isinstance(made, Problem):
        assert made.path.startswith("spec.")
        assert made.condition in ({"Accepted", "Conflicted", "ResolvedRefs"} | BAD_WHEN_TRUE)


@pytest.mark.parametrize("constructor", CONSTRUCTORS, ids=str)
def test_bad_news_has_a_remedy_or_a_reason_for_having_none(constructor: Constructor) -> None:
    made = constructor.sample()
    if is_good_news(made):
        assert constructor.name not in EXCEPTIONS
    else:
        assert has_remedy(made.message) != (constructor.name in EXCEPTIONS), made.message


@pytest.mark.parametrize("constructor", CONSTRUCTORS, ids=str)
def test_a_message_is_plain_english_on_one_line_without_a_full_stop(constructor: Constructor) -> None:
    message = constructor.sample().message
    assert BANNED.search(message) is None
    assert "\n" not in message
    assert "  " not in message
    assert not message.endswith((".", ";", ":", " "))


REMEDIES = [
    pytest.param(remedy, id=f"{path.relative_to(SOURCE)}:{line}")
    for path in sorted(SOURCE.rglob("*.py"))
    for line, remedy in _remedies(path)
]


@pytest.mark.parametrize("remedy", REMEDIES)
def test_the_remedy_that_a_caller_gives_is_an_instruction(remedy: str) -> None:
    assert re.match(r"(use|set|remove|add) ", remedy)


def test_every_exception_and_every_part_exists() -> None:
    assert (EXCEPTIONS.keys() | PARTS) <= {each.name for each in FUNCTIONS}
