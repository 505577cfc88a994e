"""What the IR says of traces, in Envoy's words."""

from collections.abc import Iterable, Iterator

from headgate.api.meta import Key
from headgate.envoy import tracing as envoy
from headgate.ir.tracing import Attribute, Tracing

from . import names


def render(found: Tracing, gateway: Key) -> envoy.Tracing:
    """How the requests of a Gateway are traced. Without a name of its own it goes by `name.namespace`."""
    collector, spans = found.collector, found.spans
    return envoy.Tracing(
        cluster=names.cluster(collector),
        authority=names.authority(collector),
        headers=spans.headers,
        share=spans.share.numerator / spans.share.denominator,
        parents=spans.parents,
        service=spans.service or f"{gateway.name}.{gateway.namespace}",
        span=spans.span,
        attributes=tuple(_attributes(spans.attributes)),
    )


def _attributes(found: Iterable[Attribute]) -> Iterator[envoy.Attribute]:
    """Those that Envoy knows."""
    for each in found:
        if (made := _attribute(each)) is not None:
            yield made


def _attribute(found: Attribute) -> envoy.Attribute | None:
    if found.source == "Literal":
        return envoy.Attribute(found.name, "literal", found.value)
    if found.source == "Header":
        return envoy.Attribute(found.name, "header", found.value)
    known = envoy.attribute_format(found.value)
    return envoy.Attribute(found.name, "format", known) if known else None
