"""Splits of a route: the smallest patch, which leaves the shares of other backends alone."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from headgate.api.patch import PatchError, json_patch
from headgate.rollout import route_status, routes
from headgate.rollout.names import Names
from headgate.rollout.pairs import weight_of
from headgate.rollout.problem import NotAcceptedError
from headgate.rollout.split import Split

NAMES = Names("test", "podinfo", "podinfo-primary", "podinfo", "podinfo-primary", "podinfo-canary")
Plain = dict[str, Any]


def ref(name: str, weight: int | None = None, **more: Any) -> Plain:
    return {"name": name, "port": 80, **({} if weight is None else {"weight": weight}), **more}


def route(*rules: list[Plain]) -> Plain:
    metadata = {"name": "podinfo", "namespace": "test", "generation": 3}
    return {"metadata": metadata, "spec": {"rules": [{"backendRefs": refs} for refs in rules]}}


def patched(before: Plain, weight: int) -> list[list[int]]:
    patch = routes.express(before, NAMES, Split.percent(weight))
    after = json_patch(before, patch.operations) if patch else before
    return [[weight_of(each) for each in rule["backendRefs"]] for rule in after["spec"]["rules"]]


def test_only_the_rules_with_both_backends_are_changed() -> None:
    before = route(
        [ref("podinfo-primary", 100), ref("podinfo-canary", 0)],
        [ref("podinfo-canary", 1)],
        [ref("other", 5)],
        [ref("podinfo-canary", 0), ref("podinfo-primary", 100)],
    )
    assert patched(before, 30) == [[70, 30], [1], [5], [30, 70]]


def test_a_missing_weight_is_one() -> None:
    assert patched(route([ref("podinfo-primary"), ref("podinfo-canary", 0)]), 10) == [[90, 10]]


def test_proportions_that_are_right_already_are_left_alone() -> None:
    assert (
        routes.express(route([ref("podinfo-primary", 900), ref("podinfo-canary", 100)]), NAMES, Split.percent(10))
        is None
    )


def test_a_backend_of_the_same_name_elsewhere_is_another_one() -> None:
    before = route(
        [ref("podinfo-primary", 100), ref("podinfo-canary", 0, namespace="other")],
        [ref("podinfo-primary", 100), ref("podinfo-canary", 0, kind="ServiceImport", group="multicluster.x-k8s.io")],
    )
    assert routes.express(before, NAMES, Split.percent(50)) is None


def test_a_reordered_rule_makes_the_edit_fail_instead_of_misleading_traffic() -> None:
    patch = routes.express(route([ref("podinfo-primary", 100), ref("podinfo-canary", 0)]), NAMES, Split.percent(10))
    assert patch is not None
    reordered = route([ref("podinfo-canary", 0), ref("podinfo-primary", 100)])
    with pytest.raises(PatchError, match="testing value"):
        json_patch(reordered, patch.operations)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 100))
def test_other_backends_of_a_rule_keep_their_share(primary: int, canary: int, other: int, weight: int) -> None:
    before = route([ref("podinfo-primary", primary), ref("other", other), ref("podinfo-canary", canary)])
    ((after_primary, after_other, after_canary),) = patched(before, weight)
    assert after_other == other
    assert after_primary + after_canary == primary + canary
    assert after_canary * 100 <= weight * (primary + canary)


@given(st.integers(0, 100), st.integers(0, 100))
def test_setting_weights_twice_is_setting_them_once(first: int, second: int) -> None:
    before = route([ref("podinfo-primary", 100 - first), ref("podinfo-canary", first)])
    patch = routes.express(before, NAMES, Split.percent(second))
    after = json_patch(before, patch.operations) if patch else before
    assert routes.express(after, NAMES, Split.percent(second)) is None


def parent(status: str = "True", observed: int = 3, **more: Any) -> Plain:
    condition = {"type": "Accepted", "status": status, "observedGeneration": observed}
    return {"parentRef": {"name": "gateway", **more}, "conditions": [condition]}


@pytest.mark.parametrize(
    ("parents", "settled"),
    [
        ([], True),
        ([parent()], True),
        ([parent(observed=2)], False),
        ([parent("False")], False),
        ([parent("False", sectionName="http")], True),
        ([parent(group="gateway.networking.k8s.io", kind="Gateway")], True),
    ],
)
def test_a_route_is_settled_when_no_parent_of_it_says_otherwise(parents: list[Plain], settled: bool) -> None:
    body = route([ref("podinfo-primary", 100)])
    body["spec"]["parentRefs"] = [{"name": "gateway"}]
    body["status"] = {"parents": parents}
    assert (route_status.not_accepted(body) is None) is settled


# ── shares, mirrors and canary rules ─────────────────────────────────────────

PAIR = [ref("podinfo-primary", 100), ref("podinfo-canary", 0)]


def expressed(before: Plain, split: Split) -> Plain:
    patch = routes.express(before, NAMES, split)
    after: Plain = json_patch(before, patch.operations) if patch else before
    assert routes.express(after, NAMES, split) is None, "not at rest after one patch"
    return after


def test_a_share_below_one_percent_has_another_denominator() -> None:
    (rule,) = expressed(route(PAIR), Split(Fraction(1, 200)))["spec"]["rules"]
    assert [weight_of(each) for each in rule["backendRefs"]] == [199, 1]


def test_a_mirror_is_a_filter_beside_the_users_and_goes_again() -> None:
    before = route(PAIR)
    own = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "shadow", "port": 80}}}
    before["spec"]["rules"][0]["filters"] = [own]
    mirrored = expressed(before, Split(mirror=True))
    ours = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "podinfo-canary", "port": 80}}}
    assert mirrored["spec"]["rules"][0]["filters"] == [own, ours]
    assert expressed(mirrored, Split())["spec"]["rules"][0]["filters"] == [own]


def test_a_mirror_that_was_the_only_filter_leaves_none() -> None:
    mirrored = expressed(route(PAIR), Split(mirror=True))
    assert "filters" not in expressed(mirrored, Split())["spec"]["rules"][0]


CONDITIONS = st.lists(
    st.sampled_from(["a", "b"]).map(lambda value: {"headers": [{"name": "x", "type": "Exact", "value": value}]}),
    max_size=2,
    unique_by=str,
).map(tuple)
SPLITS = st.builds(Split, st.integers(0, 100).map(lambda weight: Fraction(weight, 100)), CONDITIONS, st.booleans())
OTHER_RULES = st.lists(st.sampled_from([[ref("other", 5)], PAIR, [ref("podinfo-canary", 1)]]), max_size=3)


@given(OTHER_RULES, OTHER_RULES, st.lists(SPLITS, min_size=1, max_size=4))
def test_any_split_after_any_other_is_reached_in_one_patch_and_leaves_other_rules_alone(
    front: list[list[Plain]], behind: list[list[Plain]], splits: list[Split]
) -> None:
    before = copy.deepcopy(route(*front, PAIR, *behind))
    after = before
    for split in splits:
        after = expressed(after, split)
    last = splits[-1]
    ours = routes.split_rules(after, NAMES)
    for rule in ours:
        assert rule.pair.has_share(last.unmatched)
        assert (rule.canary_rule is not None) == bool(last.matches)
        assert rule.canary_rule is None or rule.canary_rule.has_share(last.canary)
    taken = {pair.rule for rule in ours for pair in (rule.pair, rule.canary_rule) if pair is not None}
    rest = [each for number, each in enumerate(after["spec"]["rules"]) if number not in taken]
    assert rest == [each for each in before["spec"]["rules"] if each["backendRefs"] != PAIR]
    assert expressed(after, Split())["spec"] == before["spec"]


def test_a_rule_that_was_moved_makes_the_edit_fail_instead_of_misleading_traffic() -> None:
    split = Split(Fraction(1), ({"headers": [{"name": "x", "type": "Exact", "value": "a"}]},))
    tested = expressed(route([ref("other", 5)], PAIR), split)
    patch = routes.express(tested, NAMES, Split())
    assert patch is not None
    moved = copy.deepcopy(tested)
    moved["spec"]["rules"].append(moved["spec"]["rules"].pop(0))
    with pytest.raises(PatchError):
        json_patch(moved, patch.operations)


def test_matches_that_are_too_many_are_refused() -> None:
    before = route(PAIR)
    before["spec"]["rules"][0]["matches"] = [{"path": {"type": "Exact", "value": f"/{n}"}} for n in range(40)]
    conditions = tuple({"headers": [{"name": "x", "type": "Exact", "value": value}]} for value in "ab")
    with pytest.raises(NotAcceptedError, match="these are 80 matches, an HTTPRoute rule has at most 64"):
        routes.express(before, NAMES, Split(Fraction(1), conditions))
