"""JSON Patches (RFC 6902) that change only the controller's own fields, computed from the undecoded object. Pure.

`status.parents`, `status.ancestors` and most lists of a spec are atomic to Kubernetes, but several controllers write
them. So a shared list is never written as a whole. An entry is replaced or removed at its index, after a `test` that it
is still the entry that was read; an entry is added after a `test` that the whole list is unchanged. A patch whose test
fails changes nothing; `apply.patch_with_retry` then reads the object again and computes a new patch.

If nothing changes, there are no operations.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.api.json_pointer import lookup, pointer

Operation = dict[str, Any]
Raw = Mapping[str, Any]


def optimistic_lock(raw: Raw) -> Operation:
    """A `test` of the resourceVersion: the patch applies only to the version that was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": raw["metadata"]["resourceVersion"]}


def to_json(value: Any) -> Any:
    """A value as plain JSON: structs become dicts, tuples become lists."""
    return msgspec.json.decode(msgspec.json.encode(value))


# ── lists that other controllers write too ───────────────────────────────────


def list_patch(
    raw: Raw,
    path: Sequence[str],
    present: Sequence[Raw],
    desired: Sequence[Raw],
    identity: Callable[[Raw], Hashable],
) -> list[Operation]:
    """The operations that turn a shared list into another, entry by entry.

    Entries of both lists must be in the same order; new entries come last.
    """
    if not present:
        return _whole_list(raw, path, desired) if desired else []
    where = pointer(*path)
    # Of entries with the same identity (two of ours for one parent) the first is kept.
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
        return [operation for operation in added if operation["op"] != "test" or operation["path"] == where]
    return [*replaced, *removed]


def _whole_list(raw: Raw, path: Sequence[str], desired: Sequence[Raw]) -> list[Operation]:
    """Sets a list that does not exist or is empty; only the resourceVersion can guard that it still is."""
    return [optimistic_lock(raw), *_parents(raw, path), {"op": "add", "path": pointer(*path), "value": list(desired)}]


def _parents(raw: Raw, path: Sequence[str]) -> list[Operation]:
    return [
        {"op": "add", "path": pointer(*path[:depth]), "value": {}}
        for depth in range(1, len(path))
        if lookup(raw, path[:depth]) is None
    ]


# ── fields that only this controller writes ──────────────────────────────────


def fields_patch(raw: Raw, path: Sequence[str], desired: Raw) -> list[Operation]:
    """The operations that set these fields below `path`, lists as a whole; None removes a field, others stay.

    For fields that no other controller writes. Guarded by the resourceVersion.
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
    """Merge as RFC 7386 does: mappings are merged, None removes, any other value replaces."""
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
    """The operations that turn one JSON value into another; lists of unequal length are replaced as a whole."""
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
            operation
            for index, pair in enumerate(zip(old, new, strict=True))
            for operation in diff(*pair, f"{path}/{index}")
        ]
    if type(old) is type(new) and old == new:
        return []
    return [{"op": "replace", "path": path, "value": new}]
