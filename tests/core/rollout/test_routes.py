"""Weights of a route: the smallest edit, and nobody else's share."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from headgate.api.patch import PatchError, json_patch
from headgate.rollout import route_status, routes
from headgate.rollout.names import Names
from headgate.rollout.pairs import weight_of
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
