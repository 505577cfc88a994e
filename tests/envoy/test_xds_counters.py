"""Reports of counters, from a real Envoy."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from headgate.envoy import otlp
from headgate.telemetry.counter_store import CounterStore
from headgate.xds.desired import Update
from support.waiting import until
from support.xds import GATEWAY, split
from support.xds_harness import XdsHarness
from support.xds_harness import xds_harness as set_up


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XdsHarness]:
    with set_up(tmp_path_factory.mktemp("envoy")) as made:
        failing = made.plane.backend("failing", status=503)
        host, weights = split("failing", (failing, 1))
        made.update(Update(resources=failing.resources(), hosts={("http", "failing"): host}, weights=weights))
        until(lambda: made.get("failing")[0] == 503, what="it fails")
        made.add("fine", 1, 0)
        yield made


def counted(stage: XdsHarness, stat_name: str) -> tuple[int, dict[str, int], dict[str, int], int]:
    """The sums of all reports of a cluster: reports, by code, by class, requests in the histogram."""
    reports, timed = 0, 0
    by_code: dict[str, int] = {}
    by_class: dict[str, int] = {}
    for _, _, body in list(stage.plane.metrics):
        counts = otlp.read_report(body).clusters.get(stat_name)
        reports += 1
        if counts is not None:
            for found, into in ((counts.by_code, by_code), (counts.by_class, by_class)):
                for key, value in found.items():
                    into[key] = into.get(key, 0) + value
            timed += sum(counts.time.counts) if counts.time else 0
    return reports, by_code, by_class, timed


def test_every_request_is_counted_once_by_code_class_and_time(stage: XdsHarness) -> None:
    until(lambda: counted(stage, "shop_old_80")[2].get("2"), what="the first report")
    before = (until(lambda: _still(stage, "shop_old_80"), what="nothing new") or {})["2"]
    for _ in range(50):
        assert stage.get("fine") == (200, "old")
    until(lambda: counted(stage, "shop_old_80")[2]["2"] == before + 50, what="50 more")
    _, by_code, by_class, timed = counted(stage, "shop_old_80")
    assert by_code == {"200": by_class["2"]}
    assert timed == by_class["2"]


def test_failures_of_a_backend_are_counted_as_5xx_of_its_cluster(stage: XdsHarness) -> None:
    before = counted(stage, "shop_failing_80")[1].get("503", 0)
    for _ in range(5):
        stage.get("failing")
    found = until(lambda: _at_least(stage, "shop_failing_80", "503", before + 5), what="five failures")
    assert found is not None
    assert set(found) == {"503"}


def test_a_report_names_its_gateway_and_node(stage: XdsHarness) -> None:
    gateway, node, _ = until(lambda: stage.plane.metrics[-1:], what="a report")[0]
    assert (gateway, node) == (GATEWAY, "envoy-0")


def test_a_report_of_an_idle_envoy_has_its_interval(stage: XdsHarness) -> None:
    seconds = until(lambda: [otlp.read_report(body).seconds for _, _, body in stage.plane.metrics][2:4], what="reports")
    assert all(0.5 < each < 5 for each in seconds)


def test_a_reading_covers_the_time_of_an_envoy_that_reports(stage: XdsHarness) -> None:
    store = CounterStore()
    store.connected(GATEWAY, "envoy-0", time.monotonic())
    seen = len(stage.plane.metrics)

    def covered() -> bool:
        nonlocal seen
        for gateway, node, body in stage.plane.metrics[seen:]:
            store.add(gateway, node, otlp.read_report(body), time.monotonic())
            seen += 1
        return store.read(GATEWAY, "shop_old_80", time.monotonic(), 2.0).coverage > 0.99

    until(covered, what="two seconds are covered")


def test_envoys_own_prometheus_page_has_the_series_that_users_query(stage: XdsHarness) -> None:
    page = stage.envoy.admin("/stats/prometheus")
    assert 'envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="shop_old_80"}' in page
    assert 'envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="shop_old_80"}' in page
    assert 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="shop_old_80",le="5"}' in page
    assert 'envoy_cluster_membership_healthy{envoy_cluster_name="shop_old_80"}' in page


def _still(stage: XdsHarness, stat_name: str) -> dict[str, int] | None:
    """The counts by class, once two consecutive reports are empty."""
    bodies = [otlp.read_report(body) for _, _, body in stage.plane.metrics[-2:]]
    quiet = not any(stat_name in report.clusters and report.clusters[stat_name].by_code for report in bodies)
    return counted(stage, stat_name)[2] if quiet else None


def _at_least(stage: XdsHarness, stat_name: str, code: str, count: int) -> dict[str, int] | None:
    found = counted(stage, stat_name)[1]
    return found if found.get(code, 0) >= count else None
