"""The resources of CustomResourceDefinitions; the registry follows the stored definitions."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from headgate.api.cel import rules
from headgate.localapi.http import tables
from headgate.localapi.registry import strategy
from headgate.localapi.registry.api import Api, decode

from .definitions import DEFINITIONS
from .jsonpath import compile_path
from .served import Cell, Column, Object, Registry, Resource, Scale, Version


def resource_of(definition: Object) -> Resource:
    """The resource of a definition."""
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
        terminating="deletionTimestamp" in definition["metadata"],
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
    """A value, if it has the type of the column."""
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
    """The resources of the stored definitions."""
    for row in store_rows:
        if row.resource == DEFINITIONS:
            yield resource_of(msgspec.json.decode(row.body))


def _migrate_objects(api: Api, resource: Resource) -> None:
    """Prune and default all objects under a changed definition, once. (Kubernetes does it with every read.)"""
    for record in list(api.cache.collection(resource.id)):
        there = decode(record)
        fitted = strategy.migrate_stored(resource, there)
        if any(there.get(name) != fitted.get(name) for name in {*there, *fitted} - {"apiVersion", "kind"}):
            api.write(resource, there, fitted)


def follow(api: Api) -> Callable[[Resource, Object | None, Object | None], None]:
    """A callback for the API's writes that updates the registry."""
    registry: Registry = api.registry

    def written(resource: Resource, new: Object | None, old: Object | None) -> None:
        if resource.id != DEFINITIONS:
            return
        if new is not None:
            registry.add(made := resource_of(new))
            if old is not None and old["spec"]["versions"] != new["spec"]["versions"]:
                _migrate_objects(api, made)
        elif old is not None and registry.get(old["metadata"]["name"]) is not None:
            registry.remove(old["metadata"]["name"])
            api.cache.forget(old["metadata"]["name"])

    return written
