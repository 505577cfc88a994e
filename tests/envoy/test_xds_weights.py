"""Weights in the overlay, on a real Envoy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from headgate.envoy import names, routes
from headgate.envoy.resources import Weights
from headgate.xds.desired import Update
from support.waiting import until
from support.xds import Traffic
from support.xds_harness import XdsHarness
from support.xds_harness import xds_harness as set_up


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XdsHarness]:
    with set_up(tmp_path_factory.mktemp("envoy")) as made:
        yield made


def routes_version(stage: XdsHarness) -> str:
    dump = json.loads(stage.envoy.admin("/config_dump?resource=dynamic_route_configs"))
    return str([each["version_info"] for each in dump["configs"]])


def test_a_change_of_weights_reaches_envoy_without_a_route_configuration(stage: XdsHarness) -> None:
    stage.add("overlay", 1, 0)
    before = routes_version(stage)
    stage.weigh("overlay", 0, 1)
    until(lambda: stage.answers("overlay") == {"new"}, what="all traffic moved")
    assert routes_version(stage) == before


def test_weights_of_a_route_among_many_paths_change_by_the_overlay(stage: XdsHarness) -> None:
    crowd = [
        routes.route(f"{at}", routes.Match(routes.PathMatch("exact", f"/{at}")), routes.DirectResponse(404))
        for at in range(100)
    ]
    stage.add("crowded", 1, 0, crowd)
    before = routes_version(stage)
    stage.weigh("crowded", 0, 1)
    until(lambda: stage.answers("crowded") == {"new"}, what="all traffic moved")
    assert routes_version(stage) == before
    stage.add("after-the-crowd", 1, 0)
    until(lambda: "w.crowded" not in stage.envoy.admin("/runtime"), what="the keys are withdrawn")
    assert stage.answers("crowded") == {"new"}


def apart(stage: XdsHarness, name: str, old: int, new: int) -> Update:
    """A virtual host with two routes that share all requests, as of a path rewrite on one of two backendRefs."""
    clusters = (stage.old.cluster, stage.new.cluster)
    key = names.weights_key(name, clusters)
    first = routes.Forward((routes.Destination(clusters[0]),), key, fraction_index=0)
    rest = routes.Forward((routes.Destination(clusters[1]),), path_rewrite=routes.PathRewrite("regex", "/new", "^/.*"))
    found = [routes.route(name, routes.Match(), each) for each in (first, rest)]
    host = routes.virtual_host(name, [f"{name}.example"], found)
    weights = Weights(tuple(zip(clusters, (old, new), strict=True)), as_fractions=True)
    return Update(hosts={("http", name): host}, weights={key: weights})


def test_weights_of_routes_that_share_requests_change_by_the_overlay(stage: XdsHarness) -> None:
    stage.update(apart(stage, "apart", 1, 0))
    until(lambda: stage.get("apart") == (200, "old"), what="it serves")
    before = routes_version(stage)
    for old, new, answers in ((0, 1, {"new"}), (1, 0, {"old"}), (1, 1, {"old", "new"}), (0, 5, {"new"})):
        stage.update(Update(weights=apart(stage, "apart", old, new).weights))
        until(lambda answers=answers: stage.answers("apart", 40) == answers, what=f"{old} to {new}")  # type: ignore[misc]
    assert routes_version(stage) == before
    stage.add("after-apart", 1, 0)
    until(lambda: "w.apart" not in stage.envoy.admin("/runtime"), what="the keys are withdrawn")
    assert stage.answers("apart") == {"new"}


def test_two_hundred_changes_of_weights_fail_no_request(stage: XdsHarness) -> None:
    stage.add("steady", 50, 50)
    with Traffic(stage.address, stage.port, "steady.example") as traffic:
        for step in range(200):
            stage.weigh("steady", step % 101, 100 - step % 101)
        stage.weigh("steady", 0, 1)
        until(lambda: stage.answers("steady") == {"new"}, what="the last weights")
    assert traffic.failed == 0


def test_weights_hold_when_routes_are_sent_and_then_leave_the_overlay(stage: XdsHarness) -> None:
    stage.add("fold", 1, 0)
    stage.weigh("fold", 0, 1)
    until(lambda: stage.answers("fold") == {"new"}, what="all traffic moved")
    with Traffic(stage.address, stage.port, "fold.example") as traffic:
        stage.add("other", 1, 0)
        until(lambda: "w.fold" not in stage.envoy.admin("/runtime"), what="the keys are withdrawn")
    assert set(traffic.answers) == {(200, "new")}
