"""Which route stands on which listener, for which hostnames. All kinds of routes attach in one way.

The order of checks is the specification's: a listener with this name and port (else NoMatchingParent), which takes
this kind from this namespace (else NotAllowedByListeners), whose hostname has something in common with the route's
(else NoMatchingListenerHostname). One listener that passes is enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Problem
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read
from headgate.ir.hostnames import ANY_HOST, intersect, is_hostname, normalize, rank
from headgate.world import World
from headgate.world.objects import ROUTE_KINDS

from ..gateways.managed import DEFAULT_SCOPE, ManagedGateways
from .allowed_namespaces import NamespaceLabels, admits
from .listeners import AttachableListener, Listeners, RouteParent
from .merged_listeners import MergedListeners


class RouteSnapshot(msgspec.Struct, frozen=True, gc=False):
    """All of a route that anything depends on."""

    uid: str
    generation: int
    created: str
    spec: api.RouteSpec


class ParentRefs(msgspec.Struct, frozen=True, gc=False):
    """What a route asks for before its rules are looked at: a change of rules or weights leaves it as it is."""

    created: str
    parent_refs: tuple[api.ParentReference, ...]
    hostnames: tuple[str, ...]
    #: Whether it wants every default Gateway as well.
    use_default_gateways: bool = False


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """A listener that a route stands on. `hostnames` are pairs: what is served, and what is written on the route."""

    listener: str
    hostnames: tuple[tuple[str, str], ...]


class ParentResult(msgspec.Struct, frozen=True, gc=False):
    """What became of one parentRef to a Gateway of ours or to a ListenerSet of one: places, or the problem.

    A default Gateway that a route wants (`useDefaultGateways`) is a parent like those that are written.
    """

    ref: api.ParentReference
    gateway: Key
    attachments: tuple[Attachment, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class AttachedRoutes:
    """Routes and where they stand."""

    snapshots: Collection[Ref, RouteSnapshot]
    parent_refs: Collection[Ref, ParentRefs]
    #: Per route: one entry for each parentRef to a Gateway of ours or to a ListenerSet of one.
    parents: Collection[Ref, tuple[ParentResult, ...]]
    #: Per route: the Gateways that it stands on, sorted.
    gateways: Collection[Ref, tuple[Key, ...]]
    #: Per Gateway, listener and route.
    attachments: Collection[tuple[Key, str, Ref], Attachment]


def declare(world: World, gateways: ManagedGateways, asked: MergedListeners, listeners: Listeners) -> AttachedRoutes:
    """Judge every parentRef."""
    engine = world.engine
    sources = [world.sources[kind.type] for kind in ROUTE_KINDS]
    specs = engine.union("specs", *(engine.flat_map(f"specs of {each.name}", each, _spec) for each in sources))
    claims = engine.map("claims", specs, _claim)

    def parents(read: Read, key: Ref, claim: ParentRefs) -> tuple[ParentResult, ...]:
        wanted = [(f"spec.parentRefs[{at}]", ref) for at, ref in enumerate(claim.parent_refs)]
        if claim.use_default_gateways:
            wanted += _defaults(claim.parent_refs, key, read.group(gateways.defaults, DEFAULT_SCOPE))
        found = []
        for path, ref in wanted:
            parent = Ref(ref.kind, ref.namespace or key.namespace, ref.name)
            doors = read(listeners.route_parents, parent) if ref.group == api.GROUP else None
            if doors is not None:
                found.append(_attach(read, asked.namespace_labels, key, path, ref, parent, doors, claim.hostnames))
        return tuple(found)

    all_parents = engine.map("parents", claims, parents)
    return AttachedRoutes(
        snapshots=specs,
        parent_refs=claims,
        parents=all_parents,
        gateways=engine.map("gateways of a route", all_parents, lambda _read, _key, found: _gateways(found)),
        attachments=engine.flat_map("places", all_parents, lambda _read, key, found: _places(key, found)),
    )


def _spec(_read: Read, _key: Key, found: api.Route) -> Iterable[tuple[Ref, RouteSnapshot]]:
    meta = found.metadata
    yield found.ref, RouteSnapshot(meta.uid, meta.generation, meta.creation_timestamp, found.spec)


def _claim(_read: Read, _key: Ref, found: RouteSnapshot) -> ParentRefs:
    spec = found.spec
    defaults = spec.use_default_gateways == "All"
    return ParentRefs(found.created, spec.parent_refs, getattr(spec, "hostnames", ()), defaults)


def _defaults(
    written: Iterable[api.ParentReference], route: Ref, gateways: Iterable[Key]
) -> Iterable[tuple[str, api.ParentReference]]:
    """The default Gateways that a route does not name itself."""
    named = {Key(ref.namespace or route.namespace, ref.name) for ref in written if ref.kind == "Gateway"}
    for gateway in gateways:
        if gateway not in named:
            yield "spec.useDefaultGateways", api.ParentReference(name=gateway.name, namespace=gateway.namespace)


def _gateways(parents: tuple[ParentResult, ...]) -> tuple[Key, ...]:
    return tuple(sorted({parent.gateway for parent in parents if parent.attachments}))


def _places(route: Ref, parents: tuple[ParentResult, ...]) -> Iterable[tuple[tuple[Key, str, Ref], Attachment]]:
    for parent in parents:
        for place in parent.attachments:
            yield (parent.gateway, place.listener, route), place


def _attach(
    read: Read,
    labels: NamespaceLabels,
    route: Ref,
    path: str,
    ref: api.ParentReference,
    parent: Ref,
    found: RouteParent,
    hostnames: tuple[str, ...],
) -> ParentResult:
    def refused(problem: Problem) -> ParentResult:
        return ParentResult(ref, found.gateway, (), problem)

    if found.not_accepted:
        return refused(conditions.parent_not_accepted(path, parent, found.not_accepted))
    doors = found.listeners
    named = [door for door in doors if ref.section_name in (None, door.section) and ref.port in (None, door.port)]
    if not named:
        known = [f"{door.section!r} on port {door.port}" for door in doors]
        return refused(conditions.no_matching_parent(path, parent, ref.section_name, ref.port, known))
    whys = {door.name: _why_not_allowed(read, labels, door, parent, route) for door in named}
    allowed = [door for door in named if whys[door.name] is None]
    if not allowed:
        return refused(conditions.not_allowed_by_listeners(path, parent, [why for why in whys.values() if why]))
    places = [(door, intersect_hostnames(door.hostname, hostnames)) for door in allowed]
    taken = tuple(Attachment(door.name, served) for door, served in places if served)
    if not taken:
        theirs = [door.hostname or "every host" for door in allowed]
        return refused(conditions.no_matching_listener_hostname(path, hostnames, theirs))
    return ParentResult(ref, found.gateway, taken)


def _why_not_allowed(
    read: Read, labels: NamespaceLabels, door: AttachableListener, parent: Ref, route: Ref
) -> str | None:
    """Why a listener does not take a route, or None if it does."""
    where = f"listener {door.section!r}"
    if route.kind not in door.kinds:
        return f"{where} takes {', '.join(door.kinds) or 'no route'}, not {route.kind}"
    if admits(read, labels, door.namespaces, parent.namespace, route.namespace):
        return None
    match door.namespaces.from_:
        case "Same":
            return f"{where} takes routes from its own namespace {parent.namespace!r} only (allowedRoutes)"
        case "Selector" if door.namespaces.selector is not None:
            return f"{where} takes routes from selected namespaces, and {route.namespace!r} lacks the labels"
        case other:
            return f"{where} takes routes from no namespace (allowedRoutes.namespaces.from: {other})"


def intersect_hostnames(listener: str, hostnames: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What is served of a route's hostnames on a listener: (served, as written), the best writing for each, sorted."""
    best: dict[str, str] = {}
    for written in map(normalize, hostnames or (ANY_HOST,)):
        if written != ANY_HOST and not is_hostname(written):
            continue
        served = intersect(listener, written)
        if served is not None and (served not in best or rank(written) < rank(best[served])):
            best[served] = written
    return tuple(sorted(best.items()))
