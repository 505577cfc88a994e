"""TLSRoute, TCPRoute, UDPRoute: which of them gets the connections of a listener, and where it sends them.

One wins and the others stand by, accepted and counted: on TCP and UDP the oldest, on TLS for each server name the one
with the most specific hostname as written, then the oldest (`TLSRouteSpec.hostnames`). What matches nobody is closed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.hostnames import ANY_HOST, covers, rank
from headgate.ir.streams import ListenerStreams, StreamFilterChain, WeightedBackends, WeightedBackendsKey
from headgate.world import World
from headgate.world.objects import ROUTE_KINDS

from ..attachment.listeners import Listeners
from ..attachment.routes import AttachedRoutes, Attachment, RouteSnapshot
from ..references import resolver
from ..references.resolver import References
from . import rule_fields

#: The kinds of routes that carry connections or datagrams.
_KINDS = frozenset(kind.name for kind in ROUTE_KINDS if kind.is_stream_route)

#: Gateway, transport and number.
PortKey = tuple[Key, ir.Transport, int]


class StreamBackends(msgspec.Struct, frozen=True, gc=False):
    """Where a route sends connections, as its one rule says, and what is wrong with that."""

    targets: tuple[ir.Backend | None, ...]
    weights: tuple[int, ...]
    problems: tuple[Problem, ...]


class Candidate(msgspec.Struct, frozen=True, gc=False, order=True):
    """A route that wants a server name of a listener; the smallest wins."""

    hostname_rank: tuple[int, int]
    created: str
    name: str
    route: Ref


@dataclass(frozen=True, slots=True)
class StreamRoutes:
    """Winners and their backends."""

    problems: Collection[Ref, tuple[Problem, ...]]
    #: Per port: what each listener of TLS, TCP or UDP does.
    streams: Collection[PortKey, tuple[ListenerStreams, ...]]
    #: Per Gateway: the pools that its listeners use.
    pools: Collection[tuple[Key, WeightedBackendsKey], WeightedBackends]


def declare(world: World, references: References, listeners: Listeners, attached: AttachedRoutes) -> StreamRoutes:
    """Read every route, and choose."""
    engine = world.engine

    def shared(read: Read, key: Ref, found: RouteSnapshot) -> StreamBackends | None:
        spec = found.spec
        if isinstance(spec, api.StreamRouteSpec):
            return _Reader(read, references, key).shared(spec)
        return None

    every = engine.map("streams", attached.snapshots, shared)
    originating = engine.map("streams that originate TLS", every, lambda _read, _key, found: _originates(found))

    def candidates(
        read: Read, key: tuple[Key, str, Ref], place: Attachment
    ) -> Iterable[tuple[tuple[Key, str, Ref, str], Candidate]]:
        claim = read(attached.parent_refs, key[2])
        if claim is None or key[2].kind not in _KINDS:
            return
        for served, written in place.hostnames if key[2].kind == "TLSRoute" else ((ANY_HOST, ANY_HOST),):
            yield (*key, served), Candidate(rank(written), claim.created, str(key[2].key), key[2])

    winners: Collection[tuple[Key, str, str], Candidate] = engine.least(
        "winners of server names",
        engine.flat_map("candidates for server names", attached.attachments, candidates),
        lambda key, _found: (key[0], key[1], key[3]),
        lambda _key, found: found,
    )
    won: Collection[tuple[Key, str], tuple[tuple[tuple[Key, str, str], Candidate], ...]] = engine.sorted(
        "server names of a listener", winners, lambda key, _found: (key[0], key[1]), lambda key, _found: key[2]
    )

    def streams_of(read: Read, key: PortKey, port: ir.Port) -> tuple[ListenerStreams, ...] | None:
        found = []
        for listener in port.listeners:
            if listener.protocol in ("TLS", "TCP", "UDP"):
                names = {name[2]: each.route for name, each in read(won, (key[0], listener.name)) or ()}
                found.append(_streams(read, originating, port, listener, names))
        return tuple(found) or None

    by_port = engine.map("streams of ports", listeners.ports, streams_of)
    used: Collection[tuple[Key, WeightedBackendsKey], WeightedBackendsKey] = engine.least(
        "pools in use",
        engine.flat_map("uses of pools", by_port, _uses),
        lambda key, _name: (key[0][0], key[1]),
        lambda _key, _name: 0,
    )

    def pool(read: Read, _key: tuple[Key, WeightedBackendsKey], name: WeightedBackendsKey) -> WeightedBackends | None:
        found = read(every, name.route)
        return _pool(name, found) if found else None

    return StreamRoutes(
        problems=engine.map("problems of streams", every, lambda _read, _key, found: found.problems),
        streams=by_port,
        pools=engine.map("pools", used, pool),
    )


# One route.


class _Reader:
    """Reads one route."""

    def __init__(self, read: Read, references: References, ref: Ref) -> None:
        self._read = read
        self._references = references
        self._ref = ref
        self._problems: list[Problem] = []

    def shared(self, spec: api.StreamRouteSpec) -> StreamBackends:
        if isinstance(spec, api.TLSRouteSpec):
            self._problems += rule_fields.hostnames(spec.hostnames)
        backends: tuple[api.BackendRef, ...] = ()
        if len(spec.rules) == 1:
            backends = spec.rules[0].backend_refs
        else:
            self._problems.append(
                conditions.invalid_value("spec.rules", f"{len(spec.rules)} rules", "there must be one").problem
            )
        targets = tuple(self._target(f"spec.rules[0].backendRefs[{at}]", ref) for at, ref in enumerate(backends))
        return StreamBackends(targets, tuple(ref.weight for ref in backends), tuple(self._problems))

    def _target(self, path: str, ref: api.BackendRef) -> ir.Backend | None:
        try:
            return resolver.backend(self._read, self._references, path, ref, self._ref)
        except Invalid as error:
            self._problems.append(error.problem)
            return None


def _originates(found: StreamBackends) -> bool | None:
    return True if any(target is not None and target.traffic.tls is not None for target in found.targets) else None


def _pool(name: WeightedBackendsKey, found: StreamBackends) -> WeightedBackends:
    targets = found.targets
    if not name.originates_tls:
        targets = tuple(target and msgspec.structs.replace(target, traffic=ir.BackendTraffic()) for target in targets)
    return WeightedBackends(name, targets, found.weights)


# One listener.


def _streams(
    read: Read, originating: Collection[Ref, bool], port: ir.Port, listener: ir.Listener, names: dict[str, Ref]
) -> ListenerStreams:
    by_route: dict[Ref, list[str]] = defaultdict(list)
    for name, route in names.items():
        if _own(port.listeners, listener, name):
            by_route[route].append(name)
    chains = []
    for route, served in by_route.items():
        terminated = listener.protocol == "TLS" and listener.mode == "Terminate"
        pool = WeightedBackendsKey(route, terminated and read(originating, route) is True)
        chains.append(StreamFilterChain(f"{listener.name} {route}", pool, tuple(filter(None, sorted(served)))))
    chains.sort(key=lambda chain: chain.name)
    return ListenerStreams(port.gateway, listener.name, (*chains, *_closing(port, listener, names)))


def _own(listeners: Sequence[ir.Listener], listener: ir.Listener, name: str) -> bool:
    """Whether a server name is this listener's, and not that of one with a more specific hostname (isolation)."""
    return ir.select_listener(tuple(listeners), name) is listener


def _closing(port: ir.Port, listener: ir.Listener, names: dict[str, Ref]) -> Iterable[StreamFilterChain]:
    """What no route of the listener takes must not fall to a listener with a wider hostname, and is closed."""
    wider = any(each is not listener and covers(each.hostname, listener.hostname) for each in port.listeners)
    if listener.hostname and wider and listener.hostname not in names:
        yield StreamFilterChain(f"{listener.name} closed", None, (listener.hostname,))


def _uses(
    _read: Read, key: PortKey, found: tuple[ListenerStreams, ...]
) -> Iterable[tuple[tuple[PortKey, WeightedBackendsKey], WeightedBackendsKey]]:
    names = {chain.backends for each in found for chain in each.chains if chain.backends is not None}
    for name in sorted(names):
        yield (key, name), name
