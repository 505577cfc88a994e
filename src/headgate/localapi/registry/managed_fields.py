"""Field ownership, in `metadata.managedFields`.

Ownership is recorded from the first server-side apply of an object on. Other objects have no managed fields, and their
writes cost nothing.
"""

from typing import Any

from headgate.api import apply as ssa
from headgate.api.problems import Problem
from headgate.api.schema import Schema
from headgate.localapi.resources import schemas
from headgate.localapi.resources.served import Object, Resource

from . import status_errors


def for_new(resource: Resource, version: str, config: Object, manager: str, now: str) -> list[Object]:
    """The `managedFields` of an object that an apply creates."""
    owner = ssa.Owner(manager)
    owned = ssa.places(_applicable(resource, config, ""), _schema(resource, version))
    return ssa.write_managed({owner: owned}, (), resource.api_version(version), now)


def apply(
    resource: Resource,
    version: str,
    old: Object,
    config: Object,
    manager: str,
    subresource: str,
    now: str,
    *,
    force: bool,
) -> tuple[Object, list[Object]]:
    """Merge a configuration into the object. Returns the object and its owners. Raises Conflict."""
    schema, before = _schema(resource, version), old["metadata"].get("managedFields") or []
    owner = ssa.Owner(manager, "Apply", subresource)
    applicable = _applicable(resource, config, subresource)
    result = ssa.apply(old, applicable, ssa.read_managed(before), owner, schema, force=force)
    if result.conflicts:
        raise _conflict(result.conflicts)
    return result.object, ssa.write_managed(result.ownership, before, resource.api_version(version), now)


def update(
    resource: Resource, version: str, old: Object, new: Object, manager: str, subresource: str, now: str
) -> None:
    """Record in `new` which fields an ordinary write changed, if the object has managed fields."""
    before = old["metadata"].get("managedFields")
    if not before:
        return
    schema, owner = _schema(resource, version), ssa.Owner(manager, "Update", subresource)
    ownership = ssa.updated(_ownable(old), _ownable(new), ssa.read_managed(before), owner, schema)
    managed = ssa.write_managed(ownership, before, resource.api_version(version), now)
    new["metadata"] = {**new["metadata"], "managedFields": managed}


def _schema(resource: Resource, version: str) -> Schema:
    schema = resource.schema(version)
    properties = {**(schema.get("properties") or {}), "metadata": schemas.message("meta.v1.ObjectMeta")}
    return {**schema, "properties": properties}


#: Metadata that clients may own; the server sets the rest.
_OWNABLE = ("labels", "annotations", "finalizers", "ownerReferences")


def _ownable(obj: Object) -> Object:
    return {**obj, "metadata": {name: obj["metadata"][name] for name in _OWNABLE if name in obj["metadata"]}}


def _applicable(resource: Resource, config: Object, subresource: str) -> Object:
    """The part of a configuration that this apply may set."""
    if subresource:
        return {subresource: config.get(subresource) or {}}
    found = _ownable(config)
    if resource.status:
        found.pop("status", None)
    return {name: _without_nulls(value) for name, value in found.items() if value is not None}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(child) for name, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_without_nulls(child) for child in value]
    return value


def _conflict(conflicts: tuple[ssa.Conflict, ...]) -> status_errors.StatusError:
    causes = [Problem(ssa.readable(c.path), "FieldManagerConflict", _with_whom(c.owner)) for c in conflicts]
    sentences = [f"{cause.message}: {cause.path}" for cause in causes]
    text = sentences[0] if len(sentences) == 1 else "conflicts:" + "".join(f"\n- {s}" for s in sentences)
    count = "1 conflict" if len(conflicts) == 1 else f"{len(conflicts)} conflicts"
    return status_errors.StatusError(409, "Conflict", f"Apply failed with {count}: {text}", causes=causes)


def _with_whom(owner: ssa.Owner) -> str:
    part = f' with subresource "{owner.subresource}"' if owner.subresource else ""
    return f'conflict with "{owner.manager}"{part}'
