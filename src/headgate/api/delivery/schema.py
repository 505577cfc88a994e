"""Types of fields with what their schema adds: enumerations, patterns, `oneOf`.

Decoding ignores these constraints: a value that this version does not know becomes a condition, not a decoding error.
The schema has `number` where Flagger's has, even if only integers are meant.
"""

from typing import Annotated, Any

from msgspec import Meta

#: A column that `kubectl get` prints: title, type, JSON path, priority (1: only with `-o wide`).
Column = tuple[str, str, str, int]


def enum(*values: str) -> Meta:
    """One of these values."""
    return Meta(extra_json_schema={"enum": list(values)})


def kinds(*values: str) -> Meta:
    """A reference to one of these kinds."""
    return Meta(extra_json_schema={"properties": {"kind": {"type": "string", "enum": list(values)}}})


def one_of(*fields: str) -> list[dict[str, Any]]:
    """Exactly one of these fields, as entries of `oneOf`."""
    return [{"required": [name]} for name in fields]


def at_most_one_of(*fields: str) -> Meta:
    """None or one of these fields."""
    return Meta(extra_json_schema={"oneOf": [{"not": {"anyOf": one_of(*fields)}}, *one_of(*fields)]})


Number = Annotated[int, Meta(extra_json_schema={"type": "number"})]
Interval = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9]+(m|s)"})]
DateTime = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Free = Annotated[dict[str, Any], Meta(extra_json_schema={"x-kubernetes-preserve-unknown-fields": True})]
Positive = Annotated[int, Meta(extra_json_schema={"minimum": 1})]
