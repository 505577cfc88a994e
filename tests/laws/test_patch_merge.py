"""Laws of JSON Patch and JSON Merge Patch."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.api.patch import PatchError, json_patch, merge_patch

NAMES = st.sampled_from(["a", "b", "c", "d/e", "f~g"])
SCALARS = st.one_of(st.integers(-3, 3), st.booleans(), st.text("xyz", max_size=2))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, DOCUMENTS, max_size=4)
PATCHES = st.dictionaries(NAMES, st.one_of(st.none(), DOCUMENTS), max_size=4)


def difference(old: Any, new: Any) -> Any:
    """The merge patch that turns one object into another; `new` holds no nulls."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone = dict.fromkeys(old.keys() - new.keys())
    return gone | {k: difference(old.get(k), v) for k, v in new.items() if k not in old or not same(old[k], v)}


def same(left: Any, right: Any) -> bool:
    """Equal and of equal types: true is not 1."""
    return repr(left) == repr(right)


def pointers(document: Any, path: str = "") -> list[str]:
    """Every place in a document."""
    children = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    found = [path]
    for name, child in children:
        found += pointers(child, f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}")
    return found


@given(OBJECTS, OBJECTS)
def test_the_difference_of_two_objects_turns_one_into_the_other(old: Any, new: Any) -> None:
    assert merge_patch(old, difference(old, new)) == new


@given(OBJECTS, PATCHES)
def test_a_merge_patch_applied_twice_is_applied_once(document: Any, patch: Any) -> None:
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS, PATCHES)
def test_a_merge_patch_changes_nothing_that_it_was_given(document: Any, patch: Any) -> None:
    before = copy.deepcopy((document, patch))
    merge_patch(document, patch)
    assert (document, patch) == before


@given(OBJECTS, PATCHES)
def test_names_that_a_merge_patch_does_not_speak_of_stay(document: Any, patch: Any) -> None:
    merged = merge_patch(document, patch)
    untouched = document.keys() - patch.keys()
    assert {k: merged[k] for k in untouched} == {k: document[k] for k in untouched}


@given(OBJECTS, DOCUMENTS, st.data())
def test_what_was_replaced_and_put_back_is_the_document_again(document: Any, value: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(pointers(document)))
    saved = json_patch(document, [{"op": "copy", "from": path, "path": "/kept"}]) if path else None
    changed = json_patch(document, [{"op": "replace", "path": path, "value": value}])
    if saved is not None:
        assert json_patch(changed, [{"op": "replace", "path": path, "value": saved["kept"]}]) == document
    else:
        assert changed == value


@given(OBJECTS, st.data())
def test_a_test_of_what_is_there_holds(document: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(pointers(document)[1:] or [""]))
    value = json_patch({"d": document}, [{"op": "copy", "from": f"/d{path}", "path": "/v"}])["v"]
    assert json_patch(document, [{"op": "test", "path": path, "value": value}]) == document


@given(OBJECTS, DOCUMENTS, st.data())
def test_what_was_added_to_a_list_and_removed_leaves_no_trace(document: Any, value: Any, data: st.DataObject) -> None:
    whole = {"list": [document, 1, 2]}
    place = data.draw(st.integers(0, 3))
    operations = [{"op": "add", "path": f"/list/{place}", "value": value}, {"op": "remove", "path": f"/list/{place}"}]
    assert json_patch(whole, operations) == whole


@given(OBJECTS, st.lists(st.sampled_from(["/a", "/b", "/c/0", "/d~1e/a"]), min_size=1, max_size=4), DOCUMENTS)
def test_a_patch_applies_whole_or_not_at_all(document: Any, paths: list[str], value: Any) -> None:
    before = copy.deepcopy(document)
    operations: list[dict[str, Any]] = [{"op": "replace", "path": path, "value": value} for path in paths]
    with contextlib.suppress(PatchError):
        json_patch(document, operations)
    assert document == before
