"""Kubernetes' quantities as exact numbers (`k8s.io/apimachinery/pkg/api/resource`)."""

import re
from decimal import Decimal, InvalidOperation

_FORM = re.compile(r"(?P<number>[+-]?(\d+\.?\d*|\.\d+))(?P<suffix>[eE][+-]?\d+|[KMGTPE]i|[numkMGTPE]?)")
_SCALES = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{
        suffix: Decimal(1000) ** power
        for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
}


def read_quantity(text: str) -> Decimal:
    """`1500m` is 1.5, `2Ki` is 2048; raises `ValueError`."""
    match = _FORM.fullmatch(text)
    try:
        if match is None:
            raise InvalidOperation
        suffix = match["suffix"]
        if suffix[:1] in {"e", "E"} and len(suffix) > 1 and suffix != "Ei":
            return Decimal(match["number"]).scaleb(int(suffix[1:]))
        return Decimal(match["number"]) * _SCALES[suffix]
    except InvalidOperation:
        raise ValueError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ) from None
