"""An object that we own as a whole: what of it to change, so that only what we say is as we say. Pure.

Servers fill in defaults, clouds allocate ports, people add labels; none of that is ours. What *was* ours the object
itself remembers in an annotation: the names, never the values, of the fields that we set last time. So a label that we
no longer want goes, and one that somebody else added stays. (kubectl remembers values, server-side apply remembers on
the server; values would put Secrets into an annotation, and not every API does the latter.)
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from headgate.api import codec
from headgate.api.core import Secret
from headgate.api.json_pointer import lookup
from headgate.api.meta import Object

from .patches import Operation, Raw, diff, optimistic_lock, to_json

ANNOTATION = "headgate.dev/applied"

#: The names of the fields below a field; empty for a value.
Shape = dict[str, Any]

#: By which field the items of a list of objects are told apart: the first that all of them have, each another.
_ITEM_KEYS = ("name", "mountPath", "containerPort", "port", "key", "uid", "ip")

#: Set by the API alone.
_SET_BY_API = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields")

#: Fields that are maps of many people's names, not structures: of them only our names go.
_MAPS = ("labels", "annotations", "data", "binaryData", "nodeSelector", "selector", "matchLabels")


class NotOwnedError(Exception):
    """An object of this name exists and belongs to somebody else; it is left alone."""


def desired_json(desired: Object, owned: Collection[str] = ()) -> dict[str, Any]:
    """An object as JSON that we may create: without status and what the API sets, Secrets with `data` only.

    Fields that are at their default are left out, and so are not ours: but for those that `owned` names by their JSON
    pointer (`/spec/replicas`).
    """
    if isinstance(desired, Secret) and desired.string_data:
        raise ValueError(f"Secret {desired.key}: give data, string_data cannot be compared with what is stored")
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
    """Operations that make an existing object so; none if it is.

    Args:
        raw: the object as the API gave it.
        desired: from `desired_json`.

    Raises:
        NotOursError: somebody else owns it.
    """
    check_owner(raw, desired)
    operations = diff(raw, _merge(raw, desired, _applied(raw), ()))
    return [optimistic_lock(raw), *operations] if operations else []


def check_owner(raw: Raw, desired: Raw) -> None:
    """Raises `NotOursError` unless the object's controller is the one that we would be, and no other."""
    theirs, ours = _controller(raw), _controller(desired)
    what = (
        f"{raw.get('kind', desired['kind'])} {lookup(raw, ('metadata', 'namespace')) or ''}/{raw['metadata']['name']}"
    )
    if lookup(raw, ("metadata", "deletionTimestamp")):
        raise NotOwnedError(f"{what} is being deleted; it is made anew when it is gone")
    if theirs is not None and (ours is None or theirs.get("uid") != ours.get("uid")):
        former = ours is not None and (theirs.get("kind"), theirs.get("name")) == (ours.get("kind"), ours.get("name"))
        hint = " that was deleted; it goes with it" if former else ""
        raise NotOwnedError(f"{what} belongs to {theirs.get('kind')} {theirs.get('name')}{hint}")
    if theirs is None and ours is not None and ANNOTATION not in (lookup(raw, ("metadata", "annotations")) or {}):
        raise NotOwnedError(f"{what} exists and was not made by us; rename or delete it")


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


# ── the names of what we set ─────────────────────────────────────────────────


def _shape(value: Any) -> Shape:
    if isinstance(value, Mapping):
        return {name: _shape(each) for name, each in value.items()}
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
    return {name: each for name, each in value.items() if name not in names}


# ── the object as it should be ───────────────────────────────────────────────


def _merge(present: Raw, desired: Raw, before: Shape, path: tuple[str, ...]) -> dict[str, Any]:
    """What is there, without what we set before and no longer do, with what we set now."""
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
    """Takes out a field that we set before; of a map that others write too, our names only."""
    left = _without(merged[name], before) if name in _MAPS and isinstance(merged[name], Mapping) else {}
    if left:
        merged[name] = left
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
    """A list that is ours: our items in our order, each with what the server filled in."""
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
    """Lists of the metadata belong to everybody: owners and finalizers are only ever added."""
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
    """What an API leaves out. Not `{}`: an empty `emptyDir` says something by being there."""
    return value is None or value is False or value in ("", 0) or value == []


def _same(present: Any, desired: Any, path: tuple[str, ...]) -> bool:
    if type(present) is type(desired) and present == desired:
        return True
    if any(part in ("requests", "limits") for part in path):
        there, ours = quantity(present), quantity(desired)
        return there is not None and there == ours
    return False


_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}


def quantity(value: Any) -> Decimal | None:
    """An amount of a resource as a number: `500m`, `0.5` and `5e-1` are the same; None if it is none."""
    text = str(value)
    digits = text.rstrip("numkKMGTPEi") if not text[-1:].isdigit() else text
    factor = _SUFFIXES.get(text[len(digits) :])
    try:
        return Decimal(digits) * factor if factor is not None else None
    except InvalidOperation:
        return None
