"""The three patches of a Kubernetes API."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.patch import PatchError, json_patch, merge_patch, strategic_merge_patch

CONTAINERS: dict[str, Any] = {
    "properties": {
        "containers": {
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "name",
            "items": {
                "properties": {
                    "env": {
                        "x-kubernetes-patch-strategy": "merge",
                        "x-kubernetes-patch-merge-key": "name",
                        "items": {"properties": {}},
                    },
                    "args": {},
                }
            },
        },
        "finalizers": {"x-kubernetes-patch-strategy": "merge"},
        "strategy": {"x-kubernetes-patch-strategy": "retainKeys", "properties": {}},
        "replaced": {"x-kubernetes-patch-strategy": "replace"},
    }
}
POD = {
    "containers": [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "b:1"}]
}


# --- JSON Patch


def test_operations_apply_in_order() -> None:
    document = {"a": {"b": [1, 2]}}
    operations: list[dict[str, Any]] = [
        {"op": "add", "path": "/a/b/-", "value": 3},
        {"op": "replace", "path": "/a/b/0", "value": 0},
        {"op": "remove", "path": "/a/b/1"},
        {"op": "copy", "from": "/a/b", "path": "/c"},
        {"op": "move", "from": "/c", "path": "/d"},
        {"op": "test", "path": "/d", "value": [0, 3]},
    ]
    assert json_patch(document, operations) == {"a": {"b": [0, 3]}, "d": [0, 3]}


def test_a_slash_and_a_tilde_in_a_name_are_escaped() -> None:
    assert json_patch({"a/b": {"c~d": 1}}, [{"op": "replace", "path": "/a~1b/c~0d", "value": 2}]) == {"a/b": {"c~d": 2}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/missing/child", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "add", "path": "/missing/child", "value": 1},
        {"op": "add", "path": "/list/3", "value": 1},
        {"op": "replace", "path": "/list/2", "value": 1},
        {"op": "replace", "path": "/list/01", "value": 1},
        {"op": "test", "path": "/list/0", "value": 2},
        {"op": "test", "path": "/yes", "value": 1},
    ],
)
def test_an_operation_that_finds_no_place_does_not_apply(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError) as caught:
        json_patch({"list": [1, 2], "yes": True}, [operation])
    assert caught.value.does_not_apply


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "replace", "path": "/missing", "value": 1}, {"a": 1, "missing": 1}),
        ({"op": "test", "path": "/missing", "value": None}, {"a": 1}),
        ({"op": "copy", "from": "/missing", "path": "/b"}, {"a": 1, "b": None}),
    ],
)
def test_a_missing_member_reads_as_null_as_in_kubernetes(operation: dict[str, Any], result: dict[str, Any]) -> None:
    assert json_patch({"a": 1}, [operation]) == result


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "add"},
        [1],
        [{"op": "frobnicate", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/a"}],
    ],
)
def test_a_malformed_patch_is_no_patch(operations: Any) -> None:
    with pytest.raises(PatchError) as caught:
        json_patch({}, operations)
    assert not caught.value.does_not_apply


def test_a_patch_that_fails_leaves_the_document_alone() -> None:
    document = {"a": [1]}
    with pytest.raises(PatchError):
        json_patch(document, [{"op": "add", "path": "/a/-", "value": 2}, {"op": "remove", "path": "/b"}])
    assert document == {"a": [1]}


# --- merge patch


def test_objects_are_merged_nulls_remove_lists_are_replaced() -> None:
    document = {"a": {"b": 1, "c": 2}, "l": [1, 2], "x": 1}
    assert merge_patch(document, {"a": {"b": None, "d": 3}, "l": [3], "x": None}) == {"a": {"c": 2, "d": 3}, "l": [3]}


def test_nulls_of_a_new_object_do_not_appear() -> None:
    assert merge_patch({}, {"a": {"b": None, "c": 1}}) == {"a": {"c": 1}}


# --- strategic merge patch


def test_entries_with_the_same_key_are_merged() -> None:
    merged = strategic_merge_patch(POD, {"containers": [{"name": "a", "image": "a:2"}]}, CONTAINERS)
    assert merged["containers"][0] == {"name": "a", "image": "a:2", "env": [{"name": "X", "value": "1"}]}
    assert merged["containers"][1] == {"name": "b", "image": "b:1"}


def test_an_entry_with_a_new_key_comes_before_those_that_the_patch_does_not_speak_of() -> None:
    merged = strategic_merge_patch(POD, {"containers": [{"name": "c", "image": "c:1"}]}, CONTAINERS)
    assert [container["name"] for container in merged["containers"]] == ["c", "a", "b"]


def test_an_entry_can_be_deleted_by_its_key() -> None:
    merged = strategic_merge_patch(POD, {"containers": [{"name": "a", "$patch": "delete"}]}, CONTAINERS)
    assert [container["name"] for container in merged["containers"]] == ["b"]


def test_a_list_can_be_replaced_as_a_whole() -> None:
    patch = {"containers": [{"name": "z"}, {"$patch": "replace"}]}
    assert strategic_merge_patch(POD, patch, CONTAINERS)["containers"] == [{"name": "z"}]


def test_an_entry_without_its_key_is_refused() -> None:
    with pytest.raises(PatchError, match="merge key: name"):
        strategic_merge_patch(POD, {"containers": [{"image": "x"}]}, CONTAINERS)


def test_lists_within_entries_are_merged_too() -> None:
    patch = {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}
    assert len(strategic_merge_patch(POD, patch, CONTAINERS)["containers"][0]["env"]) == 2


def test_the_order_that_is_told_is_kept() -> None:
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    merged = strategic_merge_patch(POD, patch, CONTAINERS)
    assert [container["name"] for container in merged["containers"]] == ["b", "a"]


def test_a_list_without_a_strategy_is_replaced() -> None:
    document = {"containers": [{"name": "a", "args": ["x", "y"]}]}
    patch = {"containers": [{"name": "a", "args": ["z"]}]}
    assert strategic_merge_patch(document, patch, CONTAINERS)["containers"][0]["args"] == ["z"]


def test_plain_values_of_a_merged_list_are_added_once() -> None:
    merged = strategic_merge_patch({"finalizers": ["a", "b"]}, {"finalizers": ["b", "c"]}, CONTAINERS)
    assert merged["finalizers"] == ["a", "b", "c"]


def test_plain_values_can_be_deleted() -> None:
    patch = {"$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic_merge_patch({"finalizers": ["a", "b"]}, patch, CONTAINERS) == {"finalizers": ["b"]}


def test_only_the_keys_to_retain_are_left() -> None:
    document = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_merge_patch(document, patch, CONTAINERS) == {"strategy": {"type": "Recreate"}}


def test_an_object_can_be_replaced_as_a_whole() -> None:
    patch = {"strategy": {"$patch": "replace", "type": "Recreate"}}
    document = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}}
    assert strategic_merge_patch(document, patch, CONTAINERS) == {"strategy": {"type": "Recreate"}}


def test_null_removes_a_field() -> None:
    assert strategic_merge_patch({"strategy": {}, "x": 1}, {"x": None}, CONTAINERS) == {"strategy": {}}


def test_directives_never_reach_the_document() -> None:
    patch = {"containers": [{"name": "c", "env": [{"name": "X", "$patch": "delete"}], "$setElementOrder/env": []}]}
    assert strategic_merge_patch({}, patch, CONTAINERS) == {"containers": [{"name": "c", "env": []}]}


def test_copies_that_double_are_bounded() -> None:
    copies = [{"op": "copy", "from": "/a", "path": f"/a/k{n}"} for n in range(27)]
    with pytest.raises(PatchError, match="copy more than 3145728 bytes") as raised:
        json_patch({"a": {"x": "y" * 50}}, copies)
    assert raised.value.too_large


def test_copies_into_themselves_do_not_nest_without_end() -> None:
    copies = [{"op": "copy", "from": "/a", "path": "/a" + "/x" * n} for n in range(1, 200)]
    with pytest.raises(PatchError):
        json_patch({"a": {}}, copies)


def test_operations_are_bounded() -> None:
    operations: list[dict[str, Any]] = [{"op": "test", "path": "/a", "value": None}] * 10_001
    with pytest.raises(PatchError, match="at most 10000 operations, found 10001") as raised:
        json_patch({}, operations)
    assert raised.value.too_large


def test_a_moved_value_is_where_it_went_and_nowhere_else() -> None:
    operations: list[dict[str, Any]] = [
        {"op": "move", "from": "/a", "path": "/b"},
        {"op": "copy", "from": "/b", "path": "/c"},
        {"op": "add", "path": "/b/x", "value": 1},
    ]
    document = {"a": {"y": 2}}
    assert json_patch(document, operations) == {"b": {"y": 2, "x": 1}, "c": {"y": 2}}
    assert document == {"a": {"y": 2}}
