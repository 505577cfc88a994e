"""Counts and their coverage."""

import pytest

from headgate.api.meta import Key
from headgate.envoy.otlp import Counts, Histogram, Report
from headgate.telemetry.counter_store import RETENTION, CounterStore

GATE = Key("shop", "gate")
WEB = "shop_web_80"


def ok(count: int = 1) -> dict[str, Counts]:
    return {WEB: Counts({"200": count}, {"2": count}, Histogram((1.0, 5.0), (count, 0, 0), float(count)))}


def failed(count: int = 1) -> dict[str, Counts]:
    return {WEB: Counts({"503": count}, {"5": count})}


def store(seconds: int, *, lost: range = range(0), nodes: tuple[str, ...] = ("a",)) -> CounterStore:
    """Envoys that connect at 0 and report one request each second, but for the lost ones (of the first Envoy)."""
    made = CounterStore()
    for node in nodes:
        made.connected(GATE, node, 0.0)
    for second in range(1, seconds + 1):
        for node in nodes:
            if node != nodes[0] or second not in lost:
                made.add(GATE, node, Report(1.0, ok()), float(second))
    return made


def test_an_envoy_that_reports_every_second_covers_all_of_it() -> None:
    reading = store(20).read(GATE, WEB, 20.0, 10.0)
    assert (reading.coverage, reading.total, reading.success_rate) == (1.0, 10, 1.0)


def test_a_lost_report_is_a_hole_and_neither_success_nor_failure() -> None:
    reading = store(20, lost=range(15, 17)).read(GATE, WEB, 20.0, 10.0)
    assert reading.coverage == pytest.approx(0.8)
    assert (reading.total, reading.success_rate) == (8, 1.0)


def test_every_connected_envoy_must_have_reported() -> None:
    reading = store(20, lost=range(15, 17), nodes=("a", "b")).read(GATE, WEB, 20.0, 10.0)
    assert reading.coverage == pytest.approx(0.8)
    assert reading.total == 18


def test_an_envoy_that_never_reports_leaves_nothing_covered() -> None:
    made = store(20)
    made.connected(GATE, "silent", 5.0)
    assert made.read(GATE, WEB, 20.0, 10.0).coverage == 0.0


def test_an_envoy_that_left_is_not_missed_afterwards() -> None:
    made = store(20)
    made.connected(GATE, "brief", 5.0)
    made.disconnected(GATE, "brief", 6.0)
    assert made.read(GATE, WEB, 20.0, 10.0).coverage == 1.0


def test_the_last_second_of_an_envoy_that_died_stays_a_hole() -> None:
    made = store(15)
    made.disconnected(GATE, "a", 15.8)
    made.connected(GATE, "b", 15.0)
    for second in range(16, 21):
        made.add(GATE, "b", Report(1.0, ok()), float(second))
    assert made.read(GATE, WEB, 20.0, 10.0).coverage == pytest.approx(0.92)


def test_the_time_before_a_controller_started_is_not_covered() -> None:
    assert store(5).read(GATE, WEB, 5.0, 10.0).coverage == pytest.approx(0.5)


def test_the_second_that_is_still_on_its_way_is_no_hole() -> None:
    assert store(20).read(GATE, WEB, 20.9, 10.0).coverage == 1.0


def test_a_report_that_is_too_late_is_a_hole() -> None:
    assert store(20).read(GATE, WEB, 24.5, 10.0).coverage == pytest.approx(0.8)


def test_an_unknown_gateway_has_no_coverage() -> None:
    assert CounterStore().read(GATE, WEB, 20.0, 10.0).coverage == 0.0


def test_a_covered_time_without_requests_has_no_success_rate() -> None:
    reading = store(20).read(GATE, "shop_other_80", 20.0, 10.0)
    assert (reading.coverage, reading.total, reading.success_rate, reading.quantile(0.99)) == (1.0, 0, None, None)


def test_only_5xx_lowers_the_success_rate() -> None:
    made = store(10)
    made.add(GATE, "a", Report(1.0, failed(10)), 11.0)
    made.add(GATE, "a", Report(1.0, {WEB: Counts({"404": 5}, {"4": 5})}), 12.0)
    assert made.read(GATE, WEB, 12.0, 4.0).success_rate == pytest.approx(7 / 17)


def test_minutes_that_are_past_are_kept_coarsely() -> None:
    reading = store(600).read(GATE, WEB, 600.0, 300.0)
    assert reading.coverage == 1.0
    assert abs(reading.total - 300) <= 10


def test_what_is_older_than_the_horizon_is_not_covered() -> None:
    made = CounterStore()
    made.connected(GATE, "a", 0.0)
    for second in range(1, int(RETENTION) + 400):
        made.add(GATE, "a", Report(1.0, {}), float(second))
    assert made.read(GATE, WEB, RETENTION + 400, RETENTION + 300).coverage < 0.96


def test_with_too_many_buckets_old_times_become_gaps() -> None:
    made = CounterStore(max_buckets=1_000)
    made.connected(GATE, "a", 0.0)
    for second in range(1, 61):
        clusters = {f"c{i}": Counts({"200": 1}, {"2": 1}) for i in range(100)}
        made.add(GATE, "a", Report(1.0, clusters), float(second))
    reading = made.read(GATE, "c0", 60.0, 50.0)
    assert reading.coverage < 0.9
    assert reading.total < 50
