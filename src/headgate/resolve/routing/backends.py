"""The backends that each Gateway uses: by its routes, by filters of its listeners, by policies and for its traces."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.streams import WeightedBackends, WeightedBackendsKey
from headgate.ir.tracing import Tracing
from headgate.world import World

from ..attachment.routes import AttachedRoutes
from ..policies.routes import AttachmentKey, RoutePolicies, SecurityByRule
from .rules import Rules
from .streams import StreamRoutes

#: Per Gateway, backend and the object that uses it.
BackendUses = Collection[tuple[Key, ir.Backend, Hashable], ir.Backend]


@dataclass(frozen=True, slots=True)
class Backends:
    """The backends in use, each once."""

    #: Per Gateway: those with a cluster of their own, which are used by all but stream routes.
    backends: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: Per Gateway: those of all routes.
    used: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: Those of all Gateways.
    all: Collection[ir.Backend, ir.Backend]


def declare(world: World, uses: Sequence[BackendUses], stream_uses: BackendUses) -> Backends:
    """Fold all uses of a backend to one per Gateway. Backends of `stream_uses` get no cluster of their own."""
    engine = world.engine
    requests = engine.union("uses of backends", *uses)
    backends: Collection[tuple[Key, ir.Backend], ir.Backend] = engine.distinct(
        "backends of Gateways", requests, lambda key, _backend: (key[0], key[1]), lambda group: group[1]
    )
    used: Collection[tuple[Key, ir.Backend], ir.Backend] = engine.distinct(
        "backends of Gateways, with streams",
        engine.union("uses of backends, with streams", requests, stream_uses),
        lambda key, _backend: (key[0], key[1]),
        lambda group: group[1],
    )
    distinct: Collection[ir.Backend, ir.Backend] = engine.distinct(
        "backends", used, lambda key, _backend: key[1], lambda backend: backend
    )
    return Backends(backends, used, distinct)


def of_rules(world: World, attached: AttachedRoutes, rules: Rules) -> BackendUses:
    """The backends of the rules of HTTPRoutes and GRPCRoutes."""

    def uses(
        read: Read, route: Ref, route_rules: tuple[ir.Rule, ...]
    ) -> Iterable[tuple[tuple[Key, ir.Backend, Hashable], ir.Backend]]:
        for gateway in read(attached.gateways, route) or ():
            for rule in route_rules:
                for backend in rule.backends:
                    yield (gateway, backend, route), backend

    return world.engine.flat_map("backends of rules", rules.unweighted, uses)


def of_streams(world: World, streams: StreamRoutes) -> BackendUses:
    """The backends of TLSRoutes, TCPRoutes and UDPRoutes."""
    return world.engine.flat_map("backends of streams", streams.weighted_backends, _of_weighted)


def of_policies(world: World, policies: RoutePolicies) -> BackendUses:
    """The backends of the filters that policies add to routes."""
    return world.engine.flat_map("backends of route policies", policies.security, _of_security)


def of_tracing(world: World, tracing: Collection[Key, Tracing]) -> BackendUses:
    """The collectors of traces."""
    return world.engine.flat_map("backends of tracing", tracing, _of_tracing)


def _of_weighted(
    _read: Read, key: tuple[Key, WeightedBackendsKey], weighted: WeightedBackends
) -> Iterable[tuple[tuple[Key, ir.Backend, Hashable], ir.Backend]]:
    for backend in sorted({backend for backend in weighted.backends if backend is not None}):
        yield (key[0], backend, key[1]), backend


def _of_security(
    _read: Read, key: AttachmentKey, by_rule: SecurityByRule
) -> Iterable[tuple[tuple[Key, ir.Backend, Hashable], ir.Backend]]:
    used = {backend for _, security in by_rule for filter_ in security.filters for backend in filter_.backends}
    for backend in sorted(used):
        yield (key[0], backend, key), backend


def _of_tracing(
    _read: Read, gateway: Key, tracing: Tracing
) -> Iterable[tuple[tuple[Key, ir.Backend, Hashable], ir.Backend]]:
    yield (gateway, tracing.collector, Ref("Gateway", gateway.namespace, gateway.name)), tracing.collector
