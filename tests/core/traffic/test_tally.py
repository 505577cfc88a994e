"""Counting outcomes and latencies."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.traffic import Histogram, RequestResult, Tally


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


@given(
    st.lists(st.floats(min_value=1e-5, max_value=100.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99])
)
def test_a_quantile_is_within_two_percent_of_the_exact_one(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(1, -(-int(share * 100) * len(values) // 100)) - 1]
    found = histogram.quantile(share)
    assert found is not None
    assert abs(found - exact) <= 0.02 * exact


def test_a_copy_does_not_change_any_more() -> None:
    tally = Tally()
    tally.add(RequestResult(0.0, 0.1, 200))
    copy = tally.copy()
    tally.add(RequestResult(0.1, 0.1, 200))
    assert copy.all.sent == 1


def test_the_difference_of_two_copies_is_what_happened_between_them() -> None:
    tally = Tally(lambda outcome: outcome.body.decode())
    tally.add(RequestResult(0.0, 0.1, 200, body=b"primary"))
    before = tally.copy()
    tally.add(RequestResult(0.1, 0.2, 500, body=b"canary"))
    between = tally.since(before)
    assert (between.all.sent, between.all.failed) == (1, 1)
    assert between.share("canary") == 1.0
    assert between.group("canary").success_rate == 0.0
    assert between.group("primary").success_rate is None


def test_an_outcome_without_answer_belongs_to_no_group() -> None:
    tally = Tally(lambda outcome: outcome.body.decode())
    tally.add(RequestResult(0.0, 0.1, failure="reset"))
    assert tally.groups == {}
    assert tally.share("canary") is None
