"""Server-side apply: who owns which field."""

from __future__ import annotations

from typing import Any

from headgate.api.apply import Owner, apply, at_place, merge, places, read_managed, readable, updated, write_managed

SCHEMA: dict[str, Any] = {
    "properties": {
        "labels": {"additionalProperties": {"type": "string"}},
        "replicas": {"type": "integer"},
        "tags": {"x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "args": {"type": "array", "items": {"type": "string"}},
        "selector": {"x-kubernetes-map-type": "atomic", "properties": {"a": {}}},
        "ports": {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port", "protocol"],
            "items": {"properties": {"port": {}, "protocol": {"default": "TCP"}, "name": {}}},
        },
    }
}
ONE, TWO = Owner("one"), Owner("two")


def applied(live: Any, config: Any, owner: Owner, ownership: Any = None, force: bool = False) -> Any:
    return apply(live, config, ownership or {}, owner, SCHEMA, force=force)


def test_a_manager_owns_what_it_applied() -> None:
    result = applied({}, {"labels": {"a": "b"}, "ports": [{"port": 80}], "args": ["x"]}, ONE)
    assert {readable(path) for path in result.ownership[ONE]} == {
        ".labels.a",
        '.ports[port=80,protocol="TCP"]',
        '.ports[port=80,protocol="TCP"].port',
        ".args",
    }


def test_a_field_that_is_left_out_next_time_goes() -> None:
    first = applied({}, {"labels": {"a": "1", "b": "2"}, "replicas": 3}, ONE)
    second = applied(first.object, {"labels": {"a": "1"}}, ONE, first.ownership)
    assert second.object == {"labels": {"a": "1"}}


def test_a_field_that_another_manager_owns_too_stays() -> None:
    first = applied({}, {"replicas": 3}, ONE)
    second = applied(first.object, {"replicas": 3}, TWO, first.ownership)
    third = applied(second.object, {}, ONE, second.ownership)
    assert third.object == {"replicas": 3}
    assert ONE not in third.ownership


def test_another_value_of_a_field_of_another_manager_is_a_conflict() -> None:
    first = applied({}, {"replicas": 3}, ONE)
    second = applied(first.object, {"replicas": 4}, TWO, first.ownership)
    assert [(conflict.owner, readable(conflict.path)) for conflict in second.conflicts] == [(ONE, ".replicas")]
    assert second.object == {"replicas": 3}


def test_a_forced_apply_takes_the_field() -> None:
    first = applied({}, {"replicas": 3, "args": ["x"]}, ONE)
    second = applied(first.object, {"replicas": 4}, TWO, first.ownership, force=True)
    assert second.object == {"replicas": 4, "args": ["x"]}
    assert second.ownership[ONE] == {("f:args",)}


def test_entries_of_a_list_with_keys_belong_to_those_who_applied_them() -> None:
    first = applied({}, {"ports": [{"port": 80, "name": "http"}]}, ONE)
    second = applied(first.object, {"ports": [{"port": 443}]}, TWO, first.ownership)
    assert [port["port"] for port in second.object["ports"]] == [80, 443]
    third = applied(second.object, {"ports": []}, ONE, second.ownership)
    assert third.object["ports"] == [{"port": 443}]


def test_values_of_a_set_belong_to_those_who_applied_them() -> None:
    first = applied({}, {"tags": ["a", "b"]}, ONE)
    second = applied(first.object, {"tags": ["b", "c"]}, TWO, first.ownership)
    third = applied(second.object, {}, ONE, second.ownership)
    assert third.object["tags"] == ["b", "c"]


def test_an_atomic_list_is_replaced() -> None:
    assert merge({"args": ["x", "y"]}, {"args": ["z"]}, SCHEMA) == {"args": ["z"]}


def test_an_atomic_object_is_owned_as_a_whole() -> None:
    assert places({"selector": {"a": 1}}, SCHEMA) == {("f:selector",)}


def test_a_writer_owns_what_it_changed() -> None:
    first = applied({}, {"replicas": 3, "args": ["x"]}, ONE)
    writer = Owner("kubectl-edit", "Update")
    ownership = updated(first.object, {"replicas": 5, "args": ["x"]}, first.ownership, writer, SCHEMA)
    assert ownership == {ONE: {("f:args",)}, writer: {("f:replicas",)}}


def test_nobody_owns_what_is_gone() -> None:
    first = applied({}, {"replicas": 3, "args": ["x"]}, ONE)
    ownership = updated(first.object, {"args": ["x"]}, first.ownership, Owner("w", "Update"), SCHEMA)
    assert ownership == {ONE: {("f:args",)}}


def test_managed_fields_read_back_the_same() -> None:
    result = applied({}, {"labels": {"a": "b"}, "ports": [{"port": 80}], "tags": ["t"]}, ONE)
    entries = write_managed(result.ownership, (), "v1", "2026-01-01T00:00:00Z")
    assert read_managed(entries) == result.ownership
    assert entries[0]["fieldsV1"]["f:ports"]['k:{"port":80,"protocol":"TCP"}'] == {".": {}, "f:port": {}}


def test_an_entry_that_says_the_same_keeps_its_time() -> None:
    result = applied({}, {"replicas": 3}, ONE)
    before = write_managed(result.ownership, (), "v1", "2026-01-01T00:00:00Z")
    after = write_managed(result.ownership, before, "v1", "2026-02-02T00:00:00Z")
    assert after == before


def test_an_apply_is_repeated_without_a_trace() -> None:
    config = {"labels": {"a": "b"}, "ports": [{"port": 80}], "tags": ["t"]}
    first = applied({"replicas": 1}, config, ONE)
    assert applied(first.object, config, ONE, first.ownership) == first


def test_a_place_is_found_by_its_keys() -> None:
    assert (
        at_place(
            {"ports": [{"port": 80, "name": "x"}]}, ("f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name"), SCHEMA
        )
        == "x"
    )
