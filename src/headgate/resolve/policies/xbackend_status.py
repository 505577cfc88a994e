"""Which XBackends routes name, what those are told, and which pods must be found for them."""

from collections.abc import Iterable
from dataclasses import dataclass

from headgate.api import gateway as api
from headgate.api import gateway_x
from headgate.api.meta import Key, Ref
from headgate.conditions import condition_from
from headgate.conditions import x_backend as say
from headgate.incremental import Collection, Index, Read
from headgate.ir.tracing import Tracing
from headgate.world import PodSelection, World

from ..attachment.routes import AttachedRoutes, RouteSnapshot
from ..gateways.managed import ManagedGateways
from ..references.resolver import References
from ..references.xbackends import KIND, ExternalBackend, service_name
from .ancestors import Entries, entry

#: As many ancestors as an XBackend can carry.
_MOST = 32


@dataclass(frozen=True, slots=True)
class Named:
    """Per XBackend that a route of ours names."""

    statuses: Collection[Ref, Entries]
    selections: Collection[Key, PodSelection]


def declare(
    world: World,
    references: References,
    gateways: ManagedGateways,
    attached: AttachedRoutes,
    tracing: Collection[Key, Tracing],
) -> Named:
    """Follow the names from XBackends to routes to Gateways, and to those that send traces there."""
    engine, found = world.engine, references.xbackends.backends
    naming: Index[Key, Ref] = engine.index("routes that name an x backend", attached.snapshots, _names)
    told: Index[Key, Key] = engine.index("gateways that tell an x backend", tracing, _collects)

    def users(read: Read, key: Key) -> list[Key]:
        routes = read.group(naming, key)
        sending = {gateway for route in routes for gateway in read(attached.gateways, route) or ()}
        return sorted(sending.union(read.group(told, key)))

    def status(read: Read, key: Key, each: ExternalBackend) -> Iterable[tuple[Ref, Entries]]:
        entries = []
        for gateway in users(read, key):
            controller = read(gateways.controllers, gateway)
            if controller is not None:
                entries.append(_entry(gateway, controller, each))
        if entries:
            yield Ref(KIND, key.namespace, key.name), tuple(entries[:_MOST])

    def selection(read: Read, key: Key, each: ExternalBackend) -> PodSelection | None:
        if not each.selector or each.problems or not users(read, key):
            return None
        return PodSelection(each.uid, service_name(key.name), dict(each.selector), each.port)

    return Named(
        engine.flat_map("statuses of x backends", found, status), engine.map("selections of pods", found, selection)
    )


def _names(route: Ref, found: RouteSnapshot) -> Iterable[Key]:
    refs = (ref for rule in found.spec.rules for ref in rule.backend_refs)
    return {Key(route.namespace, ref.name) for ref in refs if (ref.group, ref.kind) == (gateway_x.GROUP, KIND)}


def _collects(_gateway: Key, found: Tracing) -> Iterable[Key]:
    return () if found.collector.x_backend is None else (found.collector.x_backend,)


def _entry(gateway: Key, controller: str, found: ExternalBackend) -> api.PolicyAncestorStatus:
    return entry(gateway, controller, found.generation, [condition_from(say.accepted(), found.problems)])
