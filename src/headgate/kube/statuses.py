"""Statuses as JSON Patches: our conditions and entries as they should be, everybody else's as they are. Pure.

Times are seconds since 1970. What says the same as before is left as it is, byte for byte, with its
`lastTransitionTime` and with the fields that the API filled in; if all is left as it is there are no operations.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.api.json_pointer import lookup, pointer
from headgate.api.meta import Value
from headgate.api.times import rfc3339

from .patches import Operation, Raw, diff, list_patch, optimistic_lock, to_json

#: The longest lists that the Gateway API's schemas allow.
MOST_CONDITIONS = 8
MOST_ENTRIES = {"parents": 32, "ancestors": 16}
#: Conditions that an object can do without: they make room when other controllers' have filled the list.
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
    """Operations that make an object's status so; for the status subresource.

    Each field of `desired` (a status type of `headgate.api`) is written the way it is owned: `conditions` type by
    type, lists of entries with a `controllerName` entry by entry, everything else as a whole, where entries of the
    same name keep the times of their conditions.

    Args:
        controllers: our controller names, for lists of entries with a `controllerName`.
        owned_conditions: condition types that are ours, so that they go when they are not desired: of the object, or
            of our entries.
        owned_in_items: the same for items of other lists (listeners).
        fields: attribute names of the fields that are ours; None: all that the type has.
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
    """The field is tested as it was read, not the object's version: others may write other fields meanwhile."""
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
    guards = [each for each in operations if each["op"] == "test" and each["path"] == "/metadata/resourceVersion"]
    return [*guards[:1], *(each for each in operations if each not in guards)]


# ── conditions ───────────────────────────────────────────────────────────────


def conditions_patch(
    raw: Raw,
    desired: Sequence[Value],
    now: float,
    *,
    path: Sequence[str] = ("status", "conditions"),
    owned: Collection[str] = (),
) -> list[Operation]:
    """Operations that make our conditions so; see `merge_conditions`."""
    present = lookup(raw, path) or []
    return list_patch(raw, path, present, merge_conditions(present, desired, now, owned=owned), _type_of)


def merge_conditions(
    present: Sequence[Raw], desired: Sequence[Value], now: float, *, owned: Collection[str] = ()
) -> list[dict[str, Any]]:
    """The list of conditions as it should be.

    Foreign types stay where they are and as they are. Ours keep their place; `lastTransitionTime` moves only when the
    status does; one that says the same is left as it is. Types in `owned` that are not desired go. Where foreign ones
    leave no room for all of ours, ours are left out, those in `OPTIONAL` first.
    """
    every = {condition["type"]: condition for condition in map(_builtins, desired)}
    ours = {*every, *owned}
    room = max(0, MOST_CONDITIONS - sum(old.get("type") not in ours for old in present))
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
    """Operations that make our entries of `status.parents` (or `status.ancestors`) so.

    Ours are the entries whose `controllerName` is one of `controllers`; they are told apart by that and by what their
    `parentRef` (`ancestorRef`) refers to. Ours that are not desired go, others are never touched; where those leave no
    room for all of ours, the first of ours are written.
    """
    present: list[dict[str, Any]] = list(lookup(raw, path) or [])
    foreign = sum(entry.get("controllerName") not in controllers for entry in present)
    room = max(0, MOST_ENTRIES.get(path[-1], MOST_ENTRIES["parents"]) - foreign)
    wanted = {_identity(_builtins(entry)): entry for entry in desired[:room]}
    result: list[dict[str, Any]] = []
    for entry in present:
        if entry.get("controllerName") not in controllers:
            result.append(entry)
        elif (mine := wanted.pop(_identity(entry), None)) is not None:
            result.append(overlay(entry, mine, now, owned_conditions=owned_conditions))
    result.extend(overlay({}, mine, now) for mine in wanted.values())
    return list_patch(raw, path, present, result, _identity)


#: What the API fills in when a reference leaves it out.
_DEFAULT_REFERENCE = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}


def _refers(entry: Raw) -> Hashable:
    reference = entry.get("parentRef") or entry.get("ancestorRef") or {}
    full = {**_DEFAULT_REFERENCE, **reference}
    return tuple(sorted((name, str(value)) for name, value in full.items() if value is not None))


def _identity(entry: Raw) -> Hashable:
    return entry.get("controllerName"), _refers(entry)


# ── values as they should be, where they are so left as they are ─────────────


class _Absent:
    """A field that is not there."""


_ABSENT: Any = _Absent()


def overlay(present: Raw, desired: Value, now: float, *, owned_conditions: Collection[str] = ()) -> dict[str, Any]:
    """What stands there, changed where it does not say what `desired` does; fields that we do not know stay."""
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
            result[name] = to_json(value)  # many schemas require a zero or an empty list to be said
        else:
            result.pop(name, None)
    return result


def _overlay_value(present: Any, value: Any, now: float, owned: Collection[str]) -> Any:
    """The JSON of a whole field, keeping of `present` what says the same."""
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
