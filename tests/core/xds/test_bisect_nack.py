"""Finding the culprit of a NACK."""

from headgate.xds.bisect_nack import Bisection


def test_suspects_are_cut_in_two_until_one_is_left() -> None:
    bisection: Bisection[str] = Bisection()
    assert bisection.failed(["a", "b", "c", "d"]) is None
    assert list(bisection.current) == ["a", "b"]
    assert bisection.failed(["a", "b"]) is None
    assert list(bisection.current) == ["a"]
    assert bisection.failed(["a"]) == "a"
    assert list(bisection.current) == ["b"]


def test_after_one_half_passes_the_other_is_tried() -> None:
    bisection: Bisection[str] = Bisection()
    bisection.failed(["a", "b"])
    bisection.passed()
    assert list(bisection.current) == ["b"]
