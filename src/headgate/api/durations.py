"""Durations: those of the Gateway API (GEP-2257, `1h30m`, `500ms`), and Go's (`1.5s`, `-2m`), which Flagger uses."""

import re

_GATEWAY_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_GO_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float | None:
    """A duration of the Gateway API in seconds; None if it is not one."""
    parts = _GATEWAY_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(parts) > 4:
        return None
    return float(sum(int(number) * _SECONDS[unit] for number, unit in parts))


def go_seconds(text: str) -> float:
    """A duration of Go in seconds: `1m30s` -> 90.0. Raises ValueError for what Go's `ParseDuration` rejects."""
    sign, rest = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    parts = _GO_PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f"{text!r} is not a duration; 30s, 250ms and 1m30s are")
    return sign * sum(float(number) * _SECONDS[unit] for number, unit in parts)


def go_duration(value: float) -> str:
    """Seconds as Go prints a `Duration`: 1.515 -> `1.515s`, 0.5 -> `500ms`, 90 -> `1m30s`."""
    nanoseconds = round(abs(value) * 1e9)
    sign = "-" if value < 0 and nanoseconds else ""
    if nanoseconds < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= size:
                return f"{sign}{_decimal(nanoseconds, size)}{unit}"
        return "0s"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 1_000_000_000)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = str(rest).zfill(len(str(size)) - 1).rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
