"""CustomResourceDefinitions from types: schema, defaults, columns, subresources.

Names, shapes, required fields and defaults come from the type. (A Python default other than "empty" is a default of the
API.) Everything else is an annotation of the field, see `constraints`. Descriptions are the docstrings.
"""

import functools
import inspect
import sys
from typing import Any, Literal

import msgspec
from msgspec import inspect as types

from . import validations
from .codec import KINDS, Kind
from .meta import ObjectMeta
from .schema import default

#: The groups of custom kinds; all others are built into Kubernetes.
CUSTOM_GROUPS = ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io", "flagger.app")

#: A channel of the Gateway API.
Channel = Literal["standard", "experimental"]

_GATEWAY = "gateway.networking.k8s.io"
_GATEWAY_X = "gateway.networking.x-k8s.io"
#: The release of the Gateway API that these definitions follow.
_GATEWAY_ANNOTATIONS = {
    "gateway.networking.k8s.io/bundle-version": "v1.7.0",
    "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api",
}
#: The storage versions of the official definitions, if not the first version.
_STORAGE = {"ReferenceGrant": "v1beta1"}


def definitions(channel: Channel = "standard") -> list[dict[str, Any]]:
    """The definition of every custom kind that Headgate has types for; of the Gateway API, those of a channel."""
    kinds = [kind for kind in KINDS if kind.group in CUSTOM_GROUPS]
    return [definition(kind, channel) for kind in kinds if channel == "experimental" or not kind.experimental]


@functools.cache
def definition(kind: Kind, channel: Channel = "standard") -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    versions = (kind.version, *kind.other_versions, *kind.former_versions)
    stored = _STORAGE.get(kind.kind, kind.version)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": _annotations(kind, channel),
        },
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                **({"shortNames": list(kind.short_names)} if kind.short_names else {}),
                **({"categories": list(kind.categories)} if kind.categories else {}),
            },
            "versions": [_version(kind, version, channel, storage=version == stored) for version in versions],
        },
    }


def _annotations(kind: Kind, channel: Channel) -> dict[str, str]:
    if kind.group not in (_GATEWAY, _GATEWAY_X):
        return {}
    return {**_GATEWAY_ANNOTATIONS, "gateway.networking.k8s.io/channel": channel}


def _version(kind: Kind, version: str, channel: Channel, *, storage: bool) -> dict[str, Any]:
    columns = getattr(sys.modules[kind.type.__module__], "PRINTER_COLUMNS", {}).get(kind.kind, ())
    found: dict[str, Any] = {
        "name": version,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema(kind, channel)},
    }
    if columns:
        found["additionalPrinterColumns"] = [
            {"name": name, "type": type_, "jsonPath": path} | ({"priority": priority} if priority else {})
            for name, type_, path, priority in columns
        ]
    if kind.status:
        found["subresources"] = {"status": {}}
    if version in kind.former_versions:
        found["deprecated"] = True
        found["deprecationWarning"] = (
            f"{kind.group}/{version} {kind.kind} is served on this laptop only; write {kind.group}/{kind.version}"
        )
    return found


def schema(kind: Kind, channel: Channel = "standard") -> dict[str, Any]:
    """The OpenAPI schema of a kind, as in its definition."""
    whole = _struct(types.type_info(kind.type), channel)
    whole["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    return validations.add(whole, kind.kind) if kind.group in (_GATEWAY, _GATEWAY_X) else whole


def _struct(type_: Any, channel: Channel = "standard") -> dict[str, Any]:
    """The schema of a struct."""
    properties, required = {}, []
    for field in type_.fields:
        if type_.cls is not ObjectMeta and field.encode_name == "metadata" and _is(field.type, ObjectMeta):
            continue
        extra = _extra(field.type)
        if extra.get("experimental") and channel == "standard":
            continue
        child = _type(field.type, channel)
        if field.required or extra.get("required"):
            required.append(field.encode_name)
        elif "default" not in child and (value := _default(field, child)) is not None:
            child["default"] = value
        properties[field.encode_name] = child
    found: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        found["required"] = sorted(required)
    if words := inspect.getdoc(type_.cls):
        found["description"] = words
    return found


def _is(type_: Any, cls: type) -> bool:
    return isinstance(type_, types.StructType) and type_.cls is cls


def _extra(type_: Any) -> dict[str, Any]:
    """The additions of an annotation (`REQUIRED`, `EXPERIMENTAL`)."""
    if isinstance(type_, types.Metadata):
        return {**_extra(type_.type), **(type_.extra or {})}
    return {}


def _type(type_: Any, channel: Channel) -> dict[str, Any]:  # noqa: PLR0911 - one return per form
    match type_:
        case types.Metadata():
            found = _merged(_type(type_.type, channel), type_.extra_json_schema or {})
            more = (type_.extra or {}).get("experimental words", {}) if channel == "experimental" else {}
            return _merged(found, more)
        case types.StructType():
            return _struct(type_, channel)
        case types.StrType():
            return {"type": "string"}
        case types.BoolType():
            return {"type": "boolean"}
        case types.IntType():
            return {"type": "integer"}
        case types.FloatType():
            return {"type": "number"}
        case types.DictType():
            return {"type": "object", "additionalProperties": _type(type_.value_type, channel)}
        case types.VarTupleType() | types.ListType():
            return {"type": "array", "items": _type(type_.item_type, channel)}
        case types.UnionType():
            return _union([part for part in type_.types if not isinstance(part, types.NoneType)], channel)
        case types.AnyType():
            return {"x-kubernetes-preserve-unknown-fields": True}
    raise TypeError(f"{type_!r} has no form in a CustomResourceDefinition")


def _union(parts: list[Any], channel: Channel) -> dict[str, Any]:
    if len(parts) == 1:
        return _type(parts[0], channel)
    if {type(part) for part in parts} == {types.IntType, types.StrType}:
        return {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
    if {type(part) for part in parts} == {types.IntType, types.FloatType}:
        return {"type": "number"}
    raise TypeError(f"a union of {parts!r} has no form in a CustomResourceDefinition")


def _merged(schema: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The keywords of an annotation merged into those of the type; properties are merged one by one."""
    result = dict(schema)
    for name, value in more.items():
        if name == "properties":
            properties = dict(result.get("properties", {}))
            for child, words in value.items():
                properties[child] = _merged(properties.get(child, {}), words)
            result["properties"] = properties
        else:
            result[name] = value
    if result.get("x-kubernetes-preserve-unknown-fields"):
        result.pop("additionalProperties", None)
    return result


def _default(field: Any, child: dict[str, Any]) -> Any:
    """The default of the API, or None. "Empty" in Python means "absent" in the API."""
    value = field.default
    if value is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT or value is None or value is msgspec.UNSET:
        return None
    plain = default(child, msgspec.json.decode(msgspec.json.encode(value)))
    return plain if plain not in ("", 0, False, [], {}) else None
