"""The patches that a Kubernetes API takes, on undecoded objects: JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386) and
strategic merge patch (merge by key, as the schema says). All are pure: nothing given is changed.

JSON Patch is Kubernetes', which is kinder than the RFC: a missing member of an object reads as null, so `test` with
null holds, `replace` adds and `copy` copies null.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import bounded, json_pointer

Schema = Mapping[str, Any]


#: The bounds of kube-apiserver for one JSON Patch: operations, and bytes that its `copy` operations add together.
MOST_OPERATIONS = 10_000
MOST_COPIED = 3 * 1024 * 1024


class PatchError(ValueError):
    """A patch that is malformed; one that `does_not_apply`: a path does not exist, or a test fails; or one that is
    `too_large`: it has too many operations, or they copy too much.
    """

    def __init__(self, message: str, *, does_not_apply: bool = False, too_large: bool = False) -> None:
        super().__init__(message)
        self.does_not_apply = does_not_apply
        self.too_large = too_large


# --- JSON Patch -------------------------------------------------------------------------------------------------------


def json_patch(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Apply the operations in order; all or none. Raises `PatchError`."""
    if not isinstance(operations, list | tuple):
        raise PatchError("a JSON patch is a list of operations")
    if len(operations) > MOST_OPERATIONS:
        message = f"a JSON patch has at most {MOST_OPERATIONS} operations, found {len(operations)}"
        raise PatchError(message, too_large=True)
    result, copied = _copied(document), 0
    for index, operation in enumerate(operations):
        if not isinstance(operation, Mapping):
            raise PatchError(f"operation {index} is no object")
        if operation.get("op") == "copy":
            copied += _copy_size(result, operation)
            if copied > MOST_COPIED:
                message = f"operation {index}: the copy operations copy more than {MOST_COPIED} bytes together"
                raise PatchError(message, too_large=True)
        result = _operate(result, operation, index)
    return result


def _copy_size(document: Any, operation: Mapping[str, Any]) -> int:
    """About how many bytes a `copy` adds. Raises `PatchError`, also for what is nested too deeply by copies."""
    source = str(operation.get("from", ""))
    value = _read(document, _pointer(source), source)
    try:
        bounded.check_levels(value)
    except bounded.BoundsError as error:
        raise PatchError(f"{source}: {error}") from None
    return bounded.size(value)


def _copied(value: Any) -> Any:
    """A deep copy of JSON values."""
    if isinstance(value, dict):
        return {name: _copied(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_copied(child) for child in value]
    return value


def _operate(document: Any, operation: Mapping[str, Any], index: int) -> Any:
    op, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise PatchError(f"operation {index} ({op}) has no path")
    where = _pointer(path)
    match op:
        case "add":
            return _add(document, where, _copied(_value(operation, index)), path)
        case "replace":
            return _replace(document, where, _copied(_value(operation, index)), path)
        case "remove":
            return _remove(document, where, path)
        case "test":
            found = _read(document, where, path)
            if not _same(found, _value(operation, index)):
                raise PatchError(f"testing value {path} failed", does_not_apply=True)
            return document
        case "copy" | "move":
            source = str(operation.get("from", ""))
            if op == "move" and path.startswith(source + "/"):
                raise PatchError(f"operation {index}: cannot move {source} into itself")
            read = _get if op == "move" else _read
            moved = read(document, _pointer(source), source)
            if op == "copy":
                return _add(document, where, _copied(moved), path)
            return _add(_remove(document, _pointer(source), source), where, moved, path)
    raise PatchError(f"operation {index}: unknown op {op!r}; add, remove, replace, move, copy and test exist")


def _value(operation: Mapping[str, Any], index: int) -> Any:
    if "value" not in operation:
        raise PatchError(f"operation {index} ({operation.get('op')}) has no value")
    return operation["value"]


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: numbers by value, but true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)


def _pointer(path: str) -> list[str]:
    try:
        return json_pointer.parts(path)
    except ValueError as error:
        raise PatchError(str(error)) from None


def _index(container: list[Any], part: str, path: str, *, end: bool) -> int:
    if part == "-" and end:
        return len(container)
    if not (part == "0" or (part.isdigit() and part[0] != "0")):
        raise PatchError(f"{path}: {part!r} is no list index", does_not_apply=True)
    position = int(part)
    if position > len(container) - (0 if end else 1):
        raise PatchError(f"{path}: index {position} is outside of a list of {len(container)}", does_not_apply=True)
    return position


