"""The judgement of shares: right splits pass, wrong ones are found."""

from __future__ import annotations

import random

import pytest

from support.shares import excess


def drawn(shares: list[float], seed: int) -> list[bool]:
    dice = random.Random(seed)
    return [dice.random() < share for share in shares]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_right_split_is_no_excess(share: float) -> None:
    shares = [share] * 3000
    assert all(excess(drawn(shares, seed), shares) is None for seed in range(20))


def test_a_split_that_steps_up_is_judged_by_the_share_of_each_moment() -> None:
    shares = [0.0] * 500 + [0.25] * 500 + [0.5] * 500
    assert excess(drawn(shares, 7), shares) is None


def test_one_request_where_none_may_go_is_an_excess() -> None:
    window = excess([False] * 100 + [True] + [False] * 100, [0.0] * 201)
    assert window is not None
    assert window.first <= 100 < window.last


def test_a_hundred_and_fifty_requests_at_half_instead_of_a_tenth_are_an_excess() -> None:
    told, real = [0.1] * 2000, [0.1] * 900 + [0.5] * 150 + [0.1] * 950
    assert all(excess(drawn(real, seed), told) is not None for seed in range(20))


def test_less_than_the_share_is_no_excess() -> None:
    assert excess([False] * 1000, [0.5] * 1000) is None


def test_nothing_is_no_excess() -> None:
    assert excess([], []) is None


def test_an_excess_says_how_improbable_it_is() -> None:
    assert "at a share of 0.100: once in 10^" in str(excess([True] * 100, [0.1] * 100))
