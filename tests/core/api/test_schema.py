"""Structural schemas: defaults, unknown fields, validation."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.schema import default, prune, validate

BACKEND: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "weight": {"type": "integer", "format": "int32", "default": 1, "minimum": 0, "maximum": 100},
        "kind": {"type": "string", "default": "Service", "enum": ["Service", "Other"]},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 2},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "path": {
            "type": "object",
            "default": {"type": "Prefix"},
            "properties": {"type": {"type": "string"}, "value": {"type": "string", "default": "/"}},
        },
        "backends": {
            "type": "array",
            "maxItems": 3,
            "items": BACKEND,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "note": {"type": "string", "nullable": True},
    },
}


def said(value: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.reason) for problem in validate(SCHEMA, value)]


def test_a_default_is_filled_in_where_its_object_is_there() -> None:
    filled = default(SCHEMA, {"backends": [{"name": "a"}, {"name": "b", "weight": 0}]})
    assert [backend["weight"] for backend in filled["backends"]] == [1, 0]


def test_a_default_object_gets_the_defaults_inside_of_it() -> None:
    assert default(SCHEMA, {})["path"] == {"type": "Prefix", "value": "/"}


def test_a_null_gives_way_to_the_default() -> None:
    assert default(SCHEMA, {"backends": [{"name": "a", "weight": None}]})["backends"][0]["weight"] == 1


def test_a_null_stays_where_the_schema_takes_one() -> None:
    assert default(SCHEMA, {"note": None})["note"] is None


def test_defaults_do_not_change_what_was_given() -> None:
    given: dict[str, Any] = {"backends": [{"name": "a"}]}
    default(SCHEMA, given)
    assert given == {"backends": [{"name": "a"}]}


def test_an_unknown_field_goes_and_its_path_is_told() -> None:
    pruned, unknown = prune(SCHEMA, {"backends": [{"name": "a", "wieght": 3}], "typo": 1})
    assert pruned == {"backends": [{"name": "a"}]}
    assert unknown == ("backends[0].wieght", "typo")


def test_everything_stays_below_a_field_that_preserves_unknown_fields() -> None:
    value = {"backends": [{"name": "a", "free": {"x": {"y": 1}}}]}
    assert prune(SCHEMA, value) == (value, ())


def test_type_kind_and_metadata_of_an_object_are_always_known() -> None:
    value = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "a"}}
    assert prune(SCHEMA, value) == (value, ())


def test_what_fits_gives_no_problem() -> None:
    assert said({"backends": [{"name": "a", "port": "http", "labels": {"a": "b"}}, {"name": "b", "port": 80}]}) == []


@pytest.mark.parametrize(
    ("backend", "path", "reason"),
    [
        ({}, "backends[0].name", "FieldValueRequired"),
        ({"name": ""}, "backends[0].name", "FieldValueInvalid"),
        ({"name": "toolong"}, "backends[0].name", "FieldValueTooLong"),
        ({"name": 7}, "backends[0].name", "FieldValueTypeInvalid"),
        ({"name": "a", "weight": "1"}, "backends[0].weight", "FieldValueTypeInvalid"),
        ({"name": "a", "weight": True}, "backends[0].weight", "FieldValueTypeInvalid"),
        ({"name": "a", "weight": -1}, "backends[0].weight", "FieldValueInvalid"),
        ({"name": "a", "weight": 101}, "backends[0].weight", "FieldValueInvalid"),
        ({"name": "a", "kind": "Secret"}, "backends[0].kind", "FieldValueNotSupported"),
        ({"name": "a", "port": 1.5}, "backends[0].port", "FieldValueTypeInvalid"),
        ({"name": "a", "labels": {"x": 1}}, "backends[0].labels.x", "FieldValueTypeInvalid"),
        ({"name": "a", "labels": {"x": "", "y": "", "z": ""}}, "backends[0].labels", "FieldValueTooMany"),
    ],
)
def test_what_does_not_fit_is_told_with_its_path(backend: dict[str, Any], path: str, reason: str) -> None:
    assert said({"backends": [backend]}) == [(path, reason)]


def test_two_entries_with_the_same_key_are_a_duplicate() -> None:
    assert said({"backends": [{"name": "a"}, {"name": "a"}]}) == [("backends[1]", "FieldValueDuplicate")]


def test_two_equal_values_in_a_set_are_a_duplicate() -> None:
    assert said({"tags": ["a", "b", "a"]}) == [("tags[2]", "FieldValueDuplicate")]


def test_too_many_items_are_told() -> None:
    assert said({"backends": [{"name": name} for name in "abcd"]}) == [("backends", "FieldValueTooMany")]


def test_all_problems_are_told_at_once() -> None:
    assert len(said({"backends": [{"name": 1}, {"weight": "x"}], "tags": 3})) == 4


def test_a_pattern_is_re2_and_dollar_is_the_end_of_the_text() -> None:
    schema = {"type": "string", "pattern": "^a$"}
    assert validate(schema, "a") == []
    assert validate(schema, "a\n") != []


def test_an_alternative_must_fit_exactly_once() -> None:
    schema = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert validate(schema, {"a": 1}) == []
    assert validate(schema, {}) != []
    assert validate(schema, {"a": 1, "b": 1}) != []


@pytest.mark.parametrize(
    ("form", "fits", "fits_not"),
    [
        ("date-time", "2026-01-31T12:00:00Z", "yesterday"),
        ("byte", "YQ==", "a"),
        ("ipv4", "127.0.0.1", "::1"),
        ("ipv6", "::1", "127.0.0.1"),
    ],
)
def test_formats_are_checked(form: str, fits: str, fits_not: str) -> None:
    schema = {"type": "string", "format": form}
    assert validate(schema, fits) == []
    assert len(validate(schema, fits_not)) == 1


def test_what_is_as_it_was_is_not_judged_again() -> None:
    old = {"backends": [{"name": "toolong"}, {"name": "b"}]}
    new = {"backends": [{"name": "toolong"}, {"name": "b", "weight": -1}]}
    assert [problem.path for problem in validate(SCHEMA, new, old=old)] == ["backends[1].weight"]


@pytest.mark.parametrize("value", ["%", "é", "abc"])
def test_bytes_are_base64(value: str) -> None:
    problems = validate({"type": "string", "format": "byte"}, value)
    assert ["must be base64" in problem.message for problem in problems] == [True]
