"""Traces: what is told about requests, to whom."""

from typing import Literal

import msgspec

from .routing import Backend


class Fraction(msgspec.Struct, frozen=True, gc=False):
    """`numerator` of `denominator`, at most all."""

    numerator: int
    denominator: int = 100


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """An attribute of spans: the value itself, the header of the request that has it, or the name that OpenTelemetry
    has for what it is.
    """

    name: str
    type: Literal["Literal", "Header", "Attribute"]
    value: str


class Spans(msgspec.Struct, frozen=True, gc=False):
    """Of which requests there are spans, what those say, and what is said to the collector (`headers`).

    `share` of the requests is traced. With `parents` one that a caller has decided on is traced as he decided. Empty
    names are those that the Gateway gives by itself.
    """

    headers: tuple[tuple[str, str], ...] = ()
    sampling: Fraction = Fraction(100)
    parent_based: bool = True
    service_name: str = ""
    span_name: str = ""
    attributes: tuple[Attribute, ...] = ()


class Tracing(msgspec.Struct, frozen=True, gc=False):
    """Spans of the requests of a Gateway, sent to a collector (OTLP over gRPC)."""

    collector: Backend
    spans: Spans
