"""Numbers as Go prints them, for Flagger's event texts."""


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
