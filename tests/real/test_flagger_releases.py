"""Flagger drives our Gateway: it decides and writes the weights, we serve them; nothing of it was written here.

Our own rollout controller is off (`--no-rollouts`), so that nobody else acts on the Canary.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from support import flagger
from support.control_plane import ControlPlane
from support.flagger import Flagger
from support.installed import Installed
from support.observer import Observer
from support.shop import CANARY, Shop
from support.waiting import until

pytest.register_assert_rewrite("support.rollout_scenarios")

from support.rollout_scenarios import Promoted, RolledBack, RolloutScenario  # noqa: E402 - its assertions are those of these tests

#: Beside the node of other tests, which has the lower halves first.
PODS, LOAD_BALANCERS = "10.244.128.0/17", "10.245.128.0/17"


class FlaggersShop(Shop):
    """The shop, released by Flagger."""

    def __init__(self, kubernetes: ControlPlane, name: str, by: Flagger) -> None:
        super().__init__(kubernetes.kubectl, name, flagger.analysis())
        self.by = by

    def manifests(self) -> list[dict[str, Any]]:
        """And what Flagger asks Prometheus."""
        templates = (("error-rate", flagger.ERROR_RATE), ("latency", flagger.LATENCY))
        return [*super().manifests(), *(self.by.template(self.namespace, *each) for each in templates)]

    def open(self) -> None:
        """And Prometheus scrapes the Gateway's Envoys, as their annotations say."""
        super().open()
        pods = json.loads(self("get", "pods", "-o", "json"))["items"]
        asked = [(pod["status"]["podIP"], pod["metadata"].get("annotations", {})) for pod in pods]
        targets = [f"{ip}:{told['prometheus.io/port']}" for ip, told in asked if told.get("prometheus.io/scrape")]
        self.by.prometheus.scrape(targets, metrics_path="/stats/prometheus")
        until(lambda: self.by.prometheus.query("up == 1"), what="Prometheus scrapes an Envoy")

    def log(self) -> str:
        """What Flagger said, and the Canary's events, for the text of a failure."""
        return f"{self.by.program.tail(60)}\n{yaml.safe_dump(self.events())}"


@pytest.fixture(scope="module")
def by(local_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlPlane, Flagger]]:
    """A cluster with our gateway controller and Flagger."""
    folder = tmp_path_factory.mktemp("flagger")
    with ControlPlane(folder / "kubernetes") as plane:
        plane.apply_crds()
        node = (f"--pod-cidr={PODS}", f"--load-balancer-cidr={LOAD_BALANCERS}")
        with (
            Installed(plane, folder / "headgate", arguments=("--no-rollouts",), node=node),
            Flagger(plane, folder / "flagger") as made,
        ):
            yield plane, made


def release(by: tuple[ControlPlane, Flagger], name: str, version: str, **environment: str) -> Iterator[RolloutScenario]:
    kubernetes, made = by
    shop = FlaggersShop(kubernetes, name, made)
    with Observer(shop, traffic=False) as seen:
        scenario = RolloutScenario(shop, seen, [])
        try:
            scenario.run(version, **environment)
        except BaseException:
            print(shop.log())
            raise
    yield scenario
    shop.close()


def shares(scenario: RolloutScenario) -> dict[int, float]:
    """The canary's share of the answers while each weight was declared; but for the second in which it changed."""
    moments = scenario.seen.declared
    found = {}
    for weight, after in itertools.pairwise(moments):
        answers = [
            each.owner for each in scenario.seen.answers if weight.at + 1 <= each.sent and each.ended <= after.at - 1
        ]
        if weight.percent and len(answers) >= 200:
            found[round(weight.percent)] = answers.count(CANARY) / len(answers)
    return found


class TestGoodVersion(Promoted):
    """Flagger's good end."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, by: tuple[ControlPlane, Flagger]) -> Iterator[RolloutScenario]:
        yield from release(by, "flagger-good", "1.1.0")

    def test_every_step_of_flagger_is_declared(self, scenario: RolloutScenario) -> None:
        assert [weight.percent for weight in scenario.seen.declared] == [0, 25, 50, 0]

    def test_every_step_has_its_share_of_the_traffic(self, scenario: RolloutScenario) -> None:
        found = shares(scenario)
        assert found.keys() == {25, 50}
        assert all(abs(share - percent / 100) < 0.05 for percent, share in found.items()), found

    def test_flagger_finds_the_route_accepted(self, scenario: RolloutScenario) -> None:
        assert not [event for event in scenario.shop.events() if "not ready (status" in event]


class TestBadVersion(RolledBack):
    """500s on part of its requests: Flagger sees them in the statistics of our Envoys, under the names it knows."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, by: tuple[ControlPlane, Flagger]) -> Iterator[RolloutScenario]:
        yield from release(by, "flagger-bad", "1.2.0", ERROR_RATE="0.3")

    def test_an_event_says_by_how_much_it_failed(self, scenario: RolloutScenario) -> None:
        halted = f"Halt shop.{scenario.shop.namespace} advancement error-rate "
        assert any(event.startswith(halted) for event in scenario.shop.events()), scenario.shop.events()
