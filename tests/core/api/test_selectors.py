"""Label selectors and field selectors."""

from __future__ import annotations

import pytest

from headgate.api.meta import LabelSelector, LabelSelectorRequirement
from headgate.api.selectors import SelectorError, from_selector, parse_fields, parse_labels, selector_text

LABELS = {"app": "web", "tier": "front", "size": "10"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("app=web", True),
        ("app == web", True),
        ("app!=web", False),
        ("other!=web", True),
        ("app in (web, api)", True),
        ("app notin (web,api)", False),
        ("other notin (web)", True),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("!app", False),
        ("app=web,tier in (front),!other", True),
        ("size>5", True),
        ("size<5", False),
        ("app>5", False),
        ("app=", False),
        ("other in ()", False),
    ],
)
def test_a_selector_matches_labels(text: str, holds: bool) -> None:
    assert parse_labels(text).matches(LABELS) is holds


@pytest.mark.parametrize("text", ["app=web=x", "app in web", "=x", "a b", "-a=b", "a=b c", "a>x", "app in (a", "a,,b"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        parse_labels(text)


def test_a_field_selector_knows_equal_and_not_equal() -> None:
    selector = parse_fields("metadata.name=a,status.phase!=Failed")
    assert selector.matches({"metadata.name": "a", "status.phase": "Running"})
    assert not selector.matches({"metadata.name": "a", "status.phase": "Failed"})


def test_a_comma_in_the_value_of_a_field_is_escaped() -> None:
    assert parse_fields(r"metadata.name=a\,b").matches({"metadata.name": "a,b"})


def test_the_one_value_that_a_field_must_have_can_be_asked_for() -> None:
    assert parse_fields("metadata.name=a").exact("metadata.name") == "a"


def test_the_selector_of_an_object_matches_by_labels_and_expressions() -> None:
    selector = from_selector(
        LabelSelector(
            match_labels={"app": "web"},
            match_expressions=(LabelSelectorRequirement(key="tier", operator="In", values=("front", "back")),),
        )
    )
    assert selector.matches(LABELS)
    assert not selector.matches({"app": "web", "tier": "db"})


def test_an_empty_selector_of_an_object_matches_everything() -> None:
    assert from_selector(LabelSelector()).matches({})


def test_the_text_of_a_selector_reads_back_the_same() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front"]},
            {"key": "gone", "operator": "DoesNotExist"},
            {"key": "size", "operator": "Exists"},
        ],
    }
    text = selector_text(selector)
    assert text == "app=web,tier in (front),!gone,size"
    assert parse_labels(text).matches(LABELS)
