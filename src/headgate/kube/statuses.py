"""Statuses as JSON Patches: sets the controller's conditions and entries, and leaves those of others unchanged. Pure.

Times are seconds since 1970. A condition or entry whose content is unchanged keeps its `lastTransitionTime` and the
fields that the API filled in; if nothing changes, there are no operations.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.api.json_pointer import lookup, pointer
from headgate.api.meta import Value
from headgate.api.times import rfc3339

from .patches import Operation, Raw, diff, list_patch, optimistic_lock, to_json

#: The maximum lengths of lists in the Gateway API's schemas.
MAX_CONDITIONS = 8
MAX_ENTRIES = {"parents": 32, "ancestors": 16}
#: Conditions that are left out first when other controllers' conditions leave too little room in the list.
OPTIONAL = ("AddressesAssigned", "InsecureFrontendValidationMode", "OverlappingTLSConfig", "PartiallyInvalid")


def status_patch(
    raw: Raw,
    desired: Value,
    now: float,
    *,
    controllers: Collection[str] = (),
    owned_conditions: Collection[str] = (),
    owned_in_items: Collection[str] = (),
    fields: Collection[str] | None = None,
) -> list[Operation]:
    """The operations that set an object's status; for the status subresource.

    `desired` is a status type of `headgate.api`. Its `conditions` are set type by type, lists of entries with a
    `controllerName` entry by entry, and all other fields as a whole, in which items of the same name keep the times of
    their conditions.

    Args:
        controllers: the controller names of our entries, in lists of entries with a `controllerName`.
        owned_conditions: condition types that the controller owns, of the object or of its entries: they are removed
            when they are not desired.
        owned_in_items: the same for the items of other lists (listeners).
        fields: attribute names of the fields to set; None: all fields of the type.
    """
    operations: list[Operation] = []
    if lookup(raw, ("status",)) is None:
        raw = {**raw, "status": {}}
        operations = [optimistic_lock(raw), {"op": "add", "path": "/status", "value": {}}]
    created = len(operations)
    for field in msgspec.structs.fields(desired):
        if fields is not None and field.name not in fields:
            continue
        value = getattr(desired, field.name)
        path = ("status", field.encode_name)
        if field.name == "conditions":
            operations += conditions_patch(raw, value, now, path=path, owned=owned_conditions)
        elif field.encode_name in ("parents", "ancestors"):
            operations += entries_patch(
                raw, path, value, controllers=controllers, now=now, owned_conditions=owned_conditions
            )
        else:
            operations += _field_patch(raw, path, _overlay_value(lookup(raw, path), value, now, owned_in_items))
    return _guard_once(operations) if len(operations) > created else []


def _field_patch(raw: Raw, path: tuple[str, ...], value: Any) -> list[Operation]:
    """Sets a field, guarded by its old value and not by the resourceVersion, which changes with other fields too."""
    present = lookup(raw, path)
    where = pointer(*path)
    if present is None:
        return [] if value is _ABSENT else [optimistic_lock(raw), {"op": "add", "path": where, "value": value}]
    test = {"op": "test", "path": where, "value": present}
    if value is _ABSENT:
        return [test, {"op": "remove", "path": where}]
    operations = diff(present, value, where)
    return [test, *operations] if operations else []


def _guard_once(operations: Sequence[Operation]) -> list[Operation]:
    guards = [
        operation
        for operation in operations
        if operation["op"] == "test" and operation["path"] == "/metadata/resourceVersion"
    ]
    return [*guards[:1], *(operation for operation in operations if operation not in guards)]


# ── conditions ───────────────────────────────────────────────────────────────


def conditions_patch(
    raw: Raw,
    desired: Sequence[Value],
    now: float,
    *,
    path: Sequence[str] = ("status", "conditions"),
    owned: Collection[str] = (),
) -> list[Operation]:
    """The operations that set the controller's conditions; see `merge_conditions`."""
    present = lookup(raw, path) or []
    return list_patch(raw, path, present, merge_conditions(present, desired, now, owned=owned), _type_of)