def _get(document: Any, where: list[str], path: str) -> Any:
    for part in where:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(document, part, path, end=False)]
        else:
            raise PatchError(f"{path} does not exist", does_not_apply=True)
    return document


def _read(document: Any, where: list[str], path: str) -> Any:
    """The value at a path; null for a missing member of an object."""
    parent = _get(document, where[:-1], path) if where else None
    return parent.get(where[-1]) if isinstance(parent, dict) else _get(document, where, path)


def _add(document: Any, where: list[str], value: Any, path: str) -> Any:
    if not where:
        return value
    parent = _get(document, where[:-1], path)
    if isinstance(parent, dict):
        parent[where[-1]] = value
    elif isinstance(parent, list):
        parent.insert(_index(parent, where[-1], path, end=True), value)
    else:
        raise PatchError(f"{path}: its parent is neither object nor list", does_not_apply=True)
    return document


def _replace(document: Any, where: list[str], value: Any, path: str) -> Any:
    if not where:
        return value
    parent = _get(document, where[:-1], path)
    if isinstance(parent, dict):
        parent[where[-1]] = value
    elif not isinstance(parent, list):
        raise PatchError(f"{path}: its parent is neither object nor list", does_not_apply=True)
    else:
        parent[_index(parent, where[-1], path, end=False)] = value
    return document


def _remove(document: Any, where: list[str], path: str) -> Any:
    if not where:
        return None
    _get(document, where, path)
    parent = _get(document, where[:-1], path)
    if isinstance(parent, dict):
        del parent[where[-1]]
    else:
        del parent[_index(parent, where[-1], path, end=False)]
    return document


# --- JSON Merge Patch -------------------------------------------------------------------------------------------------


def merge_patch(document: Any, patch: Any) -> Any:
    """Objects are merged, `null` removes, everything else (lists too) replaces."""
    if not isinstance(patch, Mapping):
        return _copied(patch)
    result = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


# --- strategic merge patch --------------------------------------------------------------------------------------------

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_DELETE = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge_patch(document: Any, patch: Any, schema: Schema) -> Any:
    """Merge as the schema of a built-in kind says: lists with a merge key entry by entry, others whole.

    Honours `$patch: replace|delete|merge`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…`.
    """
    if not isinstance(patch, Mapping):
        raise PatchError("a strategic merge patch is an object")
    return _merge_objects(document if isinstance(document, Mapping) else {}, patch, schema)


def _merge_objects(document: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    match patch.get(_DIRECTIVE):
        case "replace":
            return _cleaned({key: value for key, value in patch.items() if key != _DIRECTIVE})
        case "delete":
            return {}
        case None | "merge":
            pass
        case other:
            raise PatchError(f"unknown $patch directive {other!r}; replace, delete and merge exist")
    result = dict(document)
    if _RETAIN in patch:
        keep = set(patch[_RETAIN])
        result = {key: value for key, value in result.items() if key in keep}
    for key, value in patch.items():
        if key.startswith(_DELETE):
            field, gone = key[len(_DELETE) :], value
            result[field] = [item for item in result.get(field) or [] if item not in gone]
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            result.pop(key, None)
            continue
        merged = _merge_value(result.get(key), value, _field(schema, key), patch.get(_ORDER + key))
        result[key] = merged
    for key, order in patch.items():
        if (
            key.startswith(_ORDER)
            and (field := key[len(_ORDER) :]) not in patch
            and isinstance(result.get(field), list)
        ):
            result[field] = _ordered(result[field], order, result[field], _merge_key(_field(schema, field)))
    return result


def _field(schema: Schema, key: str) -> Schema:
    found = (schema.get("properties") or {}).get(key)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, Mapping) else {}


def _merge_key(schema: Schema) -> str:
    return str(schema.get("x-kubernetes-patch-merge-key", ""))


def _strategies(schema: Schema) -> list[str]:
    return str(schema.get("x-kubernetes-patch-strategy", "")).split(",")


def _merge_value(old: Any, new: Any, schema: Schema, order: Any) -> Any:
    if isinstance(new, Mapping):
        if isinstance(old, Mapping) and "replace" not in _strategies(schema):
            return _merge_objects(old, new, schema)
        return _clean(_merge_objects({}, new, schema))
    if isinstance(new, list) and isinstance(old, list) and "merge" in _strategies(schema):
        key = _merge_key(schema)
        merged = _merge_lists(old, new, key, schema.get("items") or {}) if key else _merge_values(old, new)
        return (
            _ordered(merged, order, _order_after_deletions(old, new, key), key) if isinstance(order, list) else merged
        )
    return _clean(new)


