"""The backends that each Gateway uses: by its routes, by filters of its listeners, and for its traces."""

from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True)
class Backends:
    """The backends in use, each once."""

    #: Per Gateway: those with a cluster of their own, which are used by all but stream routes.
    backends: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: Per Gateway: those of all routes.
    used: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: Those of all Gateways.
    all: Collection[ir.Backend, ir.Backend]


def declare(
    world: World,
    attached: AttachedRoutes,
    rules: Rules,
    streams: StreamRoutes,
    tracing: Collection[Key, Tracing],
    of_listeners: Collection[tuple[Key, ir.Backend, Ref], ir.Backend],
    policies: RoutePolicies,
) -> Backends:
    """Collect every use of a backend, and fold them to one per Gateway and backend."""
    engine = world.engine

    def of_routes(
        read: Read, route: Ref, rules: tuple[ir.Rule, ...]
    ) -> Iterable[tuple[tuple[Key, ir.Backend, Ref], ir.Backend]]:
        for gateway in read(attached.gateways, route) or ():
            for rule in rules:
                for backend in rule.backends:
                    yield (gateway, backend, route), backend

    uses = engine.union(
        "uses of backends",
        engine.flat_map("backends of rules", rules.unweighted, of_routes),
        engine.flat_map("backends of tracing", tracing, _of_tracing),
        of_listeners,
        engine.flat_map("backends of route policies", policies.security, _of_security),
    )
    backends: Collection[tuple[Key, ir.Backend], ir.Backend] = engine.distinct(
        "backends of Gateways", uses, lambda key, _backend: (key[0], key[1]), lambda group: group[1]
    )
    of_streams = engine.flat_map("backends of streams", streams.weighted_backends, _of_weighted)
    used: Collection[tuple[Key, ir.Backend], ir.Backend] = engine.distinct(
        "backends of Gateways, with streams",
        engine.union("uses of backends, with streams", uses, of_streams),
        lambda key, _backend: (key[0], key[1]),
        lambda group: group[1],
    )
    distinct: Collection[ir.Backend, ir.Backend] = engine.distinct(
        "backends", used, lambda key, _backend: key[1], lambda backend: backend
    )
    return Backends(backends, used, distinct)


def _of_weighted(
    _read: Read, key: tuple[Key, WeightedBackendsKey], weighted: WeightedBackends
) -> Iterable[tuple[tuple[Key, ir.Backend, WeightedBackendsKey], ir.Backend]]:
    for backend in sorted({backend for backend in weighted.backends if backend is not None}):
        yield (key[0], backend, key[1]), backend


def _of_security(
    _read: Read, key: AttachmentKey, by_rule: SecurityByRule
) -> Iterable[tuple[tuple[Key, ir.Backend, AttachmentKey], ir.Backend]]:
    used = {backend for _, security in by_rule for each in security.filters for backend in each.backends}
    for backend in sorted(used):
        yield (key[0], backend, key), backend


def _of_tracing(
    _read: Read, gateway: Key, tracing: Tracing
) -> Iterable[tuple[tuple[Key, ir.Backend, Ref], ir.Backend]]:
    yield (gateway, tracing.collector, Ref("Gateway", gateway.namespace, gateway.name)), tracing.collector
