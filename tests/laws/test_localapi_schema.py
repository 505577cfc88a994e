"""Laws of defaults and of unknown fields."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.api import crd, gateway
from headgate.api.codec import kind_of
from headgate.api.schema import default, prune, validate

SCHEMA = crd.schema(kind_of(gateway.HTTPRoute))


def fitting(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of about the right shape: right types most of the time, unknown fields now and then."""
    match schema.get("type"):
        case "object" if "properties" in schema and depth < 7:
            fields = {name: fitting(child, depth + 1) for name, child in schema["properties"].items()}
            return st.fixed_dictionaries({}, optional={**fields, "unknown": st.integers()})
        case "array" if depth < 7:
            return st.lists(fitting(schema["items"], depth + 1), max_size=2)
        case "string":
            return st.sampled_from([*schema.get("enum", []), "a", "/", ""])
        case "integer":
            return st.one_of(st.none(), st.integers(-1, 70000))
    return st.one_of(st.none(), st.booleans(), st.just({}))


ROUTES = st.fixed_dictionaries({"spec": fitting(SCHEMA["properties"]["spec"])})


@given(ROUTES)
def test_defaults_filled_in_twice_are_filled_in_once(route: Any) -> None:
    once = default(SCHEMA, route)
    assert default(SCHEMA, once) == once


@given(ROUTES)
def test_what_is_pruned_has_nothing_more_to_prune(route: Any) -> None:
    once, _ = prune(SCHEMA, route)
    assert prune(SCHEMA, once) == (once, ())


@given(ROUTES)
def test_defaults_are_known_fields(route: Any) -> None:
    pruned, _ = prune(SCHEMA, route)
    filled = default(SCHEMA, pruned)
    assert prune(SCHEMA, filled) == (filled, ())


@given(ROUTES)
def test_defaults_make_no_new_problem(route: Any) -> None:
    pruned, _ = prune(SCHEMA, route)
    filled = {problem.path for problem in validate(SCHEMA, default(SCHEMA, pruned))}
    assert filled <= {problem.path for problem in validate(SCHEMA, pruned)}


@given(ROUTES)
def test_an_object_is_never_refused_for_what_it_was(route: Any) -> None:
    assert validate(SCHEMA, route, old=route) == []
