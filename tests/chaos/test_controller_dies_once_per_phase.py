"""`kill -9` of the controller of `headgate up`, once in each phase of a rollout; the supervisor restarts it.

The rollout succeeds, no request fails, and at no moment does the canary get more than the larger of the weights before
and after.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from headgate.api.delivery import CanaryStatus
from support.local_cluster import LocalCluster
from support.observer import Observer
from support.shop import Shop, analysis
from support.waiting import until

pytest.register_assert_rewrite("support.rollout_scenarios")

from support.rollout_scenarios import Promoted, RolloutScenario  # noqa: E402 - its assertions are those of these tests


def at(phase: str, weight: int) -> Callable[[CanaryStatus], bool]:
    return lambda status: (status.phase, status.canary_weight) == (phase, weight)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("up")) as cluster:
        yield cluster


class TestSupervised(Promoted):
    """Killed once in every phase; `headgate up` restarts it, with a back-off that doubles."""

    PHASES = (
        ("Initializing", 0),
        ("Progressing", 0),
        ("Progressing", 25),
        ("Promoting", 50),
        ("Finalising", 0),
    )

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, cluster: LocalCluster) -> Iterator[RolloutScenario]:
        kills: list[str] = []

        def kill() -> None:
            controller = json.loads((cluster.data / "processes" / "controller.json").read_bytes())["pid"]
            os.kill(controller, signal.SIGKILL)
            kills.append(seen.phases[-1])

        shop = Shop(cluster.kubectl(), "supervised", analysis())
        with Observer(shop, traffic=False) as seen:
            for phase, weight in cls.PHASES:
                seen.on(at(phase, weight), kill)
            scenario = RolloutScenario(shop, seen, kills)
            try:
                scenario.run("1.1.0")
            except BaseException:
                print(cluster.logs())
                raise
        yield scenario
        shop.close()

    def test_it_was_killed_in_every_phase(self, scenario: RolloutScenario) -> None:
        assert scenario.kills == [phase for phase, _ in self.PHASES]

    def test_it_was_started_again_every_time(self, scenario: RolloutScenario, cluster: LocalCluster) -> None:
        """A process that is killed soon after its start may not have been ready."""

        def times(word: str) -> int:
            return cluster.up.output().count(f"controller   {word}")

        until(lambda: cluster.up.output().rpartition("controller   ")[2].startswith("ready"), what="it is ready again")
        assert times("starting") == 1 + len(scenario.kills)
