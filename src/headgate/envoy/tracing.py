"""Spans of requests, sent by OTLP over gRPC (`envoy.tracers.opentelemetry`).

The sampler of the tracer decides which requests are traced. Envoy's own sampling percentages are not used: they ignore
the decision of a caller.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from . import protos

#: Attributes of OpenTelemetry (those of GEP-5253) as format commands of Envoy. Other attributes have no command, and
#: spans are sent without them.
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
#: Seconds for one export, which is not retried.
_EXPORT_TIMEOUT = 5


class Attribute(msgspec.Struct, frozen=True):
    """An attribute of spans. `value` is a literal, the name of a request header, or a format of Envoy's access log."""

    name: str
    kind: Literal["literal", "header", "format"]
    value: str


class Tracing(msgspec.Struct, frozen=True):
    """The collector of spans, the sampling, and the attributes.

    `cluster` uses HTTP/2; `authority` is HTTP's `:authority` of the exports. `sampling` (0 to 1) is the fraction of
    requests that are traced. With `parent_based` it applies only to requests on which no caller has decided.
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
    """Envoy's format for an attribute of OpenTelemetry; empty if there is none."""
    for prefix, command in _HEADERS.items():
        name = key.removeprefix(prefix)
        if name and name != key and "." not in name:
            return command.format(name)
    return ATTRIBUTES.get(key, "")


def render(tracing: Tracing) -> Any:
    """The `tracing` message of an HTTP connection manager."""
    message = protos.HttpConnectionManager.Tracing()
    for sampling in (message.client_sampling, message.random_sampling, message.overall_sampling):
        sampling.value = 100
    for attribute in tracing.attributes:
        _tag(message.custom_tags.add(tag=attribute.name), attribute)
    if tracing.span_name:
        message.operation = tracing.span_name
    message.provider.name = "envoy.tracers.opentelemetry"
    message.provider.typed_config.CopyFrom(protos.pack(_tracer(tracing)))
    return message


def _tag(tag: Any, attribute: Attribute) -> None:
    if attribute.kind == "literal":
        tag.literal.value = attribute.value
    elif attribute.kind == "header":
        tag.request_header.name = attribute.value
    else:
        tag.value = attribute.value


def _tracer(tracing: Tracing) -> Any:
    config = protos.OpenTelemetryConfig(service_name=tracing.service_name)
    service = config.grpc_service
    service.envoy_grpc.cluster_name = tracing.cluster
    service.envoy_grpc.authority = tracing.authority
    service.timeout.seconds = _EXPORT_TIMEOUT
    for name, value in tracing.headers:
        service.initial_metadata.add(key=name, value=value)
    _sample(config.sampler, tracing)
    return config


def _sample(sampler: Any, tracing: Tracing) -> None:
    ratio = protos.TraceIdRatioBasedSamplerConfig()
    ratio.sampling_percentage.denominator = ratio.sampling_percentage.MILLION
    ratio.sampling_percentage.numerator = round(1_000_000 * tracing.sampling)
    name, message = "trace_id_ratio_based", ratio
    if tracing.parent_based:
        parent_based = protos.ParentBasedSamplerConfig()
        _extension(parent_based.wrapped_sampler, name, message)
        name, message = "parent_based", parent_based
    _extension(sampler, name, message)


def _extension(into: Any, name: str, message: Any) -> None:
    into.name = f"envoy.tracers.opentelemetry.samplers.{name}"
    into.typed_config.CopyFrom(protos.pack(message))
