"""Statuses of XBackends, and the pods to be found for them.

An XBackend reports like a policy: to the Gateways of the routes that refer to it, and to those that send traces to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from headgate.api import gateway_x
from headgate.api.meta import Key, Ref
from headgate.conditions import condition_from
from headgate.conditions import x_backend as conditions
from headgate.incremental import Collection, Index, Read
from headgate.ir.tracing import Tracing
from headgate.world import PodSelection, World

from ..attachment.routes import AttachedRoutes, RouteSnapshot
from ..gateways.managed import ManagedGateways
from ..references.resolver import References
from ..references.xbackends import KIND, ExternalBackend, service_name
from .ancestors import Entries, entries, of_gateway

#: So many ancestors an XBackend can have (`XBackendStatus.ancestors`).
MAX_ANCESTORS = 32


@dataclass(frozen=True, slots=True)
class XBackendStatuses:
    """Per XBackend that a managed Gateway uses."""

    statuses: Collection[Ref, Entries]
    selections: Collection[Key, PodSelection]


def declare(
    world: World,
    references: References,
    gateways: ManagedGateways,
    attached: AttachedRoutes,
    tracing: Collection[Key, Tracing],
) -> XBackendStatuses:
    """Find the Gateways of every XBackend, also of those that are not accepted: the status is where the reason is."""
    engine, xbackends = world.engine, references.xbackends.backends
    by_route: Index[Key, Ref] = engine.index("routes that refer to an XBackend", attached.snapshots, _referred)
    by_tracing: Index[Key, Key] = engine.index("gateways that trace to an XBackend", tracing, _collector)

    def users(read: Read, key: Key) -> list[Key]:
        routes = read.group(by_route, key)
        serving = {gateway for route in routes for gateway in read(attached.gateways, route) or ()}
        return sorted(serving.union(read.group(by_tracing, key)))

    def status(read: Read, key: Key, xbackend: ExternalBackend) -> Iterable[tuple[Ref, Entries]]:
        accepted = condition_from(conditions.accepted(), xbackend.problems)
        by_ancestor = {of_gateway(gateway): (accepted,) for gateway in users(read, key)}
        ours = entries(read, gateways, xbackend.generation, by_ancestor, MAX_ANCESTORS)
        if ours:
            yield Ref(KIND, key.namespace, key.name), ours

    def selection(read: Read, key: Key, xbackend: ExternalBackend) -> PodSelection | None:
        if not xbackend.selector or xbackend.problems or not users(read, key):
            return None
        return PodSelection(xbackend.uid, service_name(key.name), dict(xbackend.selector), xbackend.port)

    return XBackendStatuses(
        engine.flat_map("statuses of XBackends", xbackends, status),
        engine.map("selections of pods", xbackends, selection),
    )


def _referred(route: Ref, snapshot: RouteSnapshot) -> Iterable[Key]:
    refs = (ref for rule in snapshot.spec.rules for ref in rule.backend_refs)
    return {Key(route.namespace, ref.name) for ref in refs if (ref.group, ref.kind) == (gateway_x.GROUP, KIND)}


def _collector(_gateway: Key, tracing: Tracing) -> Iterable[Key]:
    return () if tracing.collector.x_backend is None else (tracing.collector.x_backend,)
