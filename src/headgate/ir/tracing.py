"""Traces: what is told about requests, to whom."""

from typing import Literal

import msgspec

from .routing import Backend


class Share(msgspec.Struct, frozen=True, gc=False):
    """`numerator` of `denominator`, at most all."""

    numerator: int
    denominator: int = 100


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """An attribute of spans: the value itself, the header of the request that has it, or the name that OpenTelemetry
    has for what it is.
    """

    name: str
    source: Literal["Literal", "Header", "Attribute"]
    value: str


class Tracing(msgspec.Struct, frozen=True, gc=False):
    """Spans of the requests of a Gateway, sent to a collector (OTLP over gRPC).

    `share` of the requests is traced. With `parents` one that a caller has decided on is traced as he decided. Empty
    names are those that the Gateway gives by itself.
    """

    collector: Backend
    headers: tuple[tuple[str, str], ...] = ()
    share: Share = Share(100)
    parents: bool = True
    service: str = ""
    span: str = ""
    attributes: tuple[Attribute, ...] = ()