def _merge_values(old: list[Any], new: list[Any]) -> list[Any]:
    """Plain values: each once."""
    merged = list(dict.fromkeys([*old, *new]))
    return _ordered(merged, new, old, "")


def _merge_lists(old: list[Any], new: list[Any], key: str, items: Schema) -> list[Any]:
    """Entries with the same key are merged, others added; entries with a `$patch` directive delete, or replace all."""
    plain = [entry for entry in new if _DIRECTIVE not in _entry(entry, key)]
    directives = [entry for entry in new if _DIRECTIVE in entry]
    if any(entry[_DIRECTIVE] == "replace" for entry in directives):
        return [_cleaned(entry) for entry in plain]
    gone = [_identified(entry, key) for entry in directives]
    kept = [entry for entry in old if not (isinstance(entry, Mapping) and entry.get(key) in gone)]
    merged = list(kept)
    for entry in plain:
        wanted = _identified(entry, key)
        at = next((i for i, e in enumerate(merged) if isinstance(e, Mapping) and e.get(key) == wanted), None)
        if at is None:
            merged.append(_cleaned(_merge_objects({}, entry, items)))
        else:
            merged[at] = _merge_objects(merged[at], entry, items)
    return _ordered(merged, plain, kept, key)


def _order_after_deletions(old: list[Any], new: list[Any], key: str) -> list[Any]:
    """The order that `$setElementOrder` compares with: the old list, as Kubernetes' own merge leaves it.

    Kubernetes deletes entries in place and appends new ones to the freed places of the same array (`mergeSlice` in
    `k8s.io/apimachinery/pkg/util/strategicpatch`), so after a `$patch: delete` the old list has other entries.
    """
    directives = [entry for entry in new if key and isinstance(entry, Mapping) and _DIRECTIVE in entry]
    if not directives or any(entry[_DIRECTIVE] == "replace" for entry in directives):
        return old
    array, length = list(old), len(old)
    gone = [_identified(entry, key) for entry in directives]
    for index in reversed(range(len(old))):
        if isinstance(old[index], Mapping) and old[index].get(key) in gone:
            array[index : length - 1] = array[index + 1 : length]
            length -= 1
    present = [entry.get(key) for entry in array[:length] if isinstance(entry, Mapping)]
    added = [entry for entry in new if entry not in directives and entry[key] not in present]
    for index, entry in enumerate(added[: len(old) - length], length):
        array[index] = entry
    return array


def _entry(entry: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise PatchError(f"an entry of a list merged by {key!r} must be an object")
    return entry


def _identified(entry: Mapping[str, Any], key: str) -> Any:
    if key not in entry:
        raise PatchError(f"map: {dict(entry)} does not contain declared merge key: {key}")
    return entry[key]


def _ordered(entries: list[Any], order: list[Any], before: list[Any], key: str) -> list[Any]:
    """Entries that the client names come in its order, the others in the order they had.

    Where both stood in the list before, they keep their places to each other; a new entry comes before what the client
    does not speak of.
    """

    def identity(entry: Any) -> Any:
        return entry.get(key) if key and isinstance(entry, Mapping) else entry

    wanted = [identity(entry) for entry in order]
    places = {identity(entry): place for place, entry in reversed(list(enumerate(before)))}
    mine = sorted((e for e in entries if identity(e) in wanted), key=lambda e: wanted.index(identity(e)))
    others = sorted(
        (e for e in entries if identity(e) not in wanted), key=lambda e: places.get(identity(e), len(before))
    )
    result: list[Any] = []
    while mine and others:
        left, right = places.get(identity(others[0])), places.get(identity(mine[0]))
        first = others if left is not None and right is not None and left < right else mine
        result.append(first.pop(0))
    return result + mine + others


def _cleaned(value: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _clean(v) for k, v in value.items() if not k.startswith("$") and v is not None}


def _clean(value: Any) -> Any:
    """A copy without directives and nulls, for what is new in the document."""
    if isinstance(value, Mapping):
        return _cleaned(value)
    if isinstance(value, list):
        entries = [e for e in value if not (isinstance(e, Mapping) and e.get(_DIRECTIVE) == "delete")]
        return [_clean(e) for e in entries if not (isinstance(e, Mapping) and e.keys() == {_DIRECTIVE})]
    return value
