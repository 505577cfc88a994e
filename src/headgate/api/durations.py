"""Durations as the Gateway API writes them (GEP-2257): `1h30m`, `10s`, `500ms`."""

import re

_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float | None:
    """A duration in seconds; None if it is none."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(parts) > 4:
        return None
    return float(sum(int(number) * _SECONDS[unit] for number, unit in parts))
