"""Numbers and durations as Go prints and reads them: Flagger's fields and event texts are written that way."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def seconds(text: str) -> float:
    """`1m30s` -> 90.0. Raises ValueError for anything that Go's ParseDuration refuses."""
    sign, rest = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f"{text!r} is not a duration; 30s, 1m and 1m30s are")
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def duration(value: float) -> str:
    """Seconds as Go prints a Duration: 1.515 -> `1.515s`, 0.5 -> `500ms`, 90 -> `1m30s`."""
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


def number(value: float) -> str:
    """A float64 as Go's `%v` prints it: 99.0 -> `99`, 0.5 -> `0.5`, 1e21 -> `1e+21`."""
    if value != value:  # noqa: PLR0124 - NaN is the one value that differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value and not 1e-4 <= abs(value) < 1e21:
        mantissa, _, exponent = f"{value!r}".partition("e")
        if exponent:
            return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].zfill(2)}"
    return f"{value:.0f}" if value == int(value) else repr(value)


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = str(rest).zfill(len(str(size)) - 1).rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
