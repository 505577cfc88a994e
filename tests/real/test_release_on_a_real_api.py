"""The shop's releases on a real kube-apiserver with its kube-controller-manager: as on a laptop, with the chart."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from support.control_plane import ControlPlane
from support.installed import NAMESPACE, Installed
from support.observer import Observer
from support.shop import Shop, analysis

pytest.register_assert_rewrite("support.rollout_scenarios", "support.ab_test_scenarios")

from support import ab_test_scenarios  # noqa: E402 - its assertions are those of these tests
from support.rollout_scenarios import Promoted, RolledBack, RolloutScenario  # noqa: E402 - as above


class TestGoodVersion(Promoted):
    """Weights step by step, then promoted."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, installed: Installed, kubernetes: ControlPlane) -> Iterator[RolloutScenario]:
        yield from release(installed, kubernetes, "good-version", "1.1.0")

    def test_every_step_is_taken(self, scenario: RolloutScenario) -> None:
        assert [weight.percent for weight in scenario.seen.declared] == [0, 25, 50, 0]

    def test_every_step_arrives_at_envoy(self, scenario: RolloutScenario) -> None:
        assert {weight.percent for weight in scenario.seen.served} >= {0, 25, 50}

    def test_the_account_of_the_controller_has_every_right_that_it_needs(
        self, scenario: RolloutScenario, installed: Installed
    ) -> None:
        assert "is forbidden: User " not in installed.controller_log()  # a namespace that ends refuses otherwise


class TestBadVersion(RolledBack):
    """500s on part of its requests: judged by the counters of our own Envoys."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, installed: Installed, kubernetes: ControlPlane) -> Iterator[RolloutScenario]:
        yield from release(installed, kubernetes, "bad-version", "1.2.0", ERROR_RATE="0.3")

    def test_an_event_says_by_how_much_it_failed(self, scenario: RolloutScenario) -> None:
        halted = f"Halt shop.{scenario.shop.namespace} advancement success rate "
        assert any(event.startswith(halted) for event in scenario.shop.events())


class TestABTest(ab_test_scenarios.Promoted):
    """Requests with a header or a cookie reach the canary, and no others; then all get the new version."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, kubernetes: ControlPlane, installed: Installed) -> Iterator[ab_test_scenarios.ABTestScenario]:
        scenario = ab_test_scenarios.ABTestScenario(kubernetes.kubectl, "ab-test")
        try:
            scenario.run("1.1.0")
        except BaseException:
            print(installed.controller_log())
            raise
        yield scenario
        scenario.shop.close()


class TestKilledController(Promoted):
    """`kill -9` of the controller in its pod: the next one waits for the Lease, then goes on with the release."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, installed: Installed, kubernetes: ControlPlane) -> Iterator[RolloutScenario]:
        controller = process_of_controller(kubernetes)  # before: while kubectl runs, the observer would see nothing

        def kill() -> None:
            os.kill(controller, signal.SIGKILL)
            kills.append("Progressing")

        kills: list[str] = []
        shop = Shop(kubernetes.kubectl, "killed-controller", analysis())
        with Observer(shop, traffic=False) as seen:
            seen.on(lambda status: status.canary_weight == 25, kill)
            scenario = RolloutScenario(shop, seen, kills)
            scenario.run("1.1.0")
        yield scenario
        shop.close()

    def test_it_was_killed(self, scenario: RolloutScenario) -> None:
        assert scenario.kills == ["Progressing"]


def release(
    installed: Installed, kubernetes: ControlPlane, namespace: str, version: str, **environment: str
) -> Iterator[RolloutScenario]:
    shop = Shop(kubernetes.kubectl, namespace, analysis())
    with Observer(shop, traffic=False) as seen:
        scenario = RolloutScenario(shop, seen, [])
        try:
            scenario.run(version, **environment)
        except BaseException:
            print(installed.controller_log())
            raise
    yield scenario
    shop.close()


def process_of_controller(kubernetes: ControlPlane) -> int:
    """Its process on this machine, by the id of its container."""
    pods = json.loads(
        kubernetes.kubectl("get", "pods", f"--namespace={NAMESPACE}", "-l", "headgate.dev/leader=true", "-o", "json")
    )
    identity = pods["items"][0]["status"]["containerStatuses"][0]["containerID"]
    return int(identity.removeprefix("process://"))
