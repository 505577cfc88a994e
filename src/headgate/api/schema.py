"""OpenAPI v3 structural schemas: set defaults, drop unknown fields, validate.

A schema is a plain dict, as in a CustomResourceDefinition. These extensions are supported:
`x-kubernetes-int-or-string`, `-preserve-unknown-fields`, `-embedded-resource`, `-list-type` and `-list-map-keys`.
`headgate.api.cel.rules` evaluates CEL rules (`x-kubernetes-validations`).
"""

import base64
import copy
import functools
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
import re2

from .problems import Problem

Schema = Mapping[str, Any]

_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
_TYPE_META = frozenset({"apiVersion", "kind", "metadata"})


def at(path: str, part: str | int) -> str:
    """The path of a child: `spec` + `rules` -> `spec.rules`, + 0 -> `spec.rules[0]`; odd keys stand in brackets."""
    if isinstance(part, int) or not _is_plain(part):
        return f"{path}[{part}]"
    return f"{path}.{part}" if path else part


@functools.lru_cache(maxsize=4096)
def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_-]*", name) is not None


# --- defaults ---------------------------------------------------------------------------------------------------------


def default(schema: Schema, value: Any) -> Any:
    """`value` with the defaults of the schema, wherever the surrounding object exists.

    Existing values stay. A `null` becomes the default if the schema has a default and is not nullable.
    """
    if isinstance(value, dict):
        return _default_object(schema, value)
    if isinstance(value, list) and (items := schema.get("items")):
        return [default(items, item) for item in value]
    return value


