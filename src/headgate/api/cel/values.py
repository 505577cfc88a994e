"""JSON as CEL sees it through a schema: times, durations, bytes and numbers are no texts and no integers.

Kubernetes: `k8s.io/apiserver/pkg/cel/common/values.go`, `schemas.go`; names of fields: `escaping.go`.
"""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from headgate.api import durations

Schema = Mapping[str, Any]
#: Makes the CEL value of a JSON value.
Conversion = Callable[[Any], Any]

_SYMBOLS = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
#: Words that the library does not take as names of fields.
_WORDS = frozenset({"true", "false", "null", "in"})


def escaped(name: str) -> str:
    """A field's name as expressions write it: `dash-ed` is `dash__dash__ed`."""
    if name in _WORDS:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda match: _SYMBOLS[match[0]], name)


def conversion(schema: Schema) -> Conversion | None:  # noqa: PLR0911 - one per type
    """How values of a schema become values of CEL; None when they are the same."""
    match schema.get("type"), schema.get("format"):
        case "string", "date-time":
            return _time
        case "string", "duration":
            return _duration
        case "string", "byte":
            return _bytes
        case "number", _:
            return lambda value: float(value) if isinstance(value, int) else value
        case "array", _:
            items = conversion(schema.get("items") or {})
            return None if items is None else lambda value: [items(item) for item in value]
        case "object", _:
            return _object(schema)
    return None


def _object(schema: Schema) -> Conversion | None:
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    names = {name: spelled for name in properties if (spelled := escaped(name)) != name}
    children = {name: found for name, child in properties.items() if (found := conversion(child)) is not None}
    more = schema.get("additionalProperties")
    others = conversion(more) if isinstance(more, Mapping) else None
    if not names and not children and others is None:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = {}
        for name, child in value.items():
            how = children.get(name) or (others if name not in properties else None)
            found[names.get(name, name)] = child if how is None or child is None else how(child)
        return found

    return convert


def _time(value: Any) -> Any:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return value


def _duration(value: Any) -> Any:
    try:
        return timedelta(seconds=durations.go_seconds(str(value)))
    except ValueError:
        return value


def _bytes(value: Any) -> Any:
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        return value
