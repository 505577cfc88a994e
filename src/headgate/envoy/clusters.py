"""Clusters and their endpoints (CDS, EDS)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from headgate.api.meta import Ref

from . import protos, wire
from .names import CLUSTER, ENDPOINTS
from .resources import Resource, resource

#: Circuit breakers. Envoy's defaults (1,024 connections and requests, 3 retries) turn load into 503s. These limits only
#: bound a failure.
_LIMIT = 65_536
_RETRIES = 1_024

#: The protocol to the endpoints of a cluster; `tcp` and `udp`: bytes as the client sends them.
UpstreamProtocol = Literal["http1", "http2", "tcp", "udp"]

#: An endpoint that no process can have (port 0 of loopback): connections to it are closed at once, datagrams dropped.
_CLOSED_ENDPOINT = ("127.0.0.1", 0)


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """One address of a cluster."""

    address: str
    port: int


class ClusterSetting(Protocol):
    """One setting of a cluster."""

    def apply(self, cluster: Any) -> None:
        """Set it on the message of a cluster (`envoy.config.cluster.v3.Cluster`)."""


class UpstreamTLS(msgspec.Struct, frozen=True):
    """TLS to the endpoints of a cluster. `server_name` is the SNI. `validation` is the SDS secret with the validation
    context for their certificates, `certificate` the one with the client certificate (empty: none). The ALPN protocols
    follow from the protocol of the cluster.
    """

    server_name: str
    validation: str
    certificate: str = ""

    def apply(self, cluster: Any) -> None:
        """The transport socket."""
        _set_transport_socket(cluster.transport_socket, self)


class RetryBudget(msgspec.Struct, frozen=True):
    """The limit of concurrent retries: `percent` of the requests of the last `interval` seconds, and at least
    `min_retry_concurrency`.
    """

    percent: int
    interval: float
    min_retry_concurrency: int

    def apply(self, cluster: Any) -> None:
        """The retry budget instead of the fixed maximum."""
        thresholds = cluster.circuit_breakers.thresholds[0]
        thresholds.ClearField("max_retries")
        thresholds.retry_budget.budget_percent.value = self.percent
        thresholds.retry_budget.min_retry_concurrency.value = self.min_retry_concurrency
        interval = protos.Duration()
        interval.FromMilliseconds(round(self.interval * 1000))
        # Envoy 1.40 knows `budget_interval`, the generated protos do not: an unknown field is passed on as it is.
        thresholds.retry_budget.MergeFromString(wire.field(3, interval.SerializeToString()))


def cluster(
    name: str,
    stat_name: str,
    *,
    connect_timeout: float = 5.0,
    protocol: UpstreamProtocol = "http1",
    settings: Iterable[ClusterSetting] = (),
    host: Endpoint | None = None,
    origins: Sequence[Ref] = (),
) -> Resource:
    """A cluster. Its endpoints come by EDS under its own name, or are all addresses of a `host` by DNS.

    `stat_name` is its name in statistics. `connect_timeout` is in seconds. Raises ValueError for a `stat_name` with a
    dot.
    """
    message = _common(name, stat_name, connect_timeout, protocol)
    if host is None:
        message.type = protos.Cluster.EDS
        message.eds_cluster_config.eds_config.CopyFrom(ads())
    else:
        message.type = protos.Cluster.STRICT_DNS
        message.dns_lookup_family = protos.Cluster.ALL
        message.load_assignment.CopyFrom(_assignment(name, [host]))
    for setting in settings:
        setting.apply(message)
    return resource(CLUSTER, name, protos.serialise(message), origins)


def stream_cluster(
    name: str, stat_name: str, *, tls: Mapping[str, UpstreamTLS] | None = None, origins: Sequence[Ref] = ()
) -> Resource:
    """A cluster for connections and datagrams, whose endpoints come by EDS in weighted localities. `tls` is by the
    `transport_socket_match` of a locality.
    """
    message = _common(name, stat_name, 5.0, "tcp")
    message.type = protos.Cluster.EDS
    message.eds_cluster_config.eds_config.CopyFrom(ads())
    message.common_lb_config.locality_weighted_lb_config.SetInParent()
    for selector, settings in sorted((tls or {}).items()):
        match = message.transport_socket_matches.add(name=selector)
        match.match[_TLS] = selector
        _set_transport_socket(match.transport_socket, settings)
    return resource(CLUSTER, name, protos.serialise(message), origins)


#: The key of endpoint metadata by which an endpoint selects its transport socket.
_TLS = "tls"


class WeightedLocality(msgspec.Struct, frozen=True):
    """Endpoints that share a weight. Without endpoints its share of the connections is closed. `transport_socket_match`
    selects one of the cluster's TLS settings (empty: plain text).
    """

    endpoints: tuple[Endpoint, ...]
    weight: int
    transport_socket_match: str = ""


def weighted_load_assignment(
    cluster_name: str, localities: Sequence[WeightedLocality], *, origins: Sequence[Ref] = ()
) -> Resource:
    """The endpoints of a stream cluster. Weights are exact per worker thread; changing them closes no connection."""
    message = protos.ClusterLoadAssignment(cluster_name=cluster_name)
    for at, weighted in enumerate(localities):
        locality = message.endpoints.add()
        locality.locality.sub_zone = str(at)
        locality.load_balancing_weight.value = weighted.weight
        for endpoint in weighted.endpoints or (Endpoint(*_CLOSED_ENDPOINT),):
            host = locality.lb_endpoints.add()
            host.endpoint.address.socket_address.address = endpoint.address
            host.endpoint.address.socket_address.port_value = endpoint.port
            if weighted.transport_socket_match and weighted.endpoints:
                host.metadata.filter_metadata["envoy.transport_socket_match"][_TLS] = weighted.transport_socket_match
    return resource(ENDPOINTS, cluster_name, protos.serialise(message), origins)


def _set_transport_socket(socket: Any, tls: UpstreamTLS) -> None:
    socket.name = "envoy.transport_sockets.tls"
    socket.typed_config.CopyFrom(protos.pack(_tls(tls)))


def cluster_load_assignment(cluster_name: str, endpoints: Sequence[Endpoint]) -> Resource:
    """The endpoints of a cluster, sorted. Without endpoints Envoy answers 503."""
    return resource(ENDPOINTS, cluster_name, protos.serialise(_assignment(cluster_name, endpoints)))


def ads() -> Any:
    """The ConfigSource of dynamic resources: the ADS stream."""
    return protos.ConfigSource(ads={}, resource_api_version="V3")


def _common(name: str, stat_name: str, connect_timeout: float, protocol: UpstreamProtocol) -> Any:
    if "." in stat_name:
        raise ValueError(f"stat_name {stat_name!r} has a dot; Envoy's tag extraction would cut the name there")
    message = protos.Cluster(name=name, alt_stat_name=stat_name, lb_policy=protos.Cluster.LEAST_REQUEST)
    message.connect_timeout.FromMilliseconds(round(connect_timeout * 1000))
    # No panic mode: an endpoint that left its EndpointSlice never gets a new request.
    message.common_lb_config.healthy_panic_threshold.value = 0
    limits = message.circuit_breakers.thresholds.add()
    limits.max_connections.value = _LIMIT
    limits.max_pending_requests.value = _LIMIT
    limits.max_requests.value = _LIMIT
    limits.max_retries.value = _RETRIES
    options = protos.HttpProtocolOptions()
    if protocol in ("tcp", "udp"):
        return message
    if protocol == "http2":
        options.explicit_http_config.http2_protocol_options.SetInParent()
    else:
        options.explicit_http_config.http_protocol_options.SetInParent()
    key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    message.typed_extension_protocol_options[key].CopyFrom(protos.pack(options))
    return message


def _tls(tls: UpstreamTLS) -> Any:
    context = protos.UpstreamTlsContext(sni=tls.server_name)
    common = context.common_tls_context
    common.tls_params.tls_minimum_protocol_version = common.tls_params.TLSv1_2
    # Envoy's default maximum as a client is 1.2, and some backends require 1.3.
    common.tls_params.tls_maximum_protocol_version = common.tls_params.TLSv1_3
    common.validation_context_sds_secret_config.name = tls.validation
    common.validation_context_sds_secret_config.sds_config.CopyFrom(ads())
    if tls.certificate:
        common.tls_certificate_sds_secret_configs.add(name=tls.certificate, sds_config=ads())
    return context


def _assignment(cluster_name: str, endpoints: Sequence[Endpoint]) -> Any:
    message = protos.ClusterLoadAssignment(cluster_name=cluster_name)
    if endpoints:
        locality = message.endpoints.add()
        for endpoint in sorted(set(endpoints)):
            host = locality.lb_endpoints.add()
            host.endpoint.address.socket_address.address = endpoint.address
            host.endpoint.address.socket_address.port_value = endpoint.port
    return message
