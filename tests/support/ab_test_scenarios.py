"""Claims about an A/B test of the shop, on any Kubernetes API: about every request of insiders and outsiders.

A module makes them its own with a class that derives from `Promoted` or `RolledBack` and has a fixture `scenario`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from headgate.api.delivery import CanaryStatus
from support.kubectl import Kubectl
from support.observer import Observer
from support.shop import CANARY, ENDED, PRIMARY, Shop
from support.shop_traffic import ShopTraffic
from support.waiting import until

#: Requests that are watched after the end: what is wrong then would stay so.
_AFTER = 150
#: Answers that have to come from the primary before the end is taken for the end.
_RECENT = 30
ITERATIONS = 3


def analysis(**fields: Any) -> dict[str, Any]:
    """An A/B test at the fastest pace: by a header, or by a cookie."""
    return {
        "interval": "1s",
        "threshold": 2,
        "iterations": ITERATIONS,
        "match": [
            {"headers": {"x-canary": {"exact": "insider"}}},
            {"headers": {"cookie": {"regex": "^(.*?;)?(canary=always)(;.*)?$"}}},
        ],
        "metrics": [{"name": "request-success-rate", "interval": "2s", "thresholdRange": {"min": 95}}],
        **fields,
    }


class ABTestScenario:
    """A release with traffic of outsiders (the observer's), of insiders by header and of insiders by cookie."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self.shop = Shop(kubectl, namespace, analysis())
        self.end = ""
        self.rests_since = 0.0
        self.outsiders: Observer
        self.insiders: tuple[ShopTraffic, ...] = ()

    def run(self, version: str, **environment: str) -> None:
        """From the first moment of the shop to the end of the release, and some calm after it."""
        with ExitStack() as stack:
            self.outsiders = stack.enter_context(Observer(self.shop, traffic=False))
            self.shop.open()
            self.outsiders.begin_traffic()
            self.insiders = tuple(
                stack.enter_context(ShopTraffic(self.shop, headers))
                for headers in ({"X-Canary": "insider"}, {"Cookie": "a=b;canary=always;c=d"})
            )
            self.shop.release(version, **environment)
            self.end = self.shop.wait_for_phase(*ENDED, deadline=120)
            until(self._rests, what="the primary answers insiders")
            self.rests_since = time.monotonic()
            enough = [len(audience.answers) + _AFTER for audience in self.insiders]
            until(
                lambda: all(len(a.answers) >= n for a, n in zip(self.insiders, enough, strict=True)),
                what="traffic after the end",
            )

    def tested(self) -> tuple[float, float]:
        """From the second check, when every Envoy has the rule, to the promotion."""
        statuses = self.outsiders.statuses
        begin = next(at for at, status in statuses if status.iterations == 2)
        end = next(at for at, status in statuses if at > begin and _is_over(status))
        return begin, end

    def _rests(self) -> bool:
        """Envoy's workers do not change their routes at the same instant, so one answer is not enough."""
        return all({answer.owner for answer in audience.answers[-_RECENT:]} == {PRIMARY} for audience in self.insiders)


def _is_over(status: CanaryStatus) -> bool:
    return status.phase != "Progressing"


class Claims:
    """What holds however the test ends."""

    def test_no_request_of_an_outsider_fails(self, scenario: ABTestScenario) -> None:
        assert scenario.outsiders.failed() == {}
        assert len(scenario.outsiders.answers) > 500

    def test_no_outsider_ever_reaches_the_canary(self, scenario: ABTestScenario) -> None:
        assert {owner for owner, _ in scenario.outsiders.versions()} == {PRIMARY}

    def test_at_the_end_the_primary_answers_every_request(self, scenario: ABTestScenario) -> None:
        for audience in scenario.insiders:
            assert set(audience.owners(since=scenario.rests_since)) == {PRIMARY}


class Promoted(Claims):
    """A good version."""

    def test_the_release_succeeds(self, scenario: ABTestScenario) -> None:
        assert scenario.end == "Succeeded"

    def test_no_request_of_an_insider_fails(self, scenario: ABTestScenario) -> None:
        assert [audience.failed() for audience in scenario.insiders] == [{}, {}]

    def test_every_request_of_an_insider_reaches_the_canary_during_the_test(self, scenario: ABTestScenario) -> None:
        begin, end = scenario.tested()
        for audience in scenario.insiders:
            owners = audience.owners(since=begin, until=end)
            assert set(owners) == {CANARY}
            assert owners[CANARY] > 50

    def test_every_check_is_counted(self, scenario: ABTestScenario) -> None:
        counted = {status.iterations for _, status in scenario.outsiders.statuses}
        assert counted == set(range(ITERATIONS + 1))
        advanced = f"Advance shop.{scenario.shop.namespace} canary iteration {ITERATIONS}/{ITERATIONS}"
        assert advanced in scenario.shop.events()

    def test_the_primary_serves_the_new_version(self, scenario: ABTestScenario) -> None:
        assert scenario.shop.images(PRIMARY) == ["1.1.0"]


class RolledBack(Claims):
    """A version whose answers are all server errors."""

    def test_the_release_fails(self, scenario: ABTestScenario) -> None:
        assert scenario.end == "Failed"

    def test_only_insiders_see_its_errors(self, scenario: ABTestScenario) -> None:
        assert all(audience.failed()[500, ""] > 0 for audience in scenario.insiders)

    def test_the_primary_serves_the_old_version(self, scenario: ABTestScenario) -> None:
        assert scenario.shop.images(PRIMARY) == ["1.0.0"]
