"""Clusters and their endpoints."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from headgate.api.meta import Ref

from . import protos, wire
from .names import CLUSTER, ENDPOINTS
from .resources import Resource, resource

#: Envoy's defaults (1,024 connections and requests, 3 retries) turn load into 503s; these only stop a runaway.
_LIMIT = 65_536
_RETRIES = 1_024

#: What is spoken to a cluster; `tcp` and `udp`: whatever the client speaks.
UpstreamProtocol = Literal["http1", "http2", "tcp", "udp"]

#: Nobody can be reached there: what it gets is closed (TCP) or dropped (UDP) at once, within Envoy's own host.
_NOWHERE = ("127.0.0.1", 0)


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """One address of a cluster. `draining` ones get new requests only when no other is left."""

    address: str
    port: int
    draining: bool = False


class ClusterSetting(Protocol):
    """One setting of a cluster."""

    def apply(self, cluster: Any) -> None:
        """Set it on the message of a cluster (`envoy.config.cluster.v3.Cluster`)."""


class UpstreamTLS(msgspec.Struct, frozen=True):
    """TLS to the endpoints of a cluster: the server name that is sent, and names of secrets (fetched by SDS) that say
    how their certificates are judged, and which certificate is shown (empty: none). The protocol of the cluster decides
    what is offered by ALPN.
    """

    server_name: str
    validation: str
    certificate: str = ""

    def apply(self, cluster: Any) -> None:
        """The transport socket."""
        _set_transport_socket(cluster.transport_socket, self)


class RetryBudget(msgspec.Struct, frozen=True):
    """How many retries at a time: `percent` of the requests of the last `interval` seconds, and at least
    `min_retry_concurrency`."""

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
    """A cluster whose endpoints come by ADS under its own name, or are all addresses of a `host` by DNS, and that
    reports as `stat_name` (no dots in it).
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
    """A cluster for connections and datagrams whose endpoints come by ADS in weighted parts; `tls` by the words that
    parts use for it.
    """
    message = _common(name, stat_name, 5.0, "tcp")
    message.type = protos.Cluster.EDS
    message.eds_cluster_config.eds_config.CopyFrom(ads())
    message.common_lb_config.locality_weighted_lb_config.SetInParent()
    for word, each in sorted((tls or {}).items()):
        match = message.transport_socket_matches.add(name=word)
        match.match[_WORD] = word
        _set_transport_socket(match.transport_socket, each)
    return resource(CLUSTER, name, protos.serialise(message), origins)


#: The key of endpoint metadata by which a part says its word for TLS.
_WORD = "tls"


class WeightedLocality(msgspec.Struct, frozen=True):
    """Endpoints that share a weight; without endpoints what falls to it is closed. `tls` is a word of its cluster for
    how they are spoken to (empty: plain).
    """

    endpoints: tuple[Endpoint, ...]
    weight: int
    transport_socket_match: str = ""


def weighted_load_assignment(
    cluster_name: str, localities: Sequence[WeightedLocality], *, origins: Sequence[Ref] = ()
) -> Resource:
    """The parts of a pool. Weights are exact on each of Envoy's threads, and a change of them touches no connection."""
    message = protos.ClusterLoadAssignment(cluster_name=cluster_name)
    for at, part in enumerate(localities):
        locality = message.endpoints.add()
        locality.locality.sub_zone = str(at)
        locality.load_balancing_weight.value = part.weight
        for each in part.endpoints or (Endpoint(*_NOWHERE),):
            host = locality.lb_endpoints.add()
            host.endpoint.address.socket_address.address = each.address
            host.endpoint.address.socket_address.port_value = each.port
            if part.transport_socket_match and part.endpoints:
                host.metadata.filter_metadata["envoy.transport_socket_match"][_WORD] = part.transport_socket_match
    return resource(ENDPOINTS, cluster_name, protos.serialise(message), origins)


def _set_transport_socket(socket: Any, tls: UpstreamTLS) -> None:
    socket.name = "envoy.transport_sockets.tls"
    socket.typed_config.CopyFrom(protos.pack(_tls(tls)))


def static_cluster(
    name: str,
    stat_name: str,
    endpoints: Sequence[Endpoint],
    *,
    connect_timeout: float = 5.0,
    protocol: UpstreamProtocol = "http1",
) -> Resource:
    """A cluster that carries its addresses with it."""
    message = _common(name, stat_name, connect_timeout, protocol)
    message.type = protos.Cluster.STATIC
    message.load_assignment.CopyFrom(_assignment(name, endpoints))
    return resource(CLUSTER, name, protos.serialise(message))


def cluster_load_assignment(cluster_name: str, endpoints: Sequence[Endpoint]) -> Resource:
    """The endpoints of a cluster, in one order whatever the order given. None at all is a valid answer: 503."""
    return resource(ENDPOINTS, cluster_name, protos.serialise(_assignment(cluster_name, endpoints)))


def ads() -> Any:
    """Where everything dynamic comes from: the stream that is open already."""
    return protos.ConfigSource(ads={}, resource_api_version="V3")


def _common(name: str, stat_name: str, connect_timeout: float, protocol: UpstreamProtocol) -> Any:
    if "." in stat_name:
        raise ValueError(f"stat_name {stat_name!r} has a dot: Envoy would cut the cluster's name there")
    message = protos.Cluster(name=name, alt_stat_name=stat_name, lb_policy=protos.Cluster.LEAST_REQUEST)
    message.connect_timeout.FromMilliseconds(round(connect_timeout * 1000))
    # A host that left its EndpointSlice gets no new request, whatever else is known of it.
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


def _tls(found: UpstreamTLS) -> Any:
    context = protos.UpstreamTlsContext(sni=found.server_name)
    common = context.common_tls_context
    common.tls_params.tls_minimum_protocol_version = common.tls_params.TLSv1_2
    # Envoy's own default as a client is 1.2, and some backends take nothing below 1.3.
    common.tls_params.tls_maximum_protocol_version = common.tls_params.TLSv1_3
    common.validation_context_sds_secret_config.name = found.validation
    common.validation_context_sds_secret_config.sds_config.CopyFrom(ads())
    if found.certificate:
        common.tls_certificate_sds_secret_configs.add(name=found.certificate, sds_config=ads())
    return context


def _assignment(cluster_name: str, endpoints: Sequence[Endpoint]) -> Any:
    message = protos.ClusterLoadAssignment(cluster_name=cluster_name)
    if endpoints:
        locality = message.endpoints.add()
        for each in sorted(set(endpoints)):
            host = locality.lb_endpoints.add()
            host.endpoint.address.socket_address.address = each.address
            host.endpoint.address.socket_address.port_value = each.port
            if each.draining:
                host.health_status = 5  # DEGRADED: only when no healthy host is left
    return message
