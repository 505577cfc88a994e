"""Conditions as values, and their messages."""

from __future__ import annotations

from headgate.api.meta import Condition
from headgate.conditions import Invalid, first_problem, joined_messages, new_condition, stamp
from headgate.conditions import http_route as route
from headgate.conditions.build import envoy_message


def test_a_condition_has_no_time_and_no_generation_until_it_is_stamped() -> None:
    condition = route.accepted()
    assert (condition.last_transition_time, condition.observed_generation) == ("", 0)
    assert [each.observed_generation for each in stamp([condition], 7)] == [7]


def test_equal_results_are_equal_values() -> None:
    assert route.rejected_by_envoy("no") == route.rejected_by_envoy("no")


def test_unknown_is_neither_true_nor_false() -> None:
    assert new_condition("Accepted", None, "Pending", "").status == "Unknown"


def test_a_message_is_never_longer_than_the_api_allows() -> None:
    assert len(new_condition("Accepted", False, "UnsupportedValue", "x" * 50_000).message) == 32_768


def test_all_problems_of_a_condition_are_joined_once_each_with_their_paths() -> None:
    problems = [
        Invalid("Accepted", "UnsupportedValue", "a", "one").problem,
        Invalid("ResolvedRefs", "BackendNotFound", "b", "two").problem,
        Invalid("Accepted", "IncompatibleFilters", "c", "three").problem,
        Invalid("Accepted", "UnsupportedValue", "a", "one").problem,
    ]
    assert joined_messages(problems, "Accepted") == "a: one; c: three"
    assert first_problem(problems, "Accepted") == problems[0]
    assert first_problem(problems, "Programmed") is None


def test_an_invalid_has_the_field_and_the_remedy() -> None:
    error = route.invalid_value("spec.hostnames[0]", "foo.*", "use a hostname like shop.example.com")
    assert str(error) == "spec.hostnames[0]: 'foo.*' is invalid; use a hostname like shop.example.com"


def test_the_error_of_envoy_is_reported_without_the_dump_of_the_resource() -> None:
    dump = (
        'goo.gle/debugonly \nname: "http-80"\nvirtual_hosts {\n}\n: Proto constraint validation failed (X.Y: too short)'
    )
    assert envoy_message(dump) == "Proto constraint validation failed (X.Y: too short)"
    assert envoy_message("duplicate address") == "duplicate address"
    assert isinstance(route.rejected_by_envoy(dump), Condition)
