"""JSON Patches (RFC 6902) that touch only what is ours, computed from the undecoded object. Pure.

`status.parents`, `status.ancestors` and most lists in a spec are atomic to Kubernetes: whoever writes them writes all
of them. So nothing here ever writes a list as a whole that others write too. An entry is replaced or removed where it
stands after a `test` that it still is, byte for byte, the entry that was read; one is added after a `test` that the
whole list is. A patch whose test fails changes nothing; `apply.write` then reads again and computes anew.

No change gives no operations.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.api.json_pointer import lookup, pointer

Operation = dict[str, Any]
Raw = Mapping[str, Any]


def optimistic_lock(raw: Raw) -> Operation:
    """A test that the object is still the one that was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": raw["metadata"]["resourceVersion"]}


def to_json(value: Any) -> Any:
    """Any value of ours as JSON has it: structs as dicts, tuples as lists."""
    return msgspec.json.decode(msgspec.json.encode(value))


# ── lists that others write too ──────────────────────────────────────────────


def list_patch(
    raw: Raw,
    path: Sequence[str],
    present: Sequence[Raw],
    desired: Sequence[Raw],
    identity: Callable[[Raw], Hashable],
) -> list[Operation]:
    """Operations that turn a list that others write too into another, entry by entry.

    Entries that stay must come in the same order in both; new ones come last.
    """
    if not present:
        return _whole_list(raw, path, desired) if desired else []
    where = pointer(*path)
    # Entries of one identity (two entries of ours for one parent) are met in order: the first stays.
    waiting = list(desired)
    replaced: list[Operation] = []
    removed: list[Operation] = []
    for index, old in enumerate(present):
        at, test = f"{where}/{index}", {"op": "test", "path": f"{where}/{index}", "value": old}
        if waiting and identity(waiting[0]) == identity(old):
            new = waiting.pop(0)
            if new != old:
                replaced += [test, {"op": "replace", "path": at, "value": new}]
        else:
            removed = [test, {"op": "remove", "path": at}, *removed]
    added: list[Operation] = [{"op": "add", "path": f"{where}/-", "value": new} for new in waiting]
    if added:
        added = [{"op": "test", "path": where, "value": list(present)}, *replaced, *removed, *added]
        return [each for each in added if each["op"] != "test" or each["path"] == where]
    return [*replaced, *removed]


def _whole_list(raw: Raw, path: Sequence[str], desired: Sequence[Raw]) -> list[Operation]:
    """The list is not there, or empty: only the object's version can tell that it still is so."""
    return [optimistic_lock(raw), *_parents(raw, path), {"op": "add", "path": pointer(*path), "value": list(desired)}]


def _parents(raw: Raw, path: Sequence[str]) -> list[Operation]:
    return [
        {"op": "add", "path": pointer(*path[:depth]), "value": {}}
        for depth in range(1, len(path))
        if lookup(raw, path[:depth]) is None
    ]


# ── fields that are ours whole ───────────────────────────────────────────────


def fields_patch(raw: Raw, path: Sequence[str], desired: Raw) -> list[Operation]:
    """Operations that make these fields below `path` so, lists as a whole; None removes a field; others stay.

    For what nobody else writes: a Canary's status, a Gateway's addresses and listeners. Guarded by the object's
    version.
    """
    present = lookup(raw, path) or {}
    merged = merge_fields(present, to_json(desired))
    operations = diff(present, merged, pointer(*path))
    if not operations:
        return []
    if lookup(raw, path) is None:
        operations = [{"op": "add", "path": pointer(*path), "value": merged}]
    return [optimistic_lock(raw), *_parents(raw, path), *operations]


def merge_fields(present: Raw, desired: Raw) -> dict[str, Any]:
    """RFC 7386: mappings are merged, None removes, everything else replaces."""
    merged = dict(present)
    for name, value in desired.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            old = merged.get(name)
            merged[name] = merge_fields(old if isinstance(old, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def diff(old: Any, new: Any, path: str = "") -> list[Operation]:
    """Operations that turn one JSON value into another; lists of unequal length are replaced as a whole."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        operations: list[Operation] = []
        for name in old:
            if name not in new:
                operations.append({"op": "remove", "path": path + pointer(name)})
        for name, value in new.items():
            if name not in old:
                operations.append({"op": "add", "path": path + pointer(name), "value": value})
            else:
                operations += diff(old[name], value, path + pointer(name))
        return operations
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            each for index, pair in enumerate(zip(old, new, strict=True)) for each in diff(*pair, f"{path}/{index}")
        ]
    if type(old) is type(new) and old == new:
        return []
    return [{"op": "replace", "path": path, "value": new}]