def _default_object(schema: Schema, value: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(value)
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    for name, child in properties.items():
        if "default" in child and (name not in result or (result[name] is None and not child.get("nullable"))):
            result[name] = copy.deepcopy(child["default"])
        elif name in result and result[name] is None and not child.get("nullable") and child:
            del result[name]
        if name in result:
            result[name] = default(child, result[name])
    if isinstance(more := schema.get("additionalProperties"), Mapping):
        for name in result.keys() - properties.keys():
            result[name] = default(more, result[name])
    return result


# --- unknown fields ---------------------------------------------------------------------------------------------------


def prune(schema: Schema, value: Any, *, root: bool = True) -> tuple[Any, tuple[str, ...]]:
    """`value` without unknown fields, and the paths of those fields.

    `apiVersion`, `kind` and `metadata` at the root (and in embedded resources) are always known.
    """
    unknown: list[str] = []
    pruned = _prune(schema, value, "", unknown, keep=_TYPE_META if root else frozenset())
    return pruned, tuple(unknown)


def _prune(schema: Schema, value: Any, path: str, unknown: list[str], *, keep: frozenset[str] = frozenset()) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        if not items:
            return value
        return [_prune(items, item, at(path, index), unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if schema.get(_EMBEDDED):
        keep = keep | _TYPE_META
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    preserve = schema.get(_PRESERVE)
    result = {}
    for name, child in value.items():
        if name in properties:
            result[name] = _prune(properties[name], child, at(path, name), unknown)
        elif name in keep or preserve or more is True:
            result[name] = child
        elif isinstance(more, dict):
            result[name] = _prune(more, child, at(path, name), unknown)
        else:
            unknown.append(at(path, name))
    return result


# --- validation -------------------------------------------------------------------------------------------------------


def validate(schema: Schema, value: Any, path: str = "", *, old: Any = None) -> list[Problem]:
    """Every problem of `value`, in the order of the document, with its path and a remedy.

    Values that are unchanged from `old` (the previous version of the object) are not validated again. So a definition
    may become stricter without blocking updates of existing objects.
    """
    return list(_validate(schema, value, path, old))


def _validate(schema: Schema, value: Any, path: str, old: Any) -> Iterator[Problem]:
    if (value is None and schema.get("nullable")) or (old is not None and value == old):
        return
    if wrong := _wrong_type(schema, value, path):
        yield wrong
        return
    if "enum" in schema:
        yield from _enum(schema, value, path)
    if isinstance(value, str):
        yield from _string(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, path)
    elif isinstance(value, list):
        yield from _list(schema, value, path, old)
    elif isinstance(value, dict):
        yield from _object(schema, value, path, old)
    if "anyOf" in schema or "oneOf" in schema or "allOf" in schema or "not" in schema:
        yield from _combinations(schema, value, path)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: (isinstance(v, int) and not isinstance(v, bool)) or (isinstance(v, float) and v.is_integer()),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


def type_name(value: Any) -> str:
    """The OpenAPI name of a JSON value's type."""
    if value is None:
        return "null"
    return next(name for name, holds in _TYPES.items() if holds(value))


def _wrong_type(schema: Schema, value: Any, path: str) -> Problem | None:
    if schema.get(_INT_OR_STRING):
        if _TYPES["integer"](value) or isinstance(value, str):
            return None
        wanted = "integer or string"
    else:
        wanted = schema.get("type", "")
        if not wanted or _TYPES[wanted](value):
            return None
    found = type_name(value)
    text = f" {_readable(value)}" if found in {"string", "integer", "number", "boolean"} else ""
    return Problem(path, "FieldValueTypeInvalid", f"expected {wanted}, found {found}{text}")


def _readable(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else f"{text[:117]}…"


def _enum(schema: Schema, value: Any, path: str) -> Iterator[Problem]:
    choices = schema.get("enum")
    if choices and value not in choices:
        supported = ", ".join(_readable(choice) for choice in choices)
        yield Problem(
            path, "FieldValueNotSupported", f"Unsupported value: {_readable(value)}: supported values: {supported}"
        )


@functools.lru_cache(maxsize=4096)
def _pattern(text: str) -> Any:
    return re2.compile(text)


@functools.lru_cache(maxsize=65536)
def _matches(pattern: str, value: str) -> bool:
    """Patterns are RE2, as in Kubernetes."""
    return _pattern(pattern).search(value) is not None


def _string(schema: Schema, value: str, path: str) -> Iterator[Problem]:
    if (most := schema.get("maxLength")) is not None and len(value) > most:
        yield Problem(
            path, "FieldValueTooLong", f"Too long: may not be more than {most} characters, found {len(value)}"
        )
    if (least := schema.get("minLength")) is not None and len(value) < least:
        yield _invalid(path, value, f"should be at least {least} characters long")
    if (pattern := schema.get("pattern")) and not _matches(pattern, value):
        yield _invalid(path, value, f"should match '{pattern}'")
    if (wanted := schema.get("format")) and (sentence := _format_problem(wanted, value)):
        yield _invalid(path, value, sentence)


def _format_problem(wanted: str, value: str) -> str:
    match wanted:
        case "date-time":
            try:
                datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                return "must be a time as RFC 3339 writes it, such as 2026-01-31T12:00:00Z"
        case "ipv4" | "ipv6":
            return "" if _is_address(value, wanted) else f"must be an {wanted[:2].upper()}{wanted[2:]} address"
        case "byte":
            try:
                base64.b64decode(value, validate=True)
            except ValueError:
                return "must be base64"
    return ""


def _is_address(text: str, family: str) -> bool:
    try:
        return f"ipv{ipaddress.ip_address(text).version}" == family
    except ValueError:
        return False


def _invalid(path: str, value: Any, sentence: str) -> Problem:
    return Problem(path, "FieldValueInvalid", f"Invalid value: {_readable(value)}: {sentence}")


_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


def _number(schema: Schema, value: float, path: str) -> Iterator[Problem]:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(path, value, f"should be {word} {least}")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(path, value, f"should be {word} {most}")
    if (step := schema.get("multipleOf")) and value % step:
        yield _invalid(path, value, f"should be a multiple of {step}")
    low, high = _RANGES.get(schema.get("format", ""), (None, None))
    if low is not None and high is not None and not low <= value <= high:
        yield _invalid(path, value, f"should be between {low} and {high}")


def _list(schema: Schema, value: list[Any], path: str, old: Any) -> Iterator[Problem]:
    if (most := schema.get("maxItems")) is not None and len(value) > most:
        yield Problem(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items")
    if (least := schema.get("minItems")) is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} items")
    yield from _duplicates(schema, value, path)
    items = schema.get("items")
    if not items:
        return
    before = correlated(schema, old)
    for index, item in enumerate(value):
        counterpart = before(item) if before else None
        yield from _validate(items, item, at(path, index), counterpart)


def _identity(schema: Schema) -> Callable[[Any], Any] | None:
    """The identity of list entries: by keys (map), as a whole (set), or none."""
    kind = schema.get("x-kubernetes-list-type")
    if kind == "map":
        keys = schema.get("x-kubernetes-list-map-keys") or ()
        properties = (schema.get("items") or {}).get("properties") or {}
        return lambda entry: (
            tuple(_readable(entry.get(key, (properties.get(key) or {}).get("default"))) for key in keys)
            if isinstance(entry, Mapping)
            else _readable(entry)
        )
    if kind == "set" or schema.get("uniqueItems"):
        return _readable
    return None


def _duplicates(schema: Schema, value: list[Any], path: str) -> Iterator[Problem]:
    identity = _identity(schema)
    if identity is None:
        return
    seen = set()
    for index, entry in enumerate(value):
        key = identity(entry)
        if key in seen:
            duplicate = key
            if isinstance(key, tuple):
                named = dict(zip(schema["x-kubernetes-list-map-keys"], key, strict=True))
                duplicate = "{" + ", ".join(f"{name}: {text}" for name, text in named.items()) + "}"
            yield Problem(at(path, index), "FieldValueDuplicate", f"Duplicate value: {duplicate}")
        seen.add(key)


def correlated(schema: Schema, old: Any) -> Callable[[Any], Any] | None:
    """The old entry of a list that a new one replaces; only lists of type map have one."""
    identity = _identity(schema)
    if identity is None or not isinstance(old, list) or schema.get("x-kubernetes-list-type") != "map":
        return None
    olds = {identity(entry): entry for entry in old}
    return lambda entry: olds.get(identity(entry))


def _object(schema: Schema, value: Mapping[str, Any], path: str, old: Any) -> Iterator[Problem]:
    for name in schema.get("required") or ():
        if name not in value:
            yield Problem(at(path, name), "FieldValueRequired", "Required value")
    if (most := schema.get("maxProperties")) is not None and len(value) > most:
        yield Problem(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} entries")
    if (least := schema.get("minProperties")) is not None and len(value) < least:
        yield _invalid(path, len(value), f"should have at least {least} entries")
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    olds = old if isinstance(old, Mapping) else {}
    for name, child in value.items():
        known = properties.get(name) or (more if isinstance(more, dict) else None)
        if known:
            yield from _validate(known, child, at(path, name), olds.get(name))


def _combinations(schema: Schema, value: Any, path: str) -> Iterator[Problem]:
    for part in schema.get("allOf") or ():
        yield from _validate(part, value, path, None)
    fits = [not any(_validate(part, value, path, None)) for part in schema.get("anyOf") or ()]
    if fits and not any(fits):
        yield _invalid(path, value, "must fit at least one of the schemas of anyOf")
    fits = [not any(_validate(part, value, path, None)) for part in schema.get("oneOf") or ()]
    if fits and fits.count(True) != 1:
        yield _invalid(path, value, f"must fit exactly one of the schemas of oneOf, fits {fits.count(True)}")
    if (excluded := schema.get("not")) and not any(_validate(excluded, value, path, None)):
        yield _invalid(path, value, "must not fit the schema of not")
