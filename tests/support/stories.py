"""What holds of a release however badly its controller is treated: claims for test modules that tell such a story.

A module makes them its own with a class that derives from `Promoted` or `RolledBack` and has a fixture `story`.
"""

from __future__ import annotations

import time

from support.observer import Observer
from support.shop import ENDED, Shop
from support.waiting import until

#: Requests that are watched after the end: what is wrong then would stay so.
_AFTER = 300


class Story:
    """A release under kills, and what was seen of it."""

    def __init__(self, shop: Shop, seen: Observer, kills: list[str]) -> None:
        """`kills` are the phases at which the controller was killed."""
        self.shop = shop
        self.seen = seen
        self.kills = kills
        self.end = ""
        self.rests_since = 0.0

    def tell(self, version: str, **environment: str) -> None:
        """From the first moment of the shop to the end of the release, and some calm after it."""
        self.shop.open()
        self.seen.begin_traffic()
        progressing = self.seen.on(lambda status: status.phase == "Progressing", lambda: None)
        self.shop.release(version, **environment)
        progressing.result(60)
        self.end = self.shop.wait_for_phase(*ENDED, deadline=120)
        until(lambda: self.seen.rests, says="Envoy gives the canary nothing")
        self.rests_since = time.monotonic()
        enough = len(self.seen.answers) + _AFTER
        until(lambda: len(self.seen.answers) >= enough, says="traffic after the end")


class Claims:
    """What holds however often the controller dies. A class of tests has a fixture `story`."""

    own_errors = ""
    """The version whose 500s are its own."""

    def test_no_request_fails(self, story: Story) -> None:
        assert story.seen.failed(but_for=self.own_errors) == {}
        assert len(story.seen.answers) > 500

    def test_envoy_never_gives_the_canary_more_than_the_larger_of_the_weights_before_and_after(
        self, story: Story
    ) -> None:
        assert story.seen.served_beyond_declared_weights() == []
        assert len(story.seen.served) > 100

    def test_the_canary_never_answers_more_than_the_larger_of_the_weights_before_and_after(self, story: Story) -> None:
        assert story.seen.canary_answers_beyond_declared_weights() is None

    def test_the_canary_never_answers_more_than_the_weights_that_envoy_has(self, story: Story) -> None:
        assert story.seen.canary_answers_beyond_envoys_weights() is None

    def test_no_weight_is_ever_above_the_maximum(self, story: Story) -> None:
        weights = (*story.seen.declared, *story.seen.served)
        assert max(weight.percent or 0 for weight in weights) <= 50

    def test_at_the_end_the_primary_answers_everything(self, story: Story) -> None:
        assert {owner for owner, _ in story.seen.versions(since=story.rests_since)} == {"shop-primary"}


class Promoted(Claims):
    """A good version."""

    def test_the_release_succeeds(self, story: Story) -> None:
        assert story.end == "Succeeded"

    def test_the_primary_serves_the_new_version(self, story: Story) -> None:
        assert {version for _, version in story.seen.versions(since=story.rests_since)} == {"1.1.0"}

    def test_every_phase_is_gone_through_once(self, story: Story) -> None:
        assert story.seen.phases[-5:] == ["Initialized", "Progressing", "Promoting", "Finalising", "Succeeded"]


class RolledBack(Claims):
    """A bad version."""

    own_errors = "1.2.0"

    def test_the_release_fails(self, story: Story) -> None:
        assert story.end == "Failed"

    def test_the_primary_serves_the_old_version(self, story: Story) -> None:
        assert {version for _, version in story.seen.versions(since=story.rests_since)} == {"1.0.0"}

    def test_the_canary_is_scaled_to_zero(self, story: Story) -> None:
        assert story.shop.json("deployment", "shop")["spec"]["replicas"] == 0
