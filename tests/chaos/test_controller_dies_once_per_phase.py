"""`kill -9` of the controller of `headgate up`, once in each phase of a rollout; the supervisor starts it again.

The rollout ends as it should, nobody's request fails, and at no instant does the canary get more than the larger of the
weights before and after.
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

pytest.register_assert_rewrite("support.stories")

from support.stories import Promoted, Story  # noqa: E402 - its assertions are those of these tests


def at(phase: str, weight: int) -> Callable[[CanaryStatus], bool]:
    return lambda status: (status.phase, status.canary_weight) == (phase, weight)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("up")) as cluster:
        yield cluster


class TestSupervised(Promoted):
    """Once in every phase; `headgate up` starts it again, after a pause that doubles."""

    PHASES = (
        ("Initializing", 0),
        ("Progressing", 0),
        ("Progressing", 25),
        ("Promoting", 50),
        ("Finalising", 0),
    )

    @pytest.fixture(scope="class")
    @classmethod
    def story(cls, cluster: LocalCluster) -> Iterator[Story]:
        kills: list[str] = []

        def kill() -> None:
            controller = json.loads((cluster.data / "processes" / "controller.json").read_bytes())["pid"]
            os.kill(controller, signal.SIGKILL)
            kills.append(seen.phases[-1])

        shop = Shop(cluster.kubectl(), "supervised", analysis())
        with Observer(shop, traffic=False) as seen:
            for phase, weight in cls.PHASES:
                seen.on(at(phase, weight), kill)
            story = Story(shop, seen, kills)
            try:
                story.tell("1.1.0")
            except BaseException:
                print(cluster.logs())
                raise
        yield story
        shop.close()

    def test_it_was_killed_in_every_phase(self, story: Story) -> None:
        assert story.kills == [phase for phase, _ in self.PHASES]

    def test_it_was_started_again_every_time(self, story: Story, cluster: LocalCluster) -> None:
        """Killed at once after it began, it was not always seen to be ready in between."""

        def told(word: str) -> int:
            return cluster.up.output().count(f"controller   {word}")

        until(lambda: cluster.up.output().rpartition("controller   ")[2].startswith("ready"), says="it is ready again")
        assert told("starting") == 1 + len(story.kills)
