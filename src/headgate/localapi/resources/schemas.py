"""OpenAPI schemas of the built-in kinds, from the table of their fields.

The schema of a message is linked: a property of type Container *is* the schema of Container (the same dict), plus the
settings of the field. `x-headgate-message` has the name of the message, so that `openapi` can write references.
"""

import functools
from typing import Any

from headgate.localapi.resources.kinds.fields import Field, messages

NAME = "x-headgate-message"

_SCALARS: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
    "Time": {"type": "string", "format": "date-time", "nullable": True},
    "MicroTime": {"type": "string", "format": "date-time", "nullable": True},
    "Quantity": {"anyOf": [{"type": "string"}, {"type": "number"}]},
    "IntOrString": {"x-kubernetes-int-or-string": True},
    "Strings": {"type": "array", "items": {"type": "string"}},
    "Raw": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}


@functools.cache
def message(name: str) -> dict[str, Any]:
    """The schema of a message. Repeated calls return the same dict."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in messages()[name].fields:
        if field.name:
            properties[field.name] = _property(field)
            required += [field.name] if field.required else []
        else:
            inlined = message(field.type)
            properties |= inlined["properties"]
            required += inlined.get("required", [])
    return {"type": "object", NAME: name, "properties": properties} | ({"required": required} if required else {})


def _property(field: Field) -> dict[str, Any]:
    one = _SCALARS.get(field.type) or message(field.type)
    if field.shape == "map":
        return {"type": "object", "additionalProperties": one}
    schema: dict[str, Any] = {"type": "array", "items": one} if field.shape == "list" else dict(one)
    if field.strategy or field.merge_key:
        schema["x-kubernetes-patch-strategy"] = field.strategy or "merge"
    if field.merge_key:
        schema["x-kubernetes-patch-merge-key"] = field.merge_key
    if field.shape == "list":
        kind = "map" if field.keys else "set" if field.set else "atomic"
        schema["x-kubernetes-list-type"] = kind
    if field.keys:
        schema["x-kubernetes-list-map-keys"] = list(field.keys)
    if field.default is not None:
        schema["default"] = field.default
    return schema


@functools.cache
def kind(name: str) -> dict[str, Any]:
    """The schema of a built-in kind by the name of its message, with `apiVersion` and `kind`."""
    plain = message(name)
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}} | plain["properties"]
    return plain | {"properties": properties}
