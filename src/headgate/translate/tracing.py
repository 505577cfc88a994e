"""Tracing to the tracing configuration of Envoy's HTTP connection managers."""

from collections.abc import Iterable, Iterator

from headgate.api.meta import Key
from headgate.envoy import tracing as envoy
from headgate.ir.tracing import Attribute, Tracing
from headgate.rendering import cluster_name, host_and_port


def render(tracing: Tracing, gateway: Key) -> envoy.Tracing:
    """The tracing of a Gateway's requests. Its default service name is `name.namespace`."""
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


def _attributes(attributes: Iterable[Attribute]) -> Iterator[envoy.Attribute]:
    """The attributes that Envoy supports."""
    for attribute in attributes:
        if (rendered := _attribute(attribute)) is not None:
            yield rendered


def _attribute(attribute: Attribute) -> envoy.Attribute | None:
    if attribute.type == "Literal":
        return envoy.Attribute(attribute.name, "literal", attribute.value)
    if attribute.type == "Header":
        return envoy.Attribute(attribute.name, "header", attribute.value)
    text = envoy.attribute_format(attribute.value)
    return envoy.Attribute(attribute.name, "format", text) if text else None
