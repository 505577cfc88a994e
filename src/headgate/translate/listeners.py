"""Ports to Envoy listeners: one per port, with the RouteConfigurations of its filter chains."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from headgate.api.meta import Key
from headgate.envoy import listeners as envoy
from headgate.envoy.http_filters import Tier
from headgate.envoy.names import LISTENER
from headgate.envoy.resources import Resource, VirtualHost
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir import streams
from headgate.ir.streams import StreamFilterChain
from headgate.ir.tls import ClientValidation
from headgate.ir.tracing import Tracing
from headgate.world import Routing, World

from . import names, settings, tiers, tracing
from .streams import cluster_name_of as pool_cluster

#: A cluster that does not exist: a UDP listener without a route drops all datagrams.
NO_ROUTE = "no-route"


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listener resources, their versions by port, and the names of RouteConfigurations."""

    resources: Collection[tuple[Key, str, str], Resource]
    versions: Collection[tuple[Key, ir.Transport, int], tuple[str, str]]
    configurations: Collection[tuple[Key, str], str]


def declare(world: World, routing: Routing, hosts: Collection[tuple[Key, str, str], VirtualHost]) -> Listeners:
    """Listeners and RouteConfigurations. A Gateway has no listeners until its Envoys report how they bind, since a
    wrong address would be worse than none.
    """
    engine = world.engine
    configurations = engine.flat_map("route configurations", routing.ports, _configurations)
    chain_tiers = tiers.declare(engine, configurations, hosts)

    def listener(read: Read, key: tuple[Key, ir.Transport, int], port: ir.Port) -> Resource | None:
        binding = read(world.bindings, key[0])
        if binding is None or not _has_address(binding):
            return None
        streams_of_port = read(routing.streams, key) or ()
        chains = {each.listener: _stream_chains(read, routing, each) for each in streams_of_port}
        by_configuration = {name: read(chain_tiers, (key[0], name)) or Tier.NONE for name in _http_chains(port)}
        return render(port, binding, chains, _traced(read, routing, port), by_configuration)

    def keyed(
        _read: Read, key: tuple[Key, ir.Transport, int], resource: Resource
    ) -> Iterable[tuple[tuple[Key, str, str], Resource]]:
        yield (key[0], LISTENER, resource.name), resource

    by_port = engine.map("listeners by port", routing.ports, listener)
    return Listeners(
        resources=engine.flat_map("listener resources", by_port, keyed),
        versions=engine.map("versions of listeners", by_port, lambda _read, _key, found: (found.name, found.version)),
        configurations=configurations,
    )


def _configurations(
    _read: Read, key: tuple[Key, ir.Transport, int], port: ir.Port
) -> Iterable[tuple[tuple[Key, str], str]]:
    for name in _http_chains(port):
        yield (key[0], name), name


def _http_chains(port: ir.Port) -> Iterable[str]:
    """The RouteConfigurations of a port's filter chains."""
    return dict.fromkeys(ir.configuration_name(each) for each in port.listeners if each.protocol in ("HTTP", "HTTPS"))


def _traced(read: Read, routing: Routing, port: ir.Port) -> Tracing | None:
    """How requests are traced; a port without HTTP has none."""
    has_http = any(each.protocol in ("HTTP", "HTTPS") for each in port.listeners)
    return read(routing.tracing, port.gateway) if has_http else None


def _has_address(binding: ir.Binding) -> bool:
    """Whether the address to bind is known. On a shared network it is the Service's, once that is assigned."""
    return binding.bind == "pod" or bool(binding.address)


#: Filter chains of a listener of TLS, TCP or UDP, each with the cluster for its connections.
Streams = Sequence[tuple[StreamFilterChain, str]]


def _stream_chains(read: Read, routing: Routing, listener: streams.ListenerStreams) -> Streams:
    return [(chain, _cluster(read, routing, listener.gateway, chain)) for chain in listener.chains]


