import pytest

from headgate.api.meta import Key
from headgate.envoy.otlp import Counts, Histogram, Report
from headgate.telemetry.counts import Store

GATEWAY = Key("infra", "shared")
CLUSTER = "shop_web_80"


def report(good: int, bad: int = 0, *, cluster: str = CLUSTER) -> Report:
    by_code = {"200": good, "503": bad}
    return Report(0.0, {cluster: Counts(by_code, {"2": good, "5": bad}, Histogram((10.0, 100.0), (good, bad, 0), 1.0))})


def reporting(*nodes: str, seconds: int, start: float = 100.0) -> Store:
    """Envoys that were connected at `start` and reported once a second, each 10 good requests."""
    telemetry = Store()
    for node in nodes:
        telemetry.connected(GATEWAY, node, start)
        for second in range(1, seconds + 1):
            telemetry.add(GATEWAY, node, report(10), start + second)
    return telemetry


def test_the_counts_of_all_envoys_in_the_window_are_added() -> None:
    reading = reporting("a", "b", seconds=20).read(GATEWAY, CLUSTER, 120.0, 10.0)
    assert reading.total == 200
    assert reading.by_code == {"200": 200, "503": 0}
    assert reading.coverage == pytest.approx(1.0)


def test_a_window_ends_with_the_last_report_and_not_with_the_moment_of_asking() -> None:
    reading = reporting("a", seconds=20).read(GATEWAY, CLUSTER, 120.9, 3.0)
    assert reading.total == 30
    assert reading.coverage == pytest.approx(1.0)


def test_a_window_that_began_before_the_first_connection_is_covered_in_part() -> None:
    reading = reporting("a", seconds=5).read(GATEWAY, CLUSTER, 105.0, 10.0)
    assert reading.coverage == pytest.approx(0.5)


def test_a_lost_report_is_a_hole() -> None:
    telemetry = reporting("a", seconds=5)
    telemetry.add(GATEWAY, "a", report(10), 109.0)
    reading = telemetry.read(GATEWAY, CLUSTER, 109.0, 8.0)
    assert reading.coverage == pytest.approx(5 / 8)


def test_one_silent_envoy_beside_another_makes_a_hole_for_both() -> None:
    telemetry = reporting("a", seconds=20)
    telemetry.connected(GATEWAY, "b", 112.5)
    reading = telemetry.read(GATEWAY, CLUSTER, 120.0, 10.0)
    assert reading.coverage == pytest.approx(0.5)


def test_an_envoy_that_went_away_is_not_waited_for() -> None:
    telemetry = reporting("a", "b", seconds=10)
    telemetry.disconnected(GATEWAY, "b", 110.0)
    for second in range(111, 121):
        telemetry.add(GATEWAY, "a", report(10), float(second))
    reading = telemetry.read(GATEWAY, CLUSTER, 120.0, 10.0)
    assert reading.coverage == pytest.approx(1.0)


def test_after_all_envoys_fell_silent_nothing_is_covered() -> None:
    reading = reporting("a", seconds=10).read(GATEWAY, CLUSTER, 130.0, 10.0)
    assert reading.coverage == 0.0


def test_of_a_gateway_without_envoys_here_nothing_is_covered() -> None:
    assert Store().read(GATEWAY, CLUSTER, 100.0, 10.0).coverage == 0.0


def test_a_cluster_without_requests_reads_as_none_of_them_and_covered() -> None:
    reading = reporting("a", seconds=20).read(GATEWAY, "shop_other_80", 120.0, 10.0)
    assert reading.total == 0
    assert reading.coverage == pytest.approx(1.0)


def test_times_are_added_bucket_by_bucket() -> None:
    telemetry = Store()
    telemetry.connected(GATEWAY, "a", 100.0)
    telemetry.add(GATEWAY, "a", report(3, 1), 101.0)
    telemetry.add(GATEWAY, "a", report(2, 2), 102.0)
    reading = telemetry.read(GATEWAY, CLUSTER, 102.0, 2.0)
    assert reading.time
    assert reading.time.counts == (5, 3, 0)


def test_beyond_its_memory_a_store_keeps_a_hole_and_no_wrong_count() -> None:
    telemetry = Store(most=100)
    telemetry.connected(GATEWAY, "a", 0.0)
    for second in range(1, 4001):
        telemetry.add(GATEWAY, "a", report(10), float(second))
    reading = telemetry.read(GATEWAY, CLUSTER, 4000.0, 3000.0)
    assert reading.coverage < 0.9
