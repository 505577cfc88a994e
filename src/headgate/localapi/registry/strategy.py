"""Create, update and delete as pure functions: from a request and the old object to the new object.

The order is that of Kubernetes: unknown fields, status, defaults, fields that the server sets, validation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.api import schema as schemas_
from headgate.localapi.resources import schemas
from headgate.localapi.resources.served import Object, Resource

from . import names, status_errors
from .validation import validate

#: Metadata fields that only the server sets.
SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "managedFields",
)
_TYPE_META = frozenset({"apiVersion", "kind", "metadata"})
_NEVER_STORED = ("selfLink", "managedFields")
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class Draft(msgspec.Struct):
    """A decoded object, and the paths of its unknown fields, which are dropped already."""

    object: Object
    unknown: tuple[str, ...] = ()


def decode_draft(resource: Resource, version: str, obj: Any) -> Draft:
    """Decode an object of a client and drop unknown fields. Kind and version must be those of the resource."""
    if not isinstance(obj, Mapping):
        raise status_errors.bad_request(f"expected a {resource.kind} object, found {schemas_.type_name(obj)}")
    wanted = (resource.api_version(version), resource.kind)
    found = (obj.get("apiVersion") or wanted[0], obj.get("kind") or wanted[1])
    if found != wanted:
        raise status_errors.bad_request(
            f"the object is {found[1]} in {found[0]}, but this URL serves {wanted[1]} in {wanted[0]}; "
            "use the URL of its kind or correct apiVersion and kind"
        )
    metadata = obj.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise status_errors.bad_request(f"metadata: expected object, found {schemas_.type_name(metadata)}")
    rest = {name: value for name, value in obj.items() if name not in {"apiVersion", "kind", "metadata"}}
    body, unknown = schemas_.prune(resource.schema(version), rest, root=False)
    about, unknown_about = schemas_.prune(schemas.message("meta.v1.ObjectMeta"), metadata, root=False)
    about = {k: v for k, v in about.items() if v is not None and k not in _NEVER_STORED}
    return Draft({"metadata": about} | body, tuple(f"metadata.{path}" for path in unknown_about) + unknown)


def unknown_field_messages(paths: Sequence[str]) -> list[str]:
    """The messages about unknown fields in warnings and errors."""
    return [f'unknown field "{path}"' for path in paths]


def strict_decoding_error(resource: Resource, version: str, paths: Sequence[str]) -> status_errors.StatusError:
    """The error for unknown fields under `fieldValidation=Strict`."""
    sentences = ", ".join(unknown_field_messages(paths))
    refusal = status_errors.bad_request(
        f'{resource.kind} in version "{version}" cannot be handled as a {resource.kind}: strict decoding error: '
        f"{sentences}; remove or correct them, or send fieldValidation=Ignore"
    )
    refusal.details = {
        "causes": [{"reason": "FieldValueInvalid", "message": "unknown field", "field": path} for path in paths]
    }
    return refusal


def create(
    resource: Resource, version: str, draft: Object, *, namespace: str, now: str, uid: str, suffix: str
) -> Object:
    """The object as it is stored first."""
    metadata = {k: v for k, v in draft["metadata"].items() if k not in SERVER_OWNED}
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = names.generate_name(metadata["generateName"], suffix)
    if resource.namespaced:
        if metadata.get("namespace", namespace) != namespace:
            raise status_errors.bad_request(
                f"the namespace of the provided object does not match the namespace sent on the request: "
                f"metadata.namespace is {metadata['namespace']!r}, the URL says {namespace!r}"
            )
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    metadata |= {"uid": uid, "creationTimestamp": now}
    obj = {**draft, "metadata": metadata}
    if resource.status:
        given = obj.pop("status", None)
        status = resource.strategy.initial_status({**obj, "status": given} if given is not None else obj)
        if status is not None:
            obj["status"] = status
    obj = _defaulted(resource, version, obj)
    resource.strategy.prepare(obj, None)
    if resource.custom or resource.strategy.counts_generation:
        obj["metadata"]["generation"] = 1
    validate(resource, version, obj, None)
    return obj


def update(resource: Resource, version: str, old: Object, draft: Object, subresource: str) -> Object:
    """The object after an update of the object or of its status."""
    metadata, before = dict(draft["metadata"]), old["metadata"]
    _same_object(resource, metadata, before)
    for name in SERVER_OWNED:
        metadata.pop(name, None)
        if name in before:
            metadata[name] = before[name]
    metadata["name"] = before["name"]
    if resource.namespaced:
        metadata["namespace"] = before["namespace"]
    if subresource == "status":
        new = {**old, "status": draft.get("status")}
        if new["status"] is None:
            del new["status"]
        return _updated_status(resource, version, old, new)
    new = {**draft, "metadata": metadata}
    if resource.status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    new = _defaulted(resource, version, new)
    resource.strategy.prepare(new, old)
    if (resource.custom or resource.strategy.counts_generation) and _spec_changed(resource, old, new):
        new["metadata"]["generation"] = before.get("generation", 0) + 1
    validate(resource, version, new, old)
    return new


def _updated_status(resource: Resource, version: str, old: Object, new: Object) -> Object:
    new = _defaulted(resource, version, new)
    validate(resource, version, new, old, only="status")
    return new


def _defaulted(resource: Resource, version: str, obj: Object) -> Object:
    metadata = obj["metadata"]
    rest: Object = schemas_.default(resource.schema(version), {k: v for k, v in obj.items() if k != "metadata"})
    for name in ("apiVersion", "kind", "metadata"):
        rest.pop(name, None)
    return {"metadata": metadata} | rest


def migrate_stored(resource: Resource, obj: Object) -> Object:
    """A stored object under a changed schema: without unknown fields, with its defaults."""
    schema = resource.storage_schema
    known, _ = schemas_.prune(schema, {k: v for k, v in obj.items() if k not in _TYPE_META}, root=False)
    rest: Object = schemas_.default(schema, known)
    return {"metadata": obj["metadata"]} | {k: v for k, v in rest.items() if k not in _TYPE_META}


def _spec_changed(resource: Resource, old: Object, new: Object) -> bool:
    skip = {"metadata", "apiVersion", "kind"} | ({"status"} if resource.status else set())
    return {k: v for k, v in old.items() if k not in skip} != {k: v for k, v in new.items() if k not in skip}


def _same_object(resource: Resource, metadata: Object, before: Object) -> None:
    name = before["name"]
    if metadata.get("name", name) != name:
        raise status_errors.bad_request(f"the name of the object ({metadata['name']}) does not match the URL ({name})")
    if resource.namespaced and metadata.get("namespace", before["namespace"]) != before["namespace"]:
        raise status_errors.bad_request("the namespace of the object does not match the namespace on the request")
    if metadata.get("uid", before["uid"]) != before["uid"]:
        raise status_errors.conflict(
            resource.group,
            resource.plural,
            name,
            f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {before['uid']}",
        )
    if metadata.get("resourceVersion", "") not in ("", "0", before["resourceVersion"]):
        raise conflict_error(resource, name)


def conflict_error(resource: Resource, name: str) -> status_errors.StatusError:
    """The error for an outdated `resourceVersion`."""
    return status_errors.conflict(
        resource.group,
        resource.plural,
        name,
        "the object has been modified; please apply your changes to the latest version and try again",
    )


class DeleteOptions(msgspec.Struct, frozen=True):
    """Options of a deletion."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    revision: str = ""


