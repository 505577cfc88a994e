"""Durations and numbers as Go writes them."""

from __future__ import annotations

import pytest

from headgate.rollout import go_format


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("1m", 60.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0), ("0", 0.0)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert go_format.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "1x", "1m 30s", "1s!"])
def test_what_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        go_format.seconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.5, "500ms"), (1.515, "1.515s"), (90.0, "1m30s"), (3600.0, "1h0m0s"), (0.0015, "1.5ms")],
)
def test_a_duration_is_printed(seconds: float, text: str) -> None:
    assert go_format.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(99.0, "99"), (0.5, "0.5"), (99.95, "99.95"), (0.0, "0"), (1e21, "1e+21"), (1e-7, "1e-07")]
)
def test_a_number_is_printed(value: float, text: str) -> None:
    assert go_format.number(value) == text
