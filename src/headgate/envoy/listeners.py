"""Listeners: the addresses where Envoy accepts connections, and their filter chains."""

from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.api.meta import Ref

from . import http_filters, protos, tracing
from .clusters import ads
from .http_filters import Tier
from .names import LISTENER
from .resources import Resource, resource

#: Seconds from the first byte of a request to the end of its headers, then 408. Envoy has no limit by default, so a
#: client could hold connections with half headers. `request_timeout` would also end long uploads and streams: the limit
#: of a request body is Envoy's `stream_idle_timeout`, five minutes without a byte.
REQUEST_HEADERS_TIMEOUT = 10


class FilterChain(msgspec.Struct, frozen=True):
    """The chain for connections with one of these server names (SNI; `*.example.com` is a suffix, none is all others).
    With `secrets` (names of certificates, fetched by SDS) it terminates TLS.

    With a `route_configuration` it serves HTTP/1.1 and HTTP/2. With a `cluster` it forwards the bytes. With neither it
    closes the connection.
    """

    name: str
    route_configuration: str = ""
    server_names: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    #: The SDS secret with the validation context for client certificates; empty: none is requested.
    client_validation: str = ""
    #: Whether a client without a certificate is rejected.
    require_client_certificate: bool = False
    cluster: str = ""
    #: Which HTTP filters it has, besides the router.
    tier: Tier = Tier.STANDARD


def listener(
    name: str,
    address: str,
    port: int,
    chains: Sequence[FilterChain],
    *,
    tracing_config: tracing.Tracing | None = None,
    origins: Sequence[Ref] = (),
) -> Resource:
    """A TCP listener. Chains that serve HTTP fetch their routes by RDS.

    Paths are normalized (`/a/../b` is `/b`) before they are matched, so `..` cannot bypass a route.
    """
    message = protos.Listener(name=name)
    message.address.socket_address.address = address
    message.address.socket_address.port_value = port
    message.per_connection_buffer_limit_bytes.value = 1 << 20
    if any(chain.secrets or chain.server_names for chain in chains):
        inspector = message.listener_filters.add(name="envoy.filters.listener.tls_inspector")
        inspector.typed_config.CopyFrom(protos.pack(protos.TlsInspector()))
    for chain in chains:
        filter_chain = message.filter_chains.add(name=chain.name)
        if chain.server_names:
            filter_chain.filter_chain_match.server_names.extend(chain.server_names)
        if chain.route_configuration:
            manager = filter_chain.filters.add(name="envoy.filters.network.http_connection_manager")
            manager.typed_config.CopyFrom(protos.pack(_connection_manager(chain, port, tracing_config)))
        elif chain.cluster:
            proxy = filter_chain.filters.add(name="envoy.filters.network.tcp_proxy")
            proxy.typed_config.CopyFrom(protos.pack(protos.TcpProxy(stat_prefix=f"tcp-{port}", cluster=chain.cluster)))
        if chain.secrets:
            filter_chain.transport_socket.name = "envoy.transport_sockets.tls"
            filter_chain.transport_socket.typed_config.CopyFrom(protos.pack(_tls(chain)))
    return resource(LISTENER, name, protos.serialise(message), origins)


def udp_listener(name: str, address: str, port: int, cluster: str) -> Resource:
    """A UDP listener that forwards datagrams to a cluster, those of one client to one endpoint, and the answers back.
    If the cluster does not exist, they are dropped.
    """
    message = protos.Listener(name=name)
    message.address.socket_address.address = address
    message.address.socket_address.port_value = port
    message.address.socket_address.protocol = message.address.socket_address.UDP
    message.udp_listener_config.downstream_socket_config.SetInParent()
    config = protos.UdpProxyConfig(stat_prefix=f"udp-{port}")
    action = config.matcher.on_no_match.action
    action.name = "route"
    action.typed_config.CopyFrom(protos.pack(protos.UdpRoute(cluster=cluster)))
    proxy = message.listener_filters.add(name="envoy.filters.udp_listener.udp_proxy")
    proxy.typed_config.CopyFrom(protos.pack(config))
    return resource(LISTENER, name, protos.serialise(message))


def _connection_manager(chain: FilterChain, port: int, tracing_config: tracing.Tracing | None) -> Any:
    manager = protos.HttpConnectionManager(
        stat_prefix=f"http-{port}",
        rds={"route_config_name": chain.route_configuration, "config_source": ads()},
    )
    manager.use_remote_address.value = True
    manager.normalize_path.value = True
    manager.server_header_transformation = protos.HttpConnectionManager.PASS_THROUGH
    # Health checks of load balancers and older proxies speak HTTP/1.0. Without a Host header they get 400.
    manager.http_protocol_options.accept_http_10 = True
    manager.request_headers_timeout.seconds = REQUEST_HEADERS_TIMEOUT
    manager.upgrade_configs.add(upgrade_type="websocket")
    if tracing_config is not None:
        manager.tracing.CopyFrom(tracing.render(tracing_config))
    for slot in http_filters.chain(chain.tier):
        put_slot(slot, manager.http_filters.add(name=slot.name, disabled=True))
    router = manager.http_filters.add(name="envoy.filters.http.router")
    router.typed_config.CopyFrom(protos.pack(protos.Router(suppress_envoy_headers=True)))
    return manager


def put_slot(slot: http_filters.Slot, message: Any) -> None:
    """The configuration of a slot into an HttpFilter message."""
    config = protos.AnyMessage.FromString(slot.config)
    if slot.delivery is not http_filters.Delivery.ECDS:
        message.typed_config.CopyFrom(config)
        return
    discovery = message.config_discovery
    discovery.config_source.CopyFrom(ads())
    discovery.type_urls.append(config.type_url)
    # In use until the resource arrives. Without it the listener would wait for a resource that may never arrive.
    discovery.default_config.CopyFrom(config)
    discovery.apply_default_config_without_warming = True


def _tls(chain: FilterChain) -> Any:
    context = protos.DownstreamTlsContext()
    if chain.route_configuration:
        context.common_tls_context.alpn_protocols.extend(("h2", "http/1.1"))
    for name in chain.secrets:
        context.common_tls_context.tls_certificate_sds_secret_configs.add(name=name, sds_config=ads())
    if chain.client_validation:
        validation = context.common_tls_context.validation_context_sds_secret_config
        validation.name = chain.client_validation
        validation.sds_config.CopyFrom(ads())
        context.require_client_certificate.value = chain.require_client_certificate
    return context
