"""The controller is killed (`kill -9`) at each of its writes: every status of the Canary, every weight.

Each process lives for one write, so no two effects of a decision are sure to be performed by the same one.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator

import pytest

from support.cluster_components import ClusterComponents
from support.observer import Observer
from support.shop import Shop, analysis

pytest.register_assert_rewrite("support.rollout_scenarios")

from support.rollout_scenarios import Promoted, RolledBack, RolloutScenario  # noqa: E402 - its assertions are those of these tests


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterComponents]:
    with ClusterComponents(tmp_path_factory.mktemp("parts")) as parts:
        yield parts


class RestartedController:
    """The controller of `parts`, which is started again as soon as it has ended."""

    def __init__(self, parts: ClusterComponents) -> None:
        self.parts = parts
        self._died = threading.Event()
        self._end = threading.Event()
        self._restarter = threading.Thread(target=self._start_again)

    def __enter__(self) -> RestartedController:
        self._restarter.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._died.set()
        self._restarter.join()

    def kill(self) -> bool:
        """Kill it if it runs; whether it did."""
        if self._died.is_set():
            return False
        self.parts.kill("controller")
        self._died.set()
        return True

    def _start_again(self) -> None:
        while True:
            self._died.wait()
            if self._end.is_set():
                return
            self.parts.launch("controller")
            self._died.clear()


@contextlib.contextmanager
def killed_scenario(
    parts: ClusterComponents, namespace: str, version: str, **environment: str
) -> Iterator[RolloutScenario]:
    """A release that is observed from the creation of the Canary; every change kills the controller."""
    shop = Shop(parts.kubectl, namespace, analysis())
    kills: list[str] = []

    def kill() -> None:
        if controller.kill():
            kills.append(seen.phases[-1])

    with RestartedController(parts) as controller, Observer(shop, traffic=False) as seen:
        seen.on_every_change(kill)
        scenario = RolloutScenario(shop, seen, kills)
        try:
            scenario.run(version, **environment)
        except BaseException:
            print(parts.tails())
            raise
    yield scenario
    shop.close()


class KilledInEveryPhase:
    """The controller was killed in each phase."""

    def test_it_was_killed_in_every_phase(self, scenario: RolloutScenario) -> None:
        assert [phase for phase, _ in itertools.groupby(scenario.kills) if phase] == [
            phase for phase in scenario.seen.phases if phase
        ]


class TestGoodVersion(KilledInEveryPhase, Promoted):
    """A good version is promoted although the controller is killed at each write."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, parts: ClusterComponents) -> Iterator[RolloutScenario]:
        with killed_scenario(parts, "killed-good", "1.1.0") as scenario:
            yield scenario


class TestBadVersion(KilledInEveryPhase, RolledBack):
    """A bad version is rolled back although the controller is killed at each write."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, parts: ClusterComponents) -> Iterator[RolloutScenario]:
        with killed_scenario(parts, "killed-bad", "1.2.0", ERROR_RATE="0.3") as scenario:
            yield scenario
