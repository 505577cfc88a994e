import pytest

from headgate.api import durations


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), ("1h30m", 5400.0), ("500ms", 0.5), ("0s", 0.0)])
def test_a_duration_of_the_gateway_api_is_read(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "1.5s", "-1s", "1h1m1s1ms1s", "100000s", "1d"])
def test_what_gep_2257_rejects_is_not_a_duration(text: str) -> None:
    assert durations.seconds(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("0", 0.0),
        ("-2m", -120.0),
        ("100us", 0.0001),
    ],
)
def test_a_duration_of_go_is_read(text: str, seconds: float) -> None:
    assert durations.go_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1x", "1m 30s", "1s!"])
def test_what_go_rejects_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        durations.go_seconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (1.515, "1.515s"), (90.0, "1m30s"), (3600.0, "1h0m0s"), (0.0015, "1.5ms")],
)
def test_a_duration_is_printed_as_go_prints_it(seconds: float, text: str) -> None:
    assert durations.go_duration(seconds) == text