def _cluster(read: Read, routing: Routing, gateway: Key, chain: StreamFilterChain) -> str:
    settings.check_unset(chain.security)
    if chain.backends is None or not chain.backends.originates_tls:
        return names.stream_cluster(chain.backends) if chain.backends else ""
    pool = read(routing.weighted_backends, (gateway, chain.backends))
    return pool_cluster(pool) if pool else ""


def render(
    port: ir.Port,
    binding: ir.Binding,
    chains: Mapping[str, Streams] | None = None,
    traced: Tracing | None = None,
    http_tiers: Mapping[str, Tier] | None = None,
) -> Resource:
    """The listener of a port: one chain for plain HTTP, one per server name for HTTPS; `chains` of the listeners of
    other protocols by name; `http_tiers` by RouteConfiguration (default: standard).
    """
    address = "0.0.0.0" if binding.bind == "pod" else binding.address  # noqa: S104 - a pod has its own network
    for each in port.listeners:
        if each.protocol not in ("HTTP", "HTTPS"):
            settings.check_unset(each.client_traffic)
    name, number = names.listener("UDP" if port.family == "UDP" else "TCP", port.number), binding.port(port.number)
    if port.family == "UDP":
        clusters = [cluster for each in port.listeners for _, cluster in (chains or {}).get(each.name, ())]
        return envoy.udp_listener(name, address, number, clusters[0] if clusters else NO_ROUTE)
    filter_chains = [*_chains(port, http_tiers or {}), *_streams(port, chains or {})]
    return envoy.listener(
        name,
        address,
        number,
        filter_chains or [envoy.FilterChain(name="no-filter-chain")],
        tracing_config=None if traced is None else tracing.render(traced, port.gateway),
    )


def _streams(port: ir.Port, chains: Mapping[str, Streams]) -> Iterable[envoy.FilterChain]:
    for each in port.listeners:
        for chain, cluster in chains.get(each.name, ()):
            yield envoy.FilterChain(
                name=chain.name,
                cluster=cluster,
                server_names=chain.server_names,
                secrets=tuple(names.secret(found.secret) for found in each.certificates) if cluster else (),
            )


def _chains(port: ir.Port, http_tiers: Mapping[str, Tier]) -> Iterable[envoy.FilterChain]:
    if port.family == "HTTP":
        name = ir.configuration_name(port.listeners[0])
        plain = envoy.FilterChain(name=name, route_configuration=name, tier=http_tiers.get(name, Tier.STANDARD))
        yield _with_client_traffic(plain, port.listeners, {})
        return
    for each in port.listeners:
        if each.protocol != "HTTPS":
            continue
        configuration = ir.configuration_name(each)
        chain = envoy.FilterChain(
            name=each.name,
            route_configuration=configuration,
            server_names=(each.hostname,) if each.hostname else (),
            secrets=tuple(names.secret(certificate.secret) for certificate in each.certificates),
            tier=http_tiers.get(configuration, Tier.STANDARD),
        )
        yield _with_client_traffic(chain, (each,), _HTTPS)


_ChainChange = Callable[[envoy.FilterChain], envoy.FilterChain]


def _with_client_traffic(
    chain: envoy.FilterChain, listeners: Sequence[ir.Listener], renderers: Mapping[str, Callable[..., _ChainChange]]
) -> envoy.FilterChain:
    """The chain with the settings for its clients, which must be equal for all listeners of the chain."""
    for traffic in dict.fromkeys(listener.client_traffic for listener in listeners):
        if traffic != listeners[0].client_traffic:
            raise settings.NotRenderedError(f"listeners of chain {chain.name} differ in {traffic!r}")
        for change in settings.render(traffic, renderers):
            chain = change(chain)
    return chain


def _client_validation(validation: ClientValidation) -> _ChainChange:
    name = names.client_validation(validation)
    return lambda chain: msgspec.structs.replace(
        chain, client_validation=name, require_client_certificate=validation.required
    )


#: By field of `ir.ClientTraffic`: what a filter chain with TLS can do.
_HTTPS: Mapping[str, Callable[..., _ChainChange]] = {"client_validation": _client_validation}
