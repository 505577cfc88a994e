"""What the IR says of traces, in Envoy's words."""

from collections.abc import Iterable, Iterator

from headgate.api.meta import Key
from headgate.envoy import tracing as envoy
from headgate.ir.tracing import Attribute, Tracing
from headgate.rendering import cluster_name, host_and_port


def render(tracing: Tracing, gateway: Key) -> envoy.Tracing:
    """How the requests of a Gateway are traced. Without a name of its own it goes by `name.namespace`."""
    collector, spans = tracing.collector, tracing.spans
    return envoy.Tracing(
        cluster=cluster_name(collector),
        authority=host_and_port(collector),
        headers=spans.headers,
        sampling=spans.sampling.numerator / spans.sampling.denominator,
        parent_based=spans.parent_based,
        service_name=spans.service_name or f"{gateway.name}.{gateway.namespace}",
        span_name=spans.span_name,
        attributes=tuple(_attributes(spans.attributes)),
    )


def _attributes(found: Iterable[Attribute]) -> Iterator[envoy.Attribute]:
    """Those that Envoy knows."""
    for each in found:
        if (made := _attribute(each)) is not None:
            yield made


def _attribute(found: Attribute) -> envoy.Attribute | None:
    if found.type == "Literal":
        return envoy.Attribute(found.name, "literal", found.value)
    if found.type == "Header":
        return envoy.Attribute(found.name, "header", found.value)
    known = envoy.attribute_format(found.value)
    return envoy.Attribute(found.name, "format", known) if known else None
