"""Spans of requests, sent by OTLP over gRPC (`envoy.tracers.opentelemetry`).

Whether a request is traced is said by the tracer's sampler, never by Envoy's own shares, which know no caller.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from . import protos

#: What OpenTelemetry calls what Envoy knows under another name (as far as GEP-5253 has it).
#: What is not here, Envoy cannot say, and spans do without it.
ATTRIBUTES: Mapping[str, str] = {
    "http.request.method": "%REQ(:METHOD)%",
    "http.request.body.size": "%BYTES_RECEIVED%",
    "http.request.size": "%DOWNSTREAM_WIRE_BYTES_RECEIVED%",
    "http.response.status_code": "%RESPONSE_CODE%",
    "http.response.body.size": "%BYTES_SENT%",
    "http.response.size": "%DOWNSTREAM_WIRE_BYTES_SENT%",
    "url.full": "%REQ(:SCHEME)%://%REQ(:AUTHORITY)%%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "url.scheme": "%REQ(:SCHEME)%",
    "url.path": "%PATH(NQ:ORIG_OR_PATH)%",
    "url.query": "%QUERY_PARAMS(ORIG)%",
    "client.address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "client.port": "%DOWNSTREAM_REMOTE_PORT%",
    "server.address": "%REQ(:AUTHORITY)%",
    "server.port": "%DOWNSTREAM_LOCAL_PORT%",
    "network.peer.address": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "network.peer.port": "%DOWNSTREAM_DIRECT_REMOTE_PORT%",
    "network.local.address": "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    "network.local.port": "%DOWNSTREAM_LOCAL_PORT%",
    "network.protocol.name": "http",
    "network.transport": "tcp",
    "user_agent.original": "%REQ(USER-AGENT)%",
}
#: Headers of requests and responses by their names.
_HEADERS = {"http.request.header.": "%REQ({})%", "http.response.header.": "%RESP({})%"}
#: Seconds for one export; it is tried once.
_PATIENCE = 5


class Attribute(msgspec.Struct, frozen=True):
    """An attribute of spans: the value itself, a header of the request, or a format of Envoy's access log."""

    name: str
    kind: Literal["literal", "header", "format"]
    value: str


class Tracing(msgspec.Struct, frozen=True):
    """Where spans go, of which requests, and what they say.

    `cluster` speaks HTTP/2; `authority` is what its requests are for. `share` (0 to 1) of those requests is traced
    that no caller has decided on; without `parents` nobody is asked.
    """

    cluster: str
    authority: str
    headers: tuple[tuple[str, str], ...] = ()
    sampling: float = 1.0
    parent_based: bool = True
    service_name: str = ""
    span_name: str = ""
    attributes: tuple[Attribute, ...] = ()


def attribute_format(key: str) -> str:
    """Envoy's format for an attribute of OpenTelemetry; empty: Envoy does not know it."""
    for prefix, found in _HEADERS.items():
        name = key.removeprefix(prefix)
        if name and name != key and "." not in name:
            return found.format(name)
    return ATTRIBUTES.get(key, "")


def render(found: Tracing) -> Any:
    """The part of an HTTP connection manager."""
    message = protos.HttpConnectionManager.Tracing()
    for sampling in (message.client_sampling, message.random_sampling, message.overall_sampling):
        sampling.value = 100
    for each in found.attributes:
        _tag(message.custom_tags.add(tag=each.name), each)
    if found.span_name:
        message.operation = found.span_name
    message.provider.name = "envoy.tracers.opentelemetry"
    message.provider.typed_config.CopyFrom(protos.pack(_tracer(found)))
    return message


def _tag(tag: Any, found: Attribute) -> None:
    if found.kind == "literal":
        tag.literal.value = found.value
    elif found.kind == "header":
        tag.request_header.name = found.value
    else:
        tag.value = found.value


def _tracer(found: Tracing) -> Any:
    config = protos.OpenTelemetryConfig(service_name=found.service_name)
    service = config.grpc_service
    service.envoy_grpc.cluster_name = found.cluster
    service.envoy_grpc.authority = found.authority
    service.timeout.seconds = _PATIENCE
    for name, value in found.headers:
        service.initial_metadata.add(key=name, value=value)
    _sample(config.sampler, found)
    return config


def _sample(sampler: Any, found: Tracing) -> None:
    ratio = protos.TraceIdRatioBasedSamplerConfig()
    ratio.sampling_percentage.denominator = ratio.sampling_percentage.MILLION
    ratio.sampling_percentage.numerator = round(1_000_000 * found.sampling)
    name, message = "trace_id_ratio_based", ratio
    if found.parent_based:
        parents = protos.ParentBasedSamplerConfig()
        _extension(parents.wrapped_sampler, name, message)
        name, message = "parent_based", parents
    _extension(sampler, name, message)


def _extension(into: Any, name: str, message: Any) -> None:
    into.name = f"envoy.tracers.opentelemetry.samplers.{name}"
    into.typed_config.CopyFrom(protos.pack(message))
