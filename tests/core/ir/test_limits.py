"""What a client is told of a backend that is slow or fails."""

from __future__ import annotations

from headgate.ir.limits import Limits, Retries, Try

FAILS = Try(status=500)
SLOW = Try(seconds=2.0)


def test_without_retries_the_first_answer_counts() -> None:
    assert Limits().status([FAILS]) == 500


def test_a_code_that_is_listed_is_tried_again_as_often_as_allowed() -> None:
    limits = Limits(retries=Retries(2, (500,)))
    assert limits.status([FAILS, FAILS]) == 200
    assert limits.status([FAILS, FAILS, FAILS]) == 500


def test_a_code_that_is_not_listed_is_not_tried_again() -> None:
    assert Limits(retries=Retries(2, (503,))).status([FAILS]) == 500


def test_no_attempts_are_no_retries() -> None:
    assert Limits(retries=Retries(0, (500,))).status([FAILS]) == 500


def test_a_try_that_takes_too_long_is_followed_by_the_next() -> None:
    limits = Limits(try_timeout=1.0, retries=Retries(1))
    assert limits.status([SLOW]) == 200
    assert limits.status([SLOW, SLOW]) == 504


def test_the_time_of_the_request_covers_all_tries() -> None:
    limits = Limits(timeout=2.5, try_timeout=1.0, retries=Retries(9, (500,)))
    assert limits.status([SLOW, SLOW]) == 200
    assert limits.status([SLOW, SLOW, SLOW]) == 504
