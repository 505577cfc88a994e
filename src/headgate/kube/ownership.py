"""Patches objects that the controller owns, and leaves the fields that it does not set. Pure.

API servers fill in defaults, clouds allocate ports, users add labels; such fields stay. The fields that the controller
set the last time are recorded in an annotation of the object: their names, never their values. So a label that is no
longer desired is removed, and one that a user added stays. (kubectl's annotation has the values, which would put
Secrets into it; server-side apply keeps the record on the server, and not every API supports that.)
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from headgate.api import codec
from headgate.api.core import Secret
from headgate.api.json_pointer import lookup
from headgate.api.meta import Object
from headgate.api.quantities import read_quantity

from .patches import Operation, Raw, diff, optimistic_lock, to_json

ANNOTATION = "headgate.dev/applied"

#: The names of the fields below a field; empty for a value.
Shape = dict[str, Any]

#: The fields that may identify the items of a list of objects: the first one that is unique in all items is used.
_ITEM_KEYS = ("name", "mountPath", "containerPort", "port", "key", "uid", "ip")

#: Metadata that only the API server sets.
_SET_BY_API = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields")

#: Maps that others add keys to: only the keys that the controller set are removed.
_MAPS = ("labels", "annotations", "data", "binaryData", "nodeSelector", "selector", "matchLabels")


class NotOwnedError(Exception):
    """An object of this name exists that the controller does not own; it is not changed."""


def desired_json(desired: Object, owned: Collection[str] = ()) -> dict[str, Any]:
    """The JSON of an object to create: without its status and the metadata that the API server sets.

    Fields at their default are left out, so they are not owned, except those in `owned` (JSON pointers such as
    `/spec/replicas`).

    Raises:
        ValueError: a Secret has `stringData`, or `owned` names a field that does not exist.
    """
    if isinstance(desired, Secret) and desired.string_data:
        raise ValueError(f"Secret {desired.key}: set data; string_data cannot be compared with the stored object")
    json = _without(to_json(codec.builtins(desired)), ("status",))
    for field in owned:
        _set_default(json, desired, field)
    metadata = _without(json["metadata"], _SET_BY_API)
    shape = msgspec.json.encode(_shape({**_without(json, ("apiVersion", "kind")), "metadata": metadata})).decode()
    metadata["annotations"] = {**metadata.get("annotations", {}), ANNOTATION: shape}
    return {**json, "metadata": metadata}


def _set_default(json: dict[str, Any], value: Any, field: str) -> None:
    *parents, last = field.strip("/").split("/")
    for part in parents:
        value, json = _attribute(value, part), json.setdefault(part, {})
    json[last] = to_json(_attribute(value, last))


def _attribute(value: Any, name: str) -> Any:
    for field in msgspec.structs.fields(value):
        if field.encode_name == name:
            return getattr(value, field.name)
    raise ValueError(f"{type(value).__name__} has no field {name}")


def desired_patch(raw: Raw, desired: Raw) -> list[Operation]:
    """The operations that set an existing object to the desired fields; none if it has them.

    Args:
        raw: the undecoded object.
        desired: from `desired_json`.

    Raises:
        NotOwnedError: the controller does not own the object.
    """
    check_owner(raw, desired)
    operations = diff(raw, _merge(raw, desired, _applied(raw), ()))
    return [optimistic_lock(raw), *operations] if operations else []


def check_owner(raw: Raw, desired: Raw) -> None:
    """Raise `NotOwnedError` unless the object has the desired controller reference, or the annotation if none."""
    theirs, ours = _controller(raw), _controller(desired)
    what = (
        f"{raw.get('kind', desired['kind'])} {lookup(raw, ('metadata', 'namespace')) or ''}/{raw['metadata']['name']}"
    )
    if lookup(raw, ("metadata", "deletionTimestamp")):
        raise NotOwnedError(f"{what} is being deleted; it will be created again once it is gone")
    if theirs is not None and (ours is None or theirs.get("uid") != ours.get("uid")):
        former = ours is not None and (theirs.get("kind"), theirs.get("name")) == (ours.get("kind"), ours.get("name"))
        hint = ", which was deleted; it will be garbage-collected" if former else ""
        raise NotOwnedError(f"{what} is owned by {theirs.get('kind')} {theirs.get('name')}{hint}")
    if theirs is None and ours is not None and ANNOTATION not in (lookup(raw, ("metadata", "annotations")) or {}):
        raise NotOwnedError(f"{what} exists and was not created by this controller; rename or delete it")


def _controller(raw: Raw) -> Raw | None:
    owners = lookup(raw, ("metadata", "ownerReferences")) or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _applied(raw: Raw) -> Shape:
    text = (lookup(raw, ("metadata", "annotations")) or {}).get(ANNOTATION)
    try:
        shape = msgspec.json.decode(text) if text else {}
    except msgspec.DecodeError:
        return {}
    return shape if isinstance(shape, dict) else {}


# ── the names of the fields that are set ─────────────────────────────────────


def _shape(value: Any) -> Shape:
    if isinstance(value, Mapping):
        return {name: _shape(child) for name, child in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        key = _item_key(value)
        return {str(item[key]): _shape(item) for item in value} if key else {}
    return {}


def _item_key(*lists: Sequence[Any]) -> str | None:
    if not all(isinstance(item, Mapping) for items in lists for item in items) or not lists[0]:
        return None
    for key in _ITEM_KEYS:
        if all(len({item.get(key) for item in items} - {None}) == len(items) for items in lists):
            return key
    return None


def _without(value: Raw, names: Collection[str]) -> dict[str, Any]:
    return {name: child for name, child in value.items() if name not in names}


# ── the desired object ───────────────────────────────────────────────────────


def _merge(present: Raw, desired: Raw, before: Shape, path: tuple[str, ...]) -> dict[str, Any]:
    """The present fields, without those that were set before and are not desired, with the desired ones."""
    merged = dict(present)
    for name in before:
        if name in present and name not in desired and not _shared((*path, name)):
            _remove(merged, name, before[name])
    for name, value in desired.items():
        was = before.get(name)
        merged_value = _merge_value(present.get(name), value, was if isinstance(was, dict) else {}, (*path, name))
        if name in present or not _is_zero(merged_value):
            merged[name] = merged_value
    return merged


def _remove(merged: dict[str, Any], name: str, before: Any) -> None:
    """Remove a field that was set before; from a map that others write too, only the keys that were set."""
    others = _without(merged[name], before) if name in _MAPS and isinstance(merged[name], Mapping) else {}
    if others:
        merged[name] = others
    else:
        del merged[name]


def _merge_value(present: Any, desired: Any, before: Shape, path: tuple[str, ...]) -> Any:
    if isinstance(desired, Mapping):
        return _merge(present if isinstance(present, Mapping) else {}, desired, before, path)
    if isinstance(desired, list):
        present = present if isinstance(present, list) else []
        return _add_items(present, desired) if _shared(path) else _merge_list(present, desired, before, path)
    return present if _same(present, desired, path) else desired


def _merge_list(present: list[Any], desired: list[Any], before: Shape, path: tuple[str, ...]) -> list[Any]:
    """An owned list: the desired items in their order, each with the fields that the server filled in."""
    key = _item_key(desired, present)
    if key:
        there = {item[key]: item for item in present}
        pairs = [(there.get(item[key]), item, before.get(str(item[key]), {})) for item in desired]
    elif len(present) == len(desired):
        pairs = [(old, item, {}) for old, item in zip(present, desired, strict=True)]
    else:
        pairs = [(None, item, {}) for item in desired]
    return [_merge_value(old, item, shape, path) for old, item, shape in pairs]


def _shared(path: tuple[str, ...]) -> bool:
    """Whether a list is shared with other controllers: owner references and finalizers are only added."""
    return path[:1] == ("metadata",) and len(path) > 1 and path[1] in ("ownerReferences", "finalizers")


def _add_items(present: list[Any], desired: list[Any]) -> list[Any]:
    def identity(item: Any) -> Any:
        return item.get("uid") if isinstance(item, Mapping) else item

    ours = {identity(item): item for item in desired}
    kept = [
        {**item, **ours[identity(item)]} if isinstance(item, Mapping) and identity(item) in ours else item
        for item in present
    ]
    there = [identity(item) for item in present]
    return [*kept, *(item for item in desired if identity(item) not in there)]


def _is_zero(value: Any) -> bool:
    """Whether an API leaves the value out. Not `{}`: an empty `emptyDir` has a meaning."""
    return value is None or value is False or value in ("", 0) or value == []


def _same(present: Any, desired: Any, path: tuple[str, ...]) -> bool:
    if type(present) is type(desired) and present == desired:
        return True
    if any(part in ("requests", "limits") for part in path):  # `500m`, `0.5` and `5e-1` are the same quantity
        try:
            return read_quantity(str(present)) == read_quantity(str(desired))
        except ValueError:
            return False
    return False
