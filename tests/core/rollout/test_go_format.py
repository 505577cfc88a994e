"""Numbers as Go prints them."""

from __future__ import annotations

import pytest

from headgate.rollout import go_format


@pytest.mark.parametrize(
    ("value", "text"), [(99.0, "99"), (0.5, "0.5"), (99.95, "99.95"), (0.0, "0"), (1e21, "1e+21"), (1e-7, "1e-07")]
)
def test_a_number_is_printed(value: float, text: str) -> None:
    assert go_format.number(value) == text
