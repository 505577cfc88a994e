"""Claims about a release whose controller may be killed at any moment, for test modules that run such a scenario.

A module makes them its own with a class that derives from `Promoted` or `RolledBack` and has a fixture `scenario`.
"""

from __future__ import annotations

import time

from support.observer import Observer
from support.shop import ENDED, Shop
from support.waiting import until

#: Requests that are watched after the end: what is wrong then would stay so.
_AFTER = 300


class RolloutScenario:
    """A release under kills, and what was seen of it."""

    def __init__(self, shop: Shop, seen: Observer, kills: list[str]) -> None:
        """`kills` are the phases at which the controller was killed."""
        self.shop = shop
        self.seen = seen
        self.kills = kills
        self.end = ""
        self.rests_since = 0.0

    def run(self, version: str, **environment: str) -> None:
        """From the first moment of the shop to the end of the release, and some calm after it."""
        self.shop.open()
        self.seen.begin_traffic()
        progressing = self.seen.on(lambda status: status.phase == "Progressing", lambda: None)
        self.shop.release(version, **environment)
        progressing.result(60)
        self.end = self.shop.wait_for_phase(*ENDED, deadline=120)
        until(lambda: self.seen.rests, what="Envoy gives the canary nothing")
        self.rests_since = time.monotonic()
        enough = len(self.seen.answers) + _AFTER
        until(lambda: len(self.seen.answers) >= enough, what="traffic after the end")


class Claims:
    """What holds however often the controller dies. A class of tests has a fixture `scenario`."""

    own_errors = ""
    """The version whose 500s are its own."""

    def test_no_request_fails(self, scenario: RolloutScenario) -> None:
        assert scenario.seen.failed(but_for=self.own_errors) == {}
        assert len(scenario.seen.answers) > 500

    def test_envoy_never_gives_the_canary_more_than_the_larger_of_the_weights_before_and_after(
        self, scenario: RolloutScenario
    ) -> None:
        assert scenario.seen.served_beyond_declared_weights() == []
        assert len(scenario.seen.served) > 100

    def test_the_canary_never_answers_more_than_the_larger_of_the_weights_before_and_after(
        self, scenario: RolloutScenario
    ) -> None:
        assert scenario.seen.canary_answers_beyond_declared_weights() is None

    def test_the_canary_never_answers_more_than_the_weights_that_envoy_has(self, scenario: RolloutScenario) -> None:
        assert scenario.seen.canary_answers_beyond_envoys_weights() is None

    def test_no_weight_is_ever_above_the_maximum(self, scenario: RolloutScenario) -> None:
        weights = (*scenario.seen.declared, *scenario.seen.served)
        assert max(weight.percent or 0 for weight in weights) <= 50

    def test_at_the_end_the_primary_answers_everything(self, scenario: RolloutScenario) -> None:
        assert {owner for owner, _ in scenario.seen.versions(since=scenario.rests_since)} == {"shop-primary"}


class Promoted(Claims):
    """A good version."""

    def test_the_release_succeeds(self, scenario: RolloutScenario) -> None:
        assert scenario.end == "Succeeded"

    def test_the_primary_serves_the_new_version(self, scenario: RolloutScenario) -> None:
        assert {version for _, version in scenario.seen.versions(since=scenario.rests_since)} == {"1.1.0"}

    def test_every_phase_is_gone_through_once(self, scenario: RolloutScenario) -> None:
        assert scenario.seen.phases[-5:] == ["Initialized", "Progressing", "Promoting", "Finalising", "Succeeded"]


class RolledBack(Claims):
    """A bad version."""

    own_errors = "1.2.0"

    def test_the_release_fails(self, scenario: RolloutScenario) -> None:
        assert scenario.end == "Failed"

    def test_the_primary_serves_the_old_version(self, scenario: RolloutScenario) -> None:
        assert {version for _, version in scenario.seen.versions(since=scenario.rests_since)} == {"1.0.0"}

    def test_the_canary_is_scaled_to_zero(self, scenario: RolloutScenario) -> None:
        assert scenario.shop.json("deployment", "shop")["spec"]["replicas"] == 0
