"""Decoders of JSON and YAML that have bounds, for texts that any client may send.

Without them one small text ends or blocks the process: libyaml's loader recurses on the C stack, aliases of aliases
expand exponentially, and code that walks a value recursively fails on a deep one. kube-apiserver has such bounds too;
that of the depth is lower here, because it is meant for objects that Python code walks.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Levels of objects and lists. Schemas in CustomResourceDefinitions, the deepest of usual objects, have up to 60.
MOST_LEVELS = 100
#: Bytes that the aliases of a YAML document may stand for.
MOST_ALIASED = 1024 * 1024


class BoundsError(ValueError):
    """A text that is outside of a bound; the message says of which."""


def decode_json(text: bytes) -> Any:
    """A JSON text as dicts, lists and plain values. Raises `msgspec.DecodeError`, `BoundsError`."""
    try:
        value = msgspec.json.decode(text)
    except RecursionError:
        raise _too_deep() from None
    check_levels(value)
    return value


def decode_yaml(text: bytes | str) -> Any:
    """A YAML document as dicts, lists and plain values. Raises `yaml.YAMLError`, `BoundsError`, `ValueError`."""
    _check_yaml(yaml.parse(text, Loader=_LOADER))
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - safe
    except RecursionError:
        raise _too_deep() from None


def check_levels(value: Any) -> None:
    """Raise `BoundsError` if objects and lists are nested in more than `MOST_LEVELS` levels. Does not recurse."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return
    raise _too_deep()


def size(value: Any) -> int:
    """About how many bytes a value has as JSON. Does not recurse."""
    total, rest = 0, [value]
    while rest:
        part = rest.pop()
        total += len(part) + 2 if isinstance(part, str) else 2
        if isinstance(part, dict):
            total += sum(len(name) + 4 for name in part)
        rest.extend(_children(part))
    return total


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> BoundsError:
    return BoundsError(f"nested deeper than {MOST_LEVELS} levels")


class _Node:
    """A list, an object or a scalar of a YAML document while its events are read. `anchor` is empty if it has none."""

    def __init__(self, anchor: str) -> None:
        self.anchor = anchor
        self.size = 1
        self.levels = 1


def _check_yaml(events: Iterator[Any]) -> None:
    """Raise `BoundsError` from the events of a document, before anything is built from them."""
    open_: list[_Node] = []
    anchors: dict[str, _Node] = {}
    aliased = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(_Node(event.anchor or ""))
            if len(open_) > MOST_LEVELS:
                raise _too_deep()
            # Until it ends, an alias of it would be inside of it.
            anchors.pop(open_[-1].anchor, None)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            node = open_.pop()
        elif isinstance(event, yaml.ScalarEvent):
            node = _Node(event.anchor or "")
            node.size, node.levels = 1 + len(event.value), 0
        elif isinstance(event, yaml.AliasEvent):
            target = anchors.get(str(event.anchor))
            if target is None:
                raise BoundsError(f"the alias *{event.anchor} refers to no complete value before it")
            node = _Node("")
            node.size, node.levels = target.size, target.levels
            aliased += node.size
            if aliased > MOST_ALIASED:
                raise BoundsError(f"aliases stand for more than {MOST_ALIASED} bytes")
        else:
            continue
        if node.anchor:
            anchors[node.anchor] = node
        if open_:
            parent = open_[-1]
            parent.size += node.size
            parent.levels = max(parent.levels, node.levels + 1)
        if len(open_) + node.levels > MOST_LEVELS:
            raise _too_deep()
