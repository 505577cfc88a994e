"""A controller that is killed (`kill -9`) by everything that it writes: every status of the Canary, every weight.

Each of its lives is one step long, and no two effects of a decision are sure to be in the same life.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator

import pytest

from support.observer import Observer
from support.parts import Parts
from support.shop import Shop, analysis

pytest.register_assert_rewrite("support.rollout_scenarios")

from support.rollout_scenarios import Promoted, RolledBack, RolloutScenario  # noqa: E402 - its assertions are those of these tests


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with Parts(tmp_path_factory.mktemp("parts")) as parts:
        yield parts


class Mortal:
    """The controller of `parts`, started again as soon as it has died."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._died = threading.Event()
        self._end = threading.Event()
        self._nurse = threading.Thread(target=self._start_again)

    def __enter__(self) -> Mortal:
        self._nurse.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._died.set()
        self._nurse.join()

    def kill(self) -> bool:
        """Kill it, if it lives."""
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
def mortal_scenario(parts: Parts, namespace: str, version: str, **environment: str) -> Iterator[RolloutScenario]:
    """A release from the first moment of the Canary; the controller dies of every change."""
    shop = Shop(parts.kubectl, namespace, analysis())
    kills: list[str] = []

    def kill() -> None:
        if mortal.kill():
            kills.append(seen.phases[-1])

    with Mortal(parts) as mortal, Observer(shop, traffic=False) as seen:
        seen.on_every_change(kill)
        scenario = RolloutScenario(shop, seen, kills)
        try:
            scenario.run(version, **environment)
        except BaseException:
            print(parts.tails())
            raise
    yield scenario
    shop.close()


class DiesOften:
    """Kills at everything that is written."""

    def test_it_died_in_every_phase(self, scenario: RolloutScenario) -> None:
        assert [phase for phase, _ in itertools.groupby(scenario.kills) if phase] == [
            phase for phase in scenario.seen.phases if phase
        ]


class TestMortalAndGood(DiesOften, Promoted):
    """A good version; the controller is killed at whatever it writes."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, parts: Parts) -> Iterator[RolloutScenario]:
        with mortal_scenario(parts, "mortal-good", "1.1.0") as scenario:
            yield scenario


class TestMortalAndBad(DiesOften, RolledBack):
    """A bad version."""

    @pytest.fixture(scope="class")
    @classmethod
    def scenario(cls, parts: Parts) -> Iterator[RolloutScenario]:
        with mortal_scenario(parts, "mortal-bad", "1.2.0", ERROR_RATE="0.3") as scenario:
            yield scenario
