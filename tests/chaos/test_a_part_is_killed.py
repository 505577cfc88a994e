"""`kill -9` of the API, the workload controllers, the node, and several at once: traffic goes on, and it heals."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator

import pytest

from support.cluster_components import ClusterComponents
from support.observer import Observer, process_of_envoy
from support.shop import ENDED, Shop, analysis
from support.waiting import until

VERSIONS = (f"1.{number}.0" for number in itertools.count(1))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterComponents]:
    with ClusterComponents(tmp_path_factory.mktemp("parts")) as parts:
        yield parts


@pytest.fixture(scope="module")
def shop(parts: ClusterComponents) -> Shop:
    shop = Shop(parts.kubectl, "shop", analysis())
    shop.open()
    until(shop.answers, what="the shop answers")
    return shop


def some_traffic(seen: Observer, answers: int = 300) -> None:
    """Wait until so many more requests have ended."""
    enough = len(seen.answers) + answers
    until(lambda: len(seen.answers) >= enough, what="traffic")


def released(shop: Shop, seen: Observer) -> str:
    """Release the next version, which needs all parts; the phase in which it ends."""
    progressing = seen.on(lambda status: status.phase == "Progressing", lambda: None)
    shop.release(next(VERSIONS))
    progressing.result(60)
    return shop.wait_for_phase(*ENDED, deadline=90)


def test_requests_are_answered_without_api_and_controllers_and_a_release_succeeds_when_they_are_back(
    parts: ClusterComponents, shop: Shop
) -> None:
    dead = ("api", "workloads", "controller")
    with Observer(shop) as seen:
        some_traffic(seen)
        for name in dead:
            parts.kill(name)
        some_traffic(seen, 600)
        parts.start(*dead)
        end = released(shop, seen)
    assert (end, seen.failed()) == ("Succeeded", {})


@pytest.mark.parametrize("dead", ["api", "workloads"])
def test_what_dies_in_the_middle_of_a_release_delays_it(parts: ClusterComponents, shop: Shop, dead: str) -> None:
    with Observer(shop) as seen:
        killed = seen.on(lambda status: status.canary_weight == 25, lambda: parts.kill(dead))
        shop.release(next(VERSIONS))
        killed.result(60)
        some_traffic(seen)
        parts.start(dead)
        until(lambda: shop.phase() in ENDED, what="the end of the release", deadline=90)
    assert (shop.phase(), seen.failed()) == ("Succeeded", {})
    assert seen.canary_answers_beyond_declared_weights() is None


def test_a_killed_envoy_comes_back_with_the_weights_of_the_moment(shop: Shop) -> None:
    def kill() -> None:
        os.kill(process_of_envoy(shop.gateway)[0], signal.SIGKILL)

    with Observer(shop) as seen:
        killed = seen.on(lambda status: status.canary_weight == 25, kill)
        shop.release(next(VERSIONS))
        killed.result(60)
        until(lambda: shop.phase() in ENDED, what="the end of the release", deadline=90)
        until(lambda: seen.rests, what="Envoy gives the canary nothing")
    assert shop.phase() == "Succeeded"
    assert {status for status, _, _ in seen.failed()} <= {0}  # an Envoy that listens has its routes: no 404, no 503
    assert seen.canary_answers_beyond_declared_weights() is None
    assert seen.served_beyond_declared_weights() == []


def test_pods_go_on_without_their_node(parts: ClusterComponents, shop: Shop) -> None:
    with Observer(shop) as seen:
        some_traffic(seen)
        parts.kill("node")
        some_traffic(seen, 600)
    parts.start("node")
    assert seen.failed() == {}


def test_a_node_that_comes_back_runs_its_pods_again(parts: ClusterComponents, shop: Shop) -> None:
    parts.kill("node")
    parts.start("node")
    until(shop.answers, what="the shop answers again", deadline=60)
    with Observer(shop) as seen:
        end = released(shop, seen)
    assert (end, seen.failed()) == ("Succeeded", {})
