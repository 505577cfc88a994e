"""The generated messages that we use, by their own names; imported here and nowhere outside of this package.

They come without type stubs: every function that touches one has typed arguments and returns bytes or a `Resource`.
"""

from typing import Any

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.config_source_pb2 import ConfigSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.extensions.bootstrap.internal_listener.v3 import internal_listener_pb2 as _internal_listener
from envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import ExtAuthz, ExtAuthzPerRoute
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import (
    StatefulSession,
    StatefulSessionPerRoute,
)
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from envoy.extensions.filters.udp.udp_proxy.v3.route_pb2 import Route as UdpRoute
from envoy.extensions.filters.udp.udp_proxy.v3.udp_proxy_pb2 import UdpProxyConfig
from envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2 import CookieBasedSessionState
from envoy.extensions.http.stateful_session.header.v3.header_pb2 import HeaderBasedSessionState
from envoy.extensions.matching.common_inputs.stats.v3 import stats_pb2 as _stats
from envoy.extensions.resource_monitors.downstream_connections.v3 import (
    downstream_connections_pb2 as _downstream_connections,
)
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.stat_sinks.open_telemetry.v3 import open_telemetry_pb2 as _open_telemetry
from envoy.extensions.tracers.opentelemetry.samplers.v3.parent_based_sampler_pb2 import ParentBasedSamplerConfig
from envoy.extensions.tracers.opentelemetry.samplers.v3.trace_id_ratio_based_sampler_pb2 import (
    TraceIdRatioBasedSamplerConfig,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext, UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest
from envoy.service.runtime.v3.rtds_pb2 import Runtime
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

#: Imported so that JSON with their `@type` can be parsed.
REGISTERED = (_internal_listener, _downstream_connections, _open_telemetry, _stats)

__all__ = [
    "REGISTERED",
    "AccessLog",
    "AnyMessage",
    "Bootstrap",
    "CircuitBreakers",
    "Cluster",
    "ClusterLoadAssignment",
    "ConfigSource",
    "CookieBasedSessionState",
    "DeltaDiscoveryRequest",
    "DownstreamTlsContext",
    "Duration",
    "ExportMetricsServiceRequest",
    "ExtAuthz",
    "ExtAuthzPerRoute",
    "HTTPFault",
    "HeaderBasedSessionState",
    "HttpConnectionManager",
    "HttpProtocolOptions",
    "Listener",
    "OpenTelemetryConfig",
    "ParentBasedSamplerConfig",
    "PreviousHostsPredicate",
    "Route",
    "RouteConfiguration",
    "Router",
    "Runtime",
    "Secret",
    "StatefulSession",
    "StatefulSessionPerRoute",
    "Struct",
    "TcpProxy",
    "TlsInspector",
    "TraceIdRatioBasedSamplerConfig",
    "TypedExtensionConfig",
    "UdpProxyConfig",
    "UdpRoute",
    "UpstreamTlsContext",
    "VirtualHost",
    "pack",
    "packed",
    "parse",
    "serialise",
    "to_dict",
]


def serialise(message: Any) -> bytes:
    """The bytes of a message, the same for equal messages: versions are hashes of them."""
    return bytes(message.SerializeToString(deterministic=True))


def parse(kind: Any, body: bytes) -> Any:
    """A message of `kind` from bytes that an Envoy sent. Raises ValueError."""
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise ValueError(f"not a {kind.DESCRIPTOR.full_name}: {error}") from None


def pack(message: Any) -> Any:
    """A message inside of a `google.protobuf.Any`."""
    return AnyMessage(type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}", value=serialise(message))


def to_dict(message: Any) -> dict[str, Any]:
    """A message as JSON values, with the field names of protobuf's JSON mapping."""
    return dict(MessageToDict(message))


def packed(message: Any) -> bytes:
    """A message as a serialised `google.protobuf.Any`."""
    return serialise(pack(message))
