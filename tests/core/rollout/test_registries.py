"""Strategies, targets, providers, alerts and webhook types are found by name; an unknown name is refused with these."""

from __future__ import annotations

import pytest

from headgate.api import codec
from headgate.api.delivery import Canary, CanaryAnalysis
from headgate.rollout import alerts, providers, strategies, targets, webhooks
from headgate.rollout.strategies import Progress
from support.rollout_world import RolloutWorld, canary

DAEMON_SET = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "podinfo"}


def test_each_registry_has_the_names_of_its_modules() -> None:
    assert set(strategies.KNOWN) == {"canary", "ab-testing"}
    assert set(targets.KNOWN) == {"Deployment"}
    assert set(providers.KNOWN) == {"prometheus"}
    assert set(alerts.KNOWN) == {"slack"}
    assert set(webhooks.KNOWN) == {"confirm-rollout", "event", "pre-rollout", "rollout"}


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (
            canary({"iterations": 5}),
            "spec.analysis.iterations: chooses the strategy blue-green, which is not supported; "
            "supported: ab-testing, canary",
        ),
        (
            canary(targetRef=DAEMON_SET),
            "spec.targetRef.kind: DaemonSet is not supported; supported: Deployment",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(manifest: dict[str, object], message: str) -> None:
    world = RolloutWorld(manifest)
    world.run()
    assert world.events == [f"Warning: {message}"]
    assert world.status["conditions"][0]["message"] == message


def test_a_canary_with_an_unknown_target_can_be_deleted() -> None:
    world = RolloutWorld(canary(targetRef=DAEMON_SET, revertOnDeletion=True))
    world.run()
    world.edit(Canary, metadata__deletionTimestamp="2027-01-15T08:00:00Z")
    world.run(30)
    assert world.raw(Canary)["metadata"]["finalizers"] == []


@pytest.mark.parametrize(
    ("analysis", "name"),
    [
        (CanaryAnalysis(step_weight=10), "canary"),
        (CanaryAnalysis(step_weights=(1, 2)), "canary"),
        (CanaryAnalysis(iterations=3), "blue-green"),
        (CanaryAnalysis(iterations=3, match=({"headers": {}},)), "ab-testing"),  # type: ignore[arg-type]
        (CanaryAnalysis(iterations=3, step_weight=10), "blue-green"),
    ],
)
def test_fields_choose_the_strategy_by_flaggers_rule(analysis: CanaryAnalysis, name: str) -> None:
    assert strategies.name(analysis) == name


@pytest.mark.parametrize("name", sorted(strategies.KNOWN))
def test_every_strategy_reaches_promotion_and_gives_all_traffic_back(name: str) -> None:
    fields = {"canary": {}, "ab-testing": {"iterations": 3, "match": [{"headers": {"x": {"exact": "a"}}}]}}[name]
    typed = codec.convert(Canary, canary({**fields, "stepWeightPromotion": 30}))
    strategy = strategies.of(typed)
    assert name == strategy.NAME
    at, steps = Progress(), 0
    while (following := strategy.advance(typed, at)) is not None:
        assert strategy.within_spec(typed, following) == following
        assert strategy.split(typed, following).canary > 0
        at, steps = following, steps + 1
    assert 0 < steps < 100
    while at.started:
        receded = strategy.recede(typed, at)
        assert strategy.split(typed, receded).canary < strategy.split(typed, at).canary
        at = receded
    assert strategy.split(typed, at).canary == 0
