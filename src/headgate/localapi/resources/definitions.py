"""CustomResourceDefinitions: defaults and validation."""

from collections.abc import Iterator
from typing import Any

import re2

from headgate.api.cel import rules
from headgate.api.cel.programs import ExpressionError
from headgate.api.problems import Problem
from headgate.api.schema import at
from headgate.localapi.garbage_collector import DEFINITION_FINALIZER

from .jsonpath import JSONPathError, compile_path
from .served import Column, Object, Resource, Strategy, Version

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
    """The resource of CustomResourceDefinitions."""
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
        strategy=Strategy(prepare=_prepare, validate=_problems, warnings=unenforced_rules, counts_generation=True),
    )


def _prepare(new: Object, old: Object | None) -> None:
    """Set the names that follow from the kind, and the status: a definition is served as soon as it is stored."""
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
        "storedVersions": _stored_versions(spec, (old or {}).get("status") or {}),
    }


def _stored_versions(spec: Object, before: Object) -> list[str]:
    """The versions in which objects were ever stored, of those that still exist."""
    versions = spec.get("versions") or ()
    known = {version.get("name") for version in versions}
    now = [version["name"] for version in versions if version.get("storage")]
    return list(dict.fromkeys([name for name in before.get("storedVersions") or () if name in known] + now))


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
    """Errors that would appear later: unknown types, patterns that do not compile."""
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
    """CEL rules that do not parse. Rules that only Kubernetes can parse cause a warning, see `unenforced_rules`."""
    for where, problem in _unread(schema, path):
        if not problem.ours:
            yield Problem(at(where, "rule"), "FieldValueInvalid", f"Invalid value: compilation failed: {problem}")


def _unread(schema: Any, path: str) -> list[tuple[str, ExpressionError]]:
    unread: list[tuple[str, ExpressionError]] = []
    if isinstance(schema, dict):
        rules.read(schema, unread, path)
    return unread


def unenforced_rules(definition: Object) -> Iterator[str]:
    """A message for each rule of a definition that this API stores and does not enforce."""
    for index, version in enumerate(definition["spec"]["versions"]):
        for where, problem in _unread(version["schema"]["openAPIV3Schema"], f"spec.versions[{index}].schema"):
            if problem.ours:
                yield f"{where}: this rule is not enforced here: its syntax is not understood: {problem}"
