"""Server-side apply: field ownership, and the result of an applied configuration.

A manager owns the fields of its last configuration. Fields that it leaves out next time are removed, unless another
manager owns them too. A field that another manager owns with another value is a conflict, unless the apply is forced.
Lists are merged according to the schema: by keys (`map`), by value (`set`), or replaced (`atomic`). All functions are
pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from .schema import Schema

#: A place in an object: `f:NAME` is a field, `k:{…}` the entry of a list with these keys, `v:…` a value of a set.
Path = tuple[str, ...]

#: Fields without an owner: they are the identity of the object.
_IDENTITY = frozenset({(), ("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace")})


class Owner(msgspec.Struct, frozen=True):
    """A manager of fields. `operation` is Apply or Update, `subresource` is `status` or empty."""

    manager: str
    operation: str = "Apply"
    subresource: str = ""


Ownership = Mapping[Owner, frozenset[Path]]


class Conflict(msgspec.Struct, frozen=True):
    """A field that another manager owns with another value."""

    owner: Owner
    path: Path


# --- places -----------------------------------------------------------------------------------------------------------


def places(value: Any, schema: Schema) -> frozenset[Path]:
    """Every place that a value sets."""
    return frozenset(_places(value, schema, ())) - _IDENTITY


def _places(value: Any, schema: Schema, at: Path) -> Iterator[Path]:
    if isinstance(value, dict) and value and schema.get("x-kubernetes-map-type") != "atomic":
        for name, child in value.items():
            yield from _places(child, _field(schema, name), (*at, f"f:{name}"))
    elif isinstance(value, list) and value and _list_type(schema) == "map":
        items = schema.get("items") or {}
        for entry in value:
            here = (*at, _key(entry, schema))
            yield here
            yield from _places(entry, items, here)
    elif isinstance(value, list) and value and _list_type(schema) == "set":
        yield from ((*at, _value(entry)) for entry in value)
    else:
        yield at


def _field(schema: Schema, name: str) -> Schema:
    found = (schema.get("properties") or {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}


def _list_type(schema: Schema) -> str:
    return str(schema.get("x-kubernetes-list-type", "atomic"))


def _key(entry: Any, schema: Schema) -> str:
    properties = (schema.get("items") or {}).get("properties") or {}
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    found = {key: entry.get(key, (properties.get(key) or {}).get("default")) for key in keys}
    return "k:" + msgspec.json.encode(found, order="sorted").decode()


def _value(entry: Any) -> str:
    return "v:" + msgspec.json.encode(entry, order="sorted").decode()


def at_place(value: Any, path: Path, schema: Schema) -> Any:
    """The value at a place, or None."""
    for part in path:
        if part.startswith("f:"):
            value = value.get(part[2:]) if isinstance(value, dict) else None
            schema = _field(schema, part[2:])
        elif not isinstance(value, list):
            return None
        elif part.startswith("k:"):
            value = next((entry for entry in value if _key(entry, schema) == part), None)
            schema = schema.get("items") or {}
        else:
            value = next((entry for entry in value if _value(entry) == part), None)
        if value is None:
            return None
    return value


def readable(path: Path) -> str:
    """A place in the notation of error messages: `.spec.containers[name="web"].image`."""
    text = ""
    for part in path:
        if part.startswith("f:"):
            text += f".{part[2:]}"
        elif part.startswith("k:"):
            keys = msgspec.json.decode(part[2:])
            text += "[" + ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in keys.items()) + "]"
        else:
            text += f"[={part[2:]}]"
    return text


# --- the object -------------------------------------------------------------------------------------------------------


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """The object with the configuration merged into it."""
    if isinstance(live, dict) and isinstance(applied, dict) and schema.get("x-kubernetes-map-type") != "atomic":
        merged = {name: merge(live.get(name), value, _field(schema, name)) for name, value in applied.items()}
        return {**live, **merged}
    if isinstance(live, list) and isinstance(applied, list) and _list_type(schema) == "map":
        items = schema.get("items") or {}
        new = {_key(entry, schema): entry for entry in applied}
        kept = [merge(entry, new.pop(key), items) if (key := _key(entry, schema)) in new else entry for entry in live]
        return kept + list(new.values())
    if isinstance(live, list) and isinstance(applied, list) and _list_type(schema) == "set":
        return live + [entry for entry in applied if entry not in live]
    return applied


def remove(value: Any, gone: Iterable[Path], kept: frozenset[Path], schema: Schema) -> Any:
    """The value without these places. An entry of a list is removed only if no manager owns anything in it."""
    above = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    for path in sorted(gone, key=len):
        if path not in above:
            value = _removed(value, path, above, (), schema)
    return value


def _removed(value: Any, path: Path, above: set[Path], done: Path, schema: Schema) -> Any:
    head, *tail = path
    here = (*done, head)
    if isinstance(value, dict):
        name = head[2:]
        if name not in value:
            return value
        rest = {key: child for key, child in value.items() if key != name}
        if not tail:
            return rest
        child = _removed(value[name], tuple(tail), above, here, _field(schema, name))
        return rest if child in ({}, []) and here not in above else {**value, name: child}
    if isinstance(value, list):
        if not tail:
            return [entry for entry in value if not _is(entry, head, schema)]
        items = schema.get("items") or {}
        return [_removed(e, tuple(tail), above, here, items) if _is(e, head, schema) else e for e in value]
    return value


def _is(entry: Any, part: str, schema: Schema) -> bool:
    """Whether an entry of a list is the one that a part of a path identifies."""
    return part == (_key(entry, schema) if part.startswith("k:") else _value(entry))


class Applied(msgspec.Struct, frozen=True):
    """The result of an apply: the object and its owners, or the conflicts."""

    object: Any
    ownership: Ownership
    conflicts: tuple[Conflict, ...] = ()


def apply(
    live: Any, config: Any, ownership: Ownership, owner: Owner, schema: Schema, *, force: bool = False
) -> Applied:
    """Apply a configuration to an object."""
    mine = places(config, schema)
    others = {other: owned for other, owned in ownership.items() if other != owner}
    conflicts = tuple(
        Conflict(other, path)
        for other, owned in sorted(others.items(), key=lambda item: item[0].manager)
        for path in sorted(owned & mine)
        if not path[-1].startswith(("k:", "v:")) and at_place(live, path, schema) != at_place(config, path, schema)
    )
    if conflicts and not force:
        return Applied(live, ownership, conflicts)
    lost = {conflict.path for conflict in conflicts}
    others = {other: owned - lost for other, owned in others.items()}
    kept = frozenset().union(mine, *others.values())
    gone = ownership.get(owner, frozenset()) - kept
    result = remove(merge(live, config, schema), gone, kept, schema)
    return Applied(result, {name: owned for name, owned in {**others, owner: mine}.items() if owned})


def updated(old: Any, new: Any, ownership: Ownership, owner: Owner, schema: Schema) -> Ownership:
    """The owners after an ordinary write: the writer owns what it changed; removed fields have no owner."""
    before, after = places(old, schema), places(new, schema)
    changed = frozenset(
        path
        for path in after
        if path not in before or at_place(old, path, schema) != at_place(new, path, schema)
        if not (path in before and path[-1].startswith("k:"))
    )
    result = {other: (owned - changed if other != owner else owned) & after for other, owned in ownership.items()}
    result[owner] = result.get(owner, frozenset()) | changed
    return {name: owned for name, owned in result.items() if owned}


# --- managedFields ----------------------------------------------------------------------------------------------------


def read_managed(entries: Iterable[Mapping[str, Any]]) -> dict[Owner, frozenset[Path]]:
    """The owners in `metadata.managedFields`."""
    found: dict[Owner, frozenset[Path]] = {}
    for entry in entries:
        owner = Owner(entry.get("manager", ""), entry.get("operation", "Apply"), entry.get("subresource", ""))
        found[owner] = found.get(owner, frozenset()) | frozenset(_read_tree(entry.get("fieldsV1") or {}, ()))
    return found


def _read_tree(tree: Mapping[str, Any], at: Path) -> Iterator[Path]:
    for name, child in tree.items():
        if name == ".":
            yield at
        elif child:
            yield from _read_tree(child, (*at, name))
        else:
            yield (*at, name)


def write_managed(
    ownership: Ownership, before: Iterable[Mapping[str, Any]], api_version: str, now: str
) -> list[dict[str, Any]]:
    """`metadata.managedFields`. An unchanged entry keeps its time."""
    times = {(entry.get("manager"), entry.get("operation"), entry.get("subresource", "")): entry for entry in before}
    result = []
    for owner in sorted(ownership, key=lambda o: (o.operation, o.manager, o.subresource)):
        tree = _tree(ownership[owner])
        old = times.get((owner.manager, owner.operation, owner.subresource))
        same = old is not None and old.get("fieldsV1") == tree
        entry = {
            "manager": owner.manager,
            "operation": owner.operation,
            "apiVersion": api_version,
            "time": old["time"] if same and old is not None else now,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        result.append(entry | ({"subresource": owner.subresource} if owner.subresource else {}))
    return result


def _tree(paths: frozenset[Path]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in sorted(paths):
        place = root
        for part in path:
            place = place.setdefault(part, {})
    above = {path[:length] for path in paths for length in range(1, len(path))}
    for path in sorted(paths & above):
        place = root
        for part in path:
            place = place[part]
        place["."] = {}
    return root
