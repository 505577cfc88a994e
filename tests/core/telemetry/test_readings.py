"""Quantiles, histograms and stretches of time."""

import pytest

from headgate.envoy.otlp import Histogram
from headgate.telemetry.intervals import Intervals
from headgate.telemetry.reading import Reading
from headgate.telemetry.series import merge


def reading(*counts: int) -> Reading:
    return Reading(0, 1, 1.0, {}, {}, Histogram((1.0, 5.0, 10.0), counts, 0.0))


def test_a_quantile_lies_within_its_bucket_in_proportion() -> None:
    assert reading(0, 100, 0, 0).quantile(0.5) == pytest.approx(3.0)


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert reading(1, 0, 0, 99).quantile(0.99) == 10.0


def test_empty_buckets_are_passed_over() -> None:
    assert reading(50, 0, 50, 0).quantile(0.75) == pytest.approx(7.5)


def test_histograms_of_the_same_bounds_are_added() -> None:
    one, other = Histogram((1.0,), (1, 2), 3.0), Histogram((1.0,), (10, 20), 30.0)
    assert merge(one, other) == Histogram((1.0,), (11, 22), 33.0)


def test_buckets_of_other_bounds_never_make_requests_faster() -> None:
    one, other = Histogram((1.0, 5.0), (0, 0, 0), 0.0), Histogram((2.0, 7.0), (3, 4, 5), 1.0)
    assert merge(one, other) == Histogram((1.0, 5.0), (0, 3, 9), 1.0)


def test_what_is_missing_is_what_is_left_when_the_covered_is_cut_out() -> None:
    there, covered = Intervals([(0, 10)]), Intervals([(1, 3), (4, 10)])
    assert list(there.without(covered)) == [(0, 1), (3, 4)]


def test_stretches_that_touch_are_one() -> None:
    assert list(Intervals([(0, 1), (1, 2)])) == [(0, 2)]
