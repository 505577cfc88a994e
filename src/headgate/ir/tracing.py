"""Tracing: the spans of requests, and their collector."""

from typing import Literal

import msgspec

from .routing import Backend


class Fraction(msgspec.Struct, frozen=True, gc=False):
    """`numerator` of `denominator`, at most all."""

    numerator: int
    denominator: int = 100


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """An attribute of spans. `value` is a literal, the name of a request header, or the name of an attribute of
    OpenTelemetry.
    """

    name: str
    type: Literal["Literal", "Header", "Attribute"]
    value: str


class Spans(msgspec.Struct, frozen=True, gc=False):
    """The sampling and the content of spans, and the `headers` of exports to the collector.

    `sampling` is the fraction of requests that are traced. With `parent_based` a request on which a caller has decided
    is traced as the caller decided. Empty names are Headgate's defaults.
    """

    headers: tuple[tuple[str, str], ...] = ()
    sampling: Fraction = Fraction(100)
    parent_based: bool = True
    service_name: str = ""
    span_name: str = ""
    attributes: tuple[Attribute, ...] = ()


class Tracing(msgspec.Struct, frozen=True, gc=False):
    """The spans of a Gateway's requests, sent to a collector (OTLP over gRPC)."""

    collector: Backend
    spans: Spans
