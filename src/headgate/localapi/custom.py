"""CustomResourceDefinitions: the resource that holds them, and the resources that they make."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import re2

from headgate.api.cel import rules
from headgate.api.cel.programs import ExpressionError
from headgate.api.schema import Problem, at

from . import tables
from .api import Api
from .garbage import DEFINITION_FINALIZER
from .jsonpath import JSONPathError, compile_path
from .resources import Behaviour, Cell, Column, Object, Registry, Resource, Scale, Version

GROUP = "apiextensions.k8s.io"
DEFINITIONS = f"customresourcedefinitions.{GROUP}"

_STRINGS = {"type": "array", "items": {"type": "string"}}
_FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_NAMES = {
    "type": "object",
    "required": ["kind", "plural"],
    "properties": {
        "kind": {"type": "string", "minLength": 1},
        "listKind": {"type": "string"},
        "plural": {"type": "string", "minLength": 1},
        "singular": {"type": "string"},
        "shortNames": _STRINGS,
        "categories": _STRINGS,
    },
}
_COLUMN = {
    "type": "object",
    "required": ["name", "type", "jsonPath"],
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string", "enum": ["integer", "number", "string", "boolean", "date"]},
        "format": {"type": "string"},
        "description": {"type": "string"},
        "priority": {"type": "integer", "format": "int32"},
        "jsonPath": {"type": "string"},
    },
}
_VERSION = {
    "type": "object",
    "required": ["name", "served", "storage", "schema"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "served": {"type": "boolean"},
        "storage": {"type": "boolean"},
        "deprecated": {"type": "boolean"},
        "deprecationWarning": {"type": "string"},
        "schema": {"type": "object", "required": ["openAPIV3Schema"], "properties": {"openAPIV3Schema": _FREE}},
        "subresources": _FREE,
        "additionalPrinterColumns": {"type": "array", "items": _COLUMN},
        "selectableFields": {
            "type": "array",
            "items": {"type": "object", "properties": {"jsonPath": {"type": "string"}}},
        },
    },
}
_SCHEMA = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["group", "names", "scope", "versions"],
            "properties": {
                "group": {"type": "string", "minLength": 1},
                "names": _NAMES,
                "scope": {"type": "string", "enum": ["Cluster", "Namespaced"]},
                "versions": {"type": "array", "items": _VERSION, "minItems": 1},
                "conversion": _FREE,
                "preserveUnknownFields": {"type": "boolean"},
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "acceptedNames": _NAMES,
                "conditions": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["type"],
                    "items": {
                        "type": "object",
                        "required": ["type", "status"],
                        "properties": {
                            name: {"type": "string"}
                            for name in ("type", "status", "reason", "message", "lastTransitionTime")
                        },
                    },
                },
                "storedVersions": _STRINGS,
            },
        },
    },
}


def resource() -> Resource:
    """The resource that holds the definitions."""
    created = Column("Created At", lambda obj, now: obj["metadata"]["creationTimestamp"], "date")
    return Resource(
        group=GROUP,
        kind="CustomResourceDefinition",
        plural="customresourcedefinitions",
        namespaced=False,
        versions={"v1": Version(_SCHEMA, (created,))},
        storage="v1",
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        status=True,
        behaviour=Behaviour(prepare=_prepare, validate=_problems, warnings=unenforced, generation=True),
    )


def _prepare(new: Object, old: Object | None) -> None:
    """Names that follow from the kind, and the status: a definition is served as soon as it is stored."""
    metadata, spec = new["metadata"], new.get("spec") or {}
    if old is None:
        metadata["finalizers"] = [*(metadata.get("finalizers") or ()), DEFINITION_FINALIZER]
    names = spec.get("names")
    if not isinstance(names, dict) or not isinstance(names.get("kind"), str):
        return
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    before = ((old or {}).get("status") or {}).get("conditions") or []
    since = metadata.get("creationTimestamp")
    new["status"] = {
        "acceptedNames": names,
        "conditions": before
        or [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", since),
            _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", since),
        ],
        "storedVersions": [v["name"] for v in spec.get("versions") or () if v.get("storage")],
    }


def _condition(type_: str, reason: str, message: str, since: str | None) -> Object:
    return {"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}


def _problems(new: Object, old: Object | None) -> Iterator[Problem]:
    spec = new["spec"]
    wanted = f"{spec['names']['plural']}.{spec['group']}"
    if new["metadata"]["name"] != wanted:
        yield Problem(
            "metadata.name", "FieldValueInvalid", f'Invalid value: must be spec.names.plural+"."+spec.group: {wanted}'
        )
    if sum(version["storage"] for version in spec["versions"]) != 1:
        yield Problem(
            "spec.versions",
            "FieldValueInvalid",
            "Invalid value: must have exactly one version marked as storage version",
        )
    for index, version in enumerate(spec["versions"]):
        path = f"spec.versions[{index}]"
        yield from _schema_problems(version["schema"]["openAPIV3Schema"], f"{path}.schema.openAPIV3Schema")
        yield from _rule_problems(version["schema"]["openAPIV3Schema"], f"{path}.schema.openAPIV3Schema")
        for position, column in enumerate(version.get("additionalPrinterColumns") or ()):
            try:
                compile_path(column["jsonPath"])
            except JSONPathError as error:
                where = f"{path}.additionalPrinterColumns[{position}].jsonPath"
                yield Problem(where, "FieldValueInvalid", f"Invalid value: {error}")


def _schema_problems(schema: Any, path: str) -> Iterator[Problem]:
    """What would fail later: types that do not exist, patterns that do not compile."""
    if not isinstance(schema, dict):
        yield Problem(path, "FieldValueTypeInvalid", "a schema is an object")
        return
    if schema.get("type", "object") not in {"string", "boolean", "integer", "number", "array", "object"}:
        yield Problem(at(path, "type"), "FieldValueNotSupported", f"Unsupported value: {schema['type']!r}")
    if pattern := schema.get("pattern"):
        try:
            re2.compile(pattern)
        except re2.error as error:
            yield Problem(at(path, "pattern"), "FieldValueInvalid", f"Invalid value: {pattern!r}: {error}")
    for name, child in (schema.get("properties") or {}).items():
        yield from _schema_problems(child, at(at(path, "properties"), name))
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _schema_problems(schema[name], at(path, name))


def _rule_problems(schema: Any, path: str) -> Iterator[Problem]:
    """Rules in CEL that nobody can read; those that only Kubernetes can read are warned of, see `unenforced`."""
    for where, problem in _unread(schema, path):
        if not problem.ours:
            yield Problem(at(where, "rule"), "FieldValueInvalid", f"Invalid value: compilation failed: {problem}")


def _unread(schema: Any, path: str) -> list[tuple[str, ExpressionError]]:
    unread: list[tuple[str, ExpressionError]] = []
    if isinstance(schema, dict):
        rules.read(schema, unread, path)
    return unread


def unenforced(definition: Object) -> Iterator[str]:
    """A sentence for each rule of a definition that is kept and never asked."""
    for index, version in enumerate(definition["spec"]["versions"]):
        for where, problem in _unread(version["schema"]["openAPIV3Schema"], f"spec.versions[{index}].schema"):
            if problem.ours:
                yield f"{where}: this rule is not enforced here: its syntax is not understood: {problem}"


# --- what a definition makes ------------------------------------------------------------------------------------------


def custom(definition: Object) -> Resource:
    """The resource that a definition defines."""
    spec = definition["spec"]
    names, versions = spec["names"], [version for version in spec["versions"] if version["served"]]
    storage = next(version for version in spec["versions"] if version["storage"])
    subresources = storage.get("subresources") or {}
    scale = subresources.get("scale")
    return Resource(
        group=spec["group"],
        kind=names["kind"],
        plural=names["plural"],
        singular_name=names.get("singular", ""),
        namespaced=spec["scope"] == "Namespaced",
        versions={version["name"]: _served(spec, version) for version in versions},
        storage=storage["name"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        status="status" in subresources,
        scale=Scale(
            scale["specReplicasPath"].lstrip("."),
            scale["statusReplicasPath"].lstrip("."),
            scale.get("labelSelectorPath", "").lstrip("."),
        )
        if scale
        else None,
        selectable=tuple(field["jsonPath"].lstrip(".") for field in storage.get("selectableFields") or ()),
        custom=True,
    )


def _served(spec: Object, version: Object) -> Version:
    schema = version["schema"]["openAPIV3Schema"]
    if spec.get("preserveUnknownFields"):
        schema = schema | {"x-kubernetes-preserve-unknown-fields": True}
    columns = version.get("additionalPrinterColumns")
    if columns is None:
        columns = [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
    note = ""
    if version.get("deprecated"):
        note = (
            version.get("deprecationWarning")
            or f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"
        )
    return Version(schema, tuple(_column(column) for column in columns), note, rules.read(schema, []))


def _column(column: Object) -> Column:
    find, type_ = compile_path(column["jsonPath"]), column["type"]

    def read(obj: Object, now: float) -> Cell:
        found = find(obj)
        return _cell(type_, found[0], now) if found else None

    return Column(
        name=column["name"],
        read=read,
        type=type_,
        priority=column.get("priority", 0),
        description=column.get("description", ""),
    )


def _cell(type_: str, value: Any, now: float) -> Cell:
    """A value as its column's type; nothing when it is of another."""
    match type_:
        case "date":
            return tables.since(value, now) if isinstance(value, str) else None
        case "string":
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()
        case "boolean":
            return value if isinstance(value, bool) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# --- keeping the registry up to date ----------------------------------------------------------------------------------


def stored(store_rows: Iterator[Any]) -> Iterator[Resource]:
    """The resources of the definitions that are on disk."""
    for row in store_rows:
        if row.resource == DEFINITIONS:
            yield custom(msgspec.json.decode(row.body))


def follow(api: Api) -> Callable[[Resource, Object | None, Object | None], None]:
    """A callback for the API's writes that serves what definitions say."""
    registry: Registry = api.registry

    def written(resource: Resource, new: Object | None, old: Object | None) -> None:
        if resource.id != DEFINITIONS:
            return
        if new is not None:
            if "deletionTimestamp" not in new["metadata"]:
                registry.add(custom(new))
        elif old is not None and registry.get(old["metadata"]["name"]) is not None:
            registry.remove(old["metadata"]["name"])
            api.cache.forget(old["metadata"]["name"])

    return written