def delete(resource: Resource, old: Object, how: DeleteOptions, *, now: float, timestamp: Any) -> Object | None:
    """The terminating object, or None if nothing holds it.

    Finalizers hold an object. A pod that is bound to a node is held until the node confirms with grace period 0. A
    namespace is held until it is empty (the finalizer `kubernetes` in its spec).
    """
    metadata = dict(old["metadata"])
    finalizers = [name for name in metadata.get("finalizers") or () if name not in {FOREGROUND, ORPHAN}]
    if how.propagation == "Foreground":
        finalizers.append(FOREGROUND)
    elif how.propagation == "Orphan":
        finalizers.append(ORPHAN)
    elif not how.propagation:
        finalizers = list(metadata.get("finalizers") or ())
    grace = _grace(resource, old, how)
    namespace = (resource.group, resource.kind) == ("", "Namespace")
    if not finalizers and not grace and not (namespace and (old.get("spec") or {}).get("finalizers")):
        return None
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    before = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in metadata or (before is not None and grace < before):
        metadata["deletionTimestamp"] = timestamp(now + grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if "generation" in metadata:
            metadata["generation"] += 1
    new = {**old, "metadata": metadata}
    if namespace:
        new["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return new


def _grace(resource: Resource, old: Object, how: DeleteOptions) -> int:
    """The grace period of a pod in seconds; 0 for other kinds."""
    if (resource.group, resource.kind) != ("", "Pod"):
        return 0
    spec, status = old.get("spec") or {}, old.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in {"Succeeded", "Failed"}:
        return 0
    wanted = how.grace if how.grace is not None else spec.get("terminationGracePeriodSeconds", 30)
    before = old["metadata"].get("deletionGracePeriodSeconds")
    wanted = max(int(wanted), 0)
    return wanted if before is None else min(wanted, before)


def is_finalized(resource: Resource, obj: Object) -> bool:
    """Whether nothing holds a terminating object any more."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if metadata.get("deletionGracePeriodSeconds"):
        return False
    return not ((resource.group, resource.kind) == ("", "Namespace") and (obj.get("spec") or {}).get("finalizers"))
