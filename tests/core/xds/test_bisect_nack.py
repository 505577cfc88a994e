"""Finding the one to blame."""

from headgate.xds.bisect_nack import Bisection


def test_suspects_are_cut_in_two_until_one_is_left() -> None:
    trials: Bisection[str] = Bisection()
    assert trials.failed(["a", "b", "c", "d"]) is None
    assert list(trials.current) == ["a", "b"]
    assert trials.failed(["a", "b"]) is None
    assert list(trials.current) == ["a"]
    assert trials.failed(["a"]) == "a"
    assert list(trials.current) == ["b"]


def test_a_half_that_passes_leaves_the_other() -> None:
    trials: Bisection[str] = Bisection()
    trials.failed(["a", "b"])
    trials.passed()
    assert list(trials.current) == ["b"]
