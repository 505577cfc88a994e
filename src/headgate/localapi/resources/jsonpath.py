"""The JSONPath of printer columns: names, indexes, `[*]`, and filters such as `[?(@.type=="Ready")]`."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

#: From the values of one step to those of the next.
Step = Callable[[Iterator[Any]], Iterator[Any]]


class JSONPathError(ValueError):
    """The path is not supported."""


_STEP = re.compile(
    r"""\.?(?:
      (?P<name>[A-Za-z_$*](?:[^.\[\]\\]|\\.)*)
    | \[\s*(?P<index>-?\d+)\s*\]
    | \[\s*(?P<all>\*)\s*\]
    | \[\s*(?P<quote>['"])(?P<quoted>(?:[^\\]|\\.)*?)(?P=quote)\s*\]
    | \[\?\(\s*@(?P<left>(?:\.(?:[^.\[\]\\=!<>\s]|\\.)+)+)\s*
      (?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<right>[^)]+?)\s*)?\)\]
    )""",
    re.VERBOSE,
)


def compile_path(text: str) -> Callable[[Any], list[Any]]:
    """A function that finds the values at a path such as `.status.conditions[?(@.type=="Ready")].status`."""
    inner = text.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[Step] = []
    at = 0
    while at < len(inner):
        match = _STEP.match(inner, at)
        if match is None or match.end() == at:
            raise JSONPathError(f"JSON path {text!r} is not understood from {inner[at:]!r} on")
        steps.append(_step(match))
        at = match.end()

    def find(value: Any) -> list[Any]:
        found = iter([value])
        for step in steps:
            found = step(found)
        return list(found)

    return find


def _step(match: re.Match[str]) -> Step:
    if match["all"] or match["name"] == "*":
        return _all
    if match["index"] is not None:
        return _at(int(match["index"]))
    if match["left"]:
        return _where(match["left"], match["operator"], match["right"])
    name = match["name"] if match["name"] is not None else match["quoted"]
    return _named(re.sub(r"\\(.)", r"\1", name))


def _named(name: str) -> Step:
    return lambda values: (value[name] for value in values if isinstance(value, Mapping) and name in value)


def _at(index: int) -> Step:
    return lambda values: (
        value[index] for value in values if isinstance(value, list) and -len(value) <= index < len(value)
    )


def _all(values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        elif isinstance(value, Mapping):
            yield from value.values()


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def _where(left: str, operator: str | None, right: str | None) -> Step:
    find = compile_path(left)
    wanted = _literal(right or "")

    def holds(entry: Any) -> bool:
        found = find(entry)
        if operator is None or not found:
            return bool(found)
        try:
            return _COMPARE[operator](found[0], wanted)
        except TypeError:
            return False

    def step(values: Iterator[Any]) -> Iterator[Any]:
        for value in values:
            if isinstance(value, list):
                yield from (entry for entry in value if holds(entry))

    return step


def _literal(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