def merge_conditions(
    present: Sequence[Raw], desired: Sequence[Value], now: float, *, owned: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The list of conditions with the desired ones.

    Conditions of other types are unchanged. The desired ones keep their place in the list. `lastTransitionTime` changes
    only with `status`; a condition with the same content is unchanged. Types in `owned` that are not desired are
    removed. If there is no room for all desired conditions, some are left out, those in `OPTIONAL` first.
    """
    every = {condition["type"]: condition for condition in map(_builtins, desired)}
    ours = {*every, *owned}
    room = max(0, MAX_CONDITIONS - sum(old.get("type") not in ours for old in present))
    kept = sorted(every, key=OPTIONAL.__contains__)[:room]
    wanted = {kind: condition for kind, condition in every.items() if kind in kept}
    merged: list[dict[str, Any]] = []
    for old in present:
        if (kind := old.get("type")) not in ours:
            merged.append(dict(old))
        elif (new := wanted.pop(kind, None)) is not None:
            merged.append(_condition(new, old, now))
    return [*merged, *(_condition(new, {}, now) for new in wanted.values())]


#: Fields that an API may leave out when they are zero.
_ZERO: dict[str, Any] = {"message": "", "reason": "", "observedGeneration": 0}


def _condition(new: dict[str, Any], old: Raw, now: float) -> dict[str, Any]:
    new = {"reason": "", "message": ""} | new
    since = old.get("lastTransitionTime") if old.get("status") == new["status"] else None
    new["lastTransitionTime"] = since or new.get("lastTransitionTime") or rfc3339(now)
    if all(old.get(name, _ZERO.get(name)) == new.get(name, _ZERO.get(name)) for name in (*new, *_ZERO)):
        return dict(old)
    return {**{name: value for name, value in old.items() if name not in _ZERO}, **new}


def _type_of(condition: Raw) -> Hashable:
    return condition.get("type")


# ── lists of entries of several controllers ──────────────────────────────────


def entries_patch(
    raw: Raw,
    path: Sequence[str],
    desired: Sequence[Value],
    *,
    controllers: Collection[str],
    now: float,
    owned_conditions: Collection[str] = (),
) -> list[Operation]:
    """The operations that set the controller's entries of `status.parents` or `status.ancestors`.

    The controller owns the entries whose `controllerName` is in `controllers`. `controllerName` and `parentRef` (or
    `ancestorRef`) identify an entry. Owned entries that are not desired are removed; others are never changed. If there
    is no room for all desired entries, the first ones are written.
    """
    present: list[dict[str, Any]] = list(lookup(raw, path) or [])
    foreign = sum(entry.get("controllerName") not in controllers for entry in present)
    room = max(0, MAX_ENTRIES.get(path[-1], MAX_ENTRIES["parents"]) - foreign)
    wanted = {_identity(_builtins(entry)): entry for entry in desired[:room]}
    result: list[dict[str, Any]] = []
    for entry in present:
        if entry.get("controllerName") not in controllers:
            result.append(entry)
        elif (mine := wanted.pop(_identity(entry), None)) is not None:
            result.append(overlay(entry, mine, now, owned_conditions=owned_conditions))
    result.extend(overlay({}, mine, now) for mine in wanted.values())
    return list_patch(raw, path, present, result, _identity)


#: The fields that the API fills in when a reference omits them.
_DEFAULT_REFERENCE = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}


def _refers(entry: Raw) -> Hashable:
    reference = entry.get("parentRef") or entry.get("ancestorRef") or {}
    full = {**_DEFAULT_REFERENCE, **reference}
    return tuple(sorted((name, str(value)) for name, value in full.items() if value is not None))


def _identity(entry: Raw) -> Hashable:
    return entry.get("controllerName"), _refers(entry)


# ── values: equal ones are left as they are ──────────────────────────────────


class _Absent:
    """The value of a field that is absent."""


_ABSENT: Any = _Absent()


def overlay(present: Raw, desired: Value, now: float, *, owned_conditions: Collection[str] = ()) -> dict[str, Any]:
    """The present value with the fields of `desired` that differ; fields that our types do not have stay."""
    try:
        there = msgspec.convert(present, type(desired)) if present else None
    except msgspec.ValidationError:
        there = None
    new = _builtins(desired)
    result = dict(present)
    for field in msgspec.structs.fields(desired):
        name, value = field.encode_name, getattr(desired, field.name)
        if field.name == "conditions":
            result[name] = merge_conditions(present.get(name) or [], value, now, owned=owned_conditions)
        elif there is not None and getattr(there, field.name) == value:
            continue
        elif name in new:
            result[name] = new[name]
        elif isinstance(value, int | tuple):
            result[name] = to_json(value)  # many schemas require zeros and empty lists to be present
        else:
            result.pop(name, None)
    return result


def _overlay_value(present: Any, value: Any, now: float, owned: Collection[str]) -> Any:
    """The JSON of a whole field; parts of `present` with the same content are kept."""
    if isinstance(value, Value):
        return overlay(present if isinstance(present, Mapping) else {}, value, now, owned_conditions=owned)
    if isinstance(value, tuple) and value and isinstance(value[0], Value):
        old = [item for item in present or () if isinstance(item, Mapping)]
        named = {item.get("name"): item for item in old} if hasattr(value[0], "name") else {}
        places = [named.get(item.name) if named else None for item in value]
        if not named and len(old) == len(value):
            places = [*old]
        return [
            overlay(place or {}, item, now, owned_conditions=owned) for place, item in zip(places, value, strict=True)
        ]
    if value is None or (present is None and value in ((), {}, "", 0)):
        return _ABSENT
    return to_json(value)


def _builtins(value: Value) -> dict[str, Any]:
    builtins: dict[str, Any] = to_json(value)
    return builtins
