"""TLSRoutes, TCPRoutes and UDPRoutes: which route gets the connections of a listener, and its backends.

One route gets them; the others are accepted and attached, and take over when it goes. On TCP and UDP it is the oldest
route. On TLS it is, per server name, the route with the most specific hostname, then the oldest
(`TLSRouteSpec.hostnames`). A connection that matches no route is closed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem, about
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.hostnames import ANY_HOST, covers, rank
from headgate.ir.streams import ListenerStreams, StreamFilterChain, WeightedBackends, WeightedBackendsKey
from headgate.world import World
from headgate.world.objects import ROUTE_KINDS

from ..attachment.listeners import Listeners
from ..attachment.routes import AttachedRoutes, Attachment, RouteSnapshot
from ..policies.routes import RoutePolicies
from ..references.resolver import References, Resolver
from . import rule_fields

#: Kinds of routes that carry connections or datagrams.
_KINDS = frozenset(kind.name for kind in ROUTE_KINDS if kind.is_stream_route)

#: Gateway, transport and port number.
PortKey = tuple[Key, ir.Transport, int]
#: Gateway, listener and server name.
ServerNameKey = tuple[Key, str, str]


class StreamBackends(msgspec.Struct, frozen=True, gc=False):
    """The backends and weights of a route's one rule, and the problems. A backend is None if its reference does not
    resolve.
    """

    backends: tuple[ir.Backend | None, ...]
    weights: tuple[int, ...]
    problems: tuple[Problem, ...]


class Candidate(msgspec.Struct, frozen=True, gc=False, order=True):
    """A route that is attached to a listener for a server name. Of several the smallest gets the connections."""

    hostname_rank: tuple[int, int]
    created: str
    name: str
    route: Ref


@dataclass(frozen=True, slots=True)
class StreamRoutes:
    """The routes that get connections, and their backends."""

    problems: Collection[Ref, tuple[Problem, ...]]
    #: Per port: the filter chains of each listener of TLS, TCP or UDP.
    streams: Collection[PortKey, tuple[ListenerStreams, ...]]
    #: Per Gateway: the weighted backends that its filter chains use.
    weighted_backends: Collection[tuple[Key, WeightedBackendsKey], WeightedBackends]


def declare(
    world: World, references: References, listeners: Listeners, attached: AttachedRoutes, policies: RoutePolicies
) -> StreamRoutes:
    """Resolve every route, and select one per listener and server name."""
    engine = world.engine

    def stream_backends(read: Read, route: Ref, snapshot: RouteSnapshot) -> StreamBackends | None:
        if isinstance(snapshot.spec, api.StreamRouteSpec):
            return _stream_backends(Resolver(read, references, route), route, snapshot.spec)
        return None

    all_backends = engine.map("backends of stream routes", attached.snapshots, stream_backends)
    originating = engine.map("stream routes that originate TLS", all_backends, _originates_tls)
    by_listener = _server_names(world, attached)

    def streams(read: Read, key: PortKey, port: ir.Port) -> tuple[ListenerStreams, ...] | None:
        of_port = []
        for listener in port.listeners:
            if listener.protocol in ("TLS", "TCP", "UDP"):
                selected = read(by_listener, (key[0], listener.name)) or ()
                routes = {server_name: candidate.route for (_, _, server_name), candidate in selected}
                of_port.append(_listener_streams(read, originating, policies, port, listener, routes))
        return tuple(of_port) or None

    by_port = engine.map("streams of ports", listeners.ports, streams)
    used: Collection[tuple[Key, WeightedBackendsKey], WeightedBackendsKey] = engine.least(
        "weighted backends in use",
        engine.flat_map("uses of weighted backends", by_port, _uses),
        lambda key, _name: (key[0][0], key[1]),
        lambda _key, _name: 0,
    )

    def weighted(
        read: Read, _key: tuple[Key, WeightedBackendsKey], name: WeightedBackendsKey
    ) -> WeightedBackends | None:
        backends = read(all_backends, name.route)
        return _weighted_backends(name, backends) if backends else None

    return StreamRoutes(
        problems=engine.map("problems of stream routes", all_backends, lambda _read, _key, of_route: of_route.problems),
        streams=by_port,
        weighted_backends=engine.map("weighted backends", used, weighted),
    )


def _server_names(
    world: World, attached: AttachedRoutes
) -> Collection[tuple[Key, str], tuple[tuple[ServerNameKey, Candidate], ...]]:
    """Per Gateway and listener: the selected route of each server name, sorted by server name."""
    engine = world.engine

    def candidates(
        read: Read, key: tuple[Key, str, Ref], attachment: Attachment
    ) -> Iterable[tuple[tuple[Key, str, Ref, str], Candidate]]:
        gateway, listener, route = key
        parent_refs = read(attached.parent_refs, route)
        if parent_refs is None or route.kind not in _KINDS:
            return
        hostnames = attachment.hostnames if route.kind == "TLSRoute" else ((ANY_HOST, ANY_HOST),)
        for server_name, declared in hostnames:
            candidate = Candidate(rank(declared), parent_refs.created, str(route.key), route)
            yield (gateway, listener, route, server_name), candidate

    selected: Collection[ServerNameKey, Candidate] = engine.least(
        "routes of server names",
        engine.flat_map("candidates for server names", attached.attachments, candidates),
        lambda key, _candidate: (key[0], key[1], key[3]),
        lambda _key, candidate: candidate,
    )
    return engine.sorted(
        "server names of listeners", selected, lambda key, _candidate: (key[0], key[1]), lambda key, _candidate: key[2]
    )


# One route.


def _stream_backends(resolver: Resolver, route: Ref, spec: api.StreamRouteSpec) -> StreamBackends:
    problems: list[Problem] = []
    if isinstance(spec, api.TLSRouteSpec):
        problems += rule_fields.hostnames(spec.hostnames)
    refs: tuple[api.BackendRef, ...] = ()
    if len(spec.rules) == 1:
        refs = spec.rules[0].backend_refs
    else:
        problems.append(conditions.invalid_value("spec.rules", f"{len(spec.rules)} rules", "use one rule").problem)
    backends: list[ir.Backend | None] = []
    for index, ref in enumerate(refs):
        try:
            backends.append(resolver.backend(f"spec.rules[0].backendRefs[{index}]", ref))
        except Invalid as error:
            problems.append(error.problem)
            backends.append(None)
    return StreamBackends(tuple(backends), tuple(ref.weight for ref in refs), about(route, problems))


def _originates_tls(_read: Read, _route: Ref, found: StreamBackends) -> bool | None:
    """True if a BackendTLSPolicy applies to any backend; None otherwise."""
    return True if any(backend is not None and backend.traffic.tls is not None for backend in found.backends) else None


def _weighted_backends(key: WeightedBackendsKey, resolved: StreamBackends) -> WeightedBackends:
    backends = resolved.backends
    if not key.originates_tls:
        backends = tuple(
            backend and msgspec.structs.replace(backend, traffic=ir.BackendTraffic()) for backend in backends
        )
    return WeightedBackends(key, backends, resolved.weights)


# One listener.


def _listener_streams(
    read: Read,
    originating: Collection[Ref, bool],
    policies: RoutePolicies,
    port: ir.Port,
    listener: ir.Listener,
    routes: dict[str, Ref],
) -> ListenerStreams:
    """The filter chains of a listener: one per route, with the server names that the route gets."""
    by_route: dict[Ref, list[str]] = defaultdict(list)
    for server_name, route in routes.items():
        if _belongs_to(port.listeners, listener, server_name):
            by_route[route].append(server_name)
    chains = []
    for route, server_names in by_route.items():
        terminates = listener.protocol == "TLS" and listener.mode == "Terminate"
        backends = WeightedBackendsKey(route, terminates and read(originating, route) is True)
        names = tuple(filter(None, sorted(server_names)))
        security = policies.of_stream(read, (port.gateway, listener.name, route))
        chains.append(
            StreamFilterChain(
                f"{listener.name} {route}",
                None if security.closed else backends,
                names,
                security=msgspec.structs.replace(security, closed=None),
            )
        )
    chains.sort(key=lambda chain: chain.name)
    return ListenerStreams(port.gateway, listener.name, (*chains, *_closing_chain(port, listener, routes)))


def _belongs_to(listeners: Sequence[ir.Listener], listener: ir.Listener, server_name: str) -> bool:
    """Whether no listener of the port has a more specific hostname for the server name (listener isolation)."""
    return ir.select_listener(tuple(listeners), server_name) is listener


def _closing_chain(port: ir.Port, listener: ir.Listener, routes: dict[str, Ref]) -> Iterable[StreamFilterChain]:
    """A chain that closes connections which no route of the listener gets; without it Envoy would give them to a
    listener with a wider hostname.
    """
    is_covered = any(other is not listener and covers(other.hostname, listener.hostname) for other in port.listeners)
    if listener.hostname and is_covered and listener.hostname not in routes:
        yield StreamFilterChain(f"{listener.name} closed", None, (listener.hostname,))


def _uses(
    _read: Read, key: PortKey, found: tuple[ListenerStreams, ...]
) -> Iterable[tuple[tuple[PortKey, WeightedBackendsKey], WeightedBackendsKey]]:
    names = {chain.backends for streams in found for chain in streams.chains if chain.backends is not None}
    for name in sorted(names):
        yield (key, name), name
