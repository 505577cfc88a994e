"""Attaches routes of every kind to listeners and intersects their hostnames.

The order of checks is the specification's: the parent has a listener with this name and port (else NoMatchingParent);
the listener admits this kind from this namespace (else NotAllowedByListeners); its hostname intersects with the route's
(else NoMatchingListenerHostname). One listener that passes all checks is enough.
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
    """The fields of a route that anything depends on; its status and other metadata are not among them."""

    uid: str
    generation: int
    created: str
    spec: api.RouteSpec


class ParentRefs(msgspec.Struct, frozen=True, gc=False):
    """The fields of a route that decide where it and policies attach; a change of weights leaves them as they are."""

    created: str
    parent_refs: tuple[api.ParentReference, ...]
    hostnames: tuple[str, ...]
    #: Whether the route attaches to all default Gateways as well (`useDefaultGateways`, GEP-3793).
    use_default_gateways: bool = False
    #: The names of the rules, empty for those without one; none at all if no rule has a name.
    rule_names: tuple[str, ...] = ()


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """A listener that a route is attached to. `hostnames` are pairs: the intersection, and the hostname of the route
    that it comes from.
    """

    listener: str
    hostnames: tuple[tuple[str, str], ...]


class ParentResult(msgspec.Struct, frozen=True, gc=False):
    """The result for one parentRef: attachments, or the problem. A default Gateway that the route uses has a result
    like a parentRef.
    """

    ref: api.ParentReference
    gateway: Key
    attachments: tuple[Attachment, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class AttachedRoutes:
    """Routes, and the listeners that they are attached to."""

    snapshots: Collection[Ref, RouteSnapshot]
    parent_refs: Collection[Ref, ParentRefs]
    #: Per route: a result for each parentRef to a managed Gateway or to a ListenerSet of one.
    parents: Collection[Ref, tuple[ParentResult, ...]]
    #: Per route: the Gateways that it is attached to, sorted.
    gateways: Collection[Ref, tuple[Key, ...]]
    #: Per Gateway, listener and route.
    attachments: Collection[tuple[Key, str, Ref], Attachment]


def declare(world: World, gateways: ManagedGateways, merged: MergedListeners, listeners: Listeners) -> AttachedRoutes:
    """Attach every route by each of its parentRefs."""
    engine = world.engine
    sources = [world.sources[kind.type] for kind in ROUTE_KINDS]
    snapshots = engine.union(
        "routes", *(engine.flat_map(f"snapshots of {source.name}", source, _snapshot) for source in sources)
    )
    all_parent_refs = engine.map("parentRefs of routes", snapshots, _parent_refs)

    def parents(read: Read, route: Ref, declared: ParentRefs) -> tuple[ParentResult, ...]:
        refs = [(f"spec.parentRefs[{index}]", ref) for index, ref in enumerate(declared.parent_refs)]
        if declared.use_default_gateways:
            refs += _default_gateways(declared.parent_refs, route, read.group(gateways.defaults, DEFAULT_SCOPE))
        results = []
        for path, ref in refs:
            parent = Ref(ref.kind, ref.namespace or route.namespace, ref.name)
            known = read(listeners.route_parents, parent) if ref.group == api.GROUP else None
            if known is not None:
                attach = _Attach(read, merged.namespace_labels, route, declared.hostnames)
                results.append(attach.to(path, ref, parent, known))
        return tuple(results)

    all_parents = engine.map("parents of attached routes", all_parent_refs, parents)
    return AttachedRoutes(
        snapshots=snapshots,
        parent_refs=all_parent_refs,
        parents=all_parents,
        gateways=engine.map("Gateways of routes", all_parents, _gateways),
        attachments=engine.flat_map("attachments of routes", all_parents, _attachments),
    )


def _snapshot(_read: Read, _key: Key, route: api.Route) -> Iterable[tuple[Ref, RouteSnapshot]]:
    meta = route.metadata
    yield route.ref, RouteSnapshot(meta.uid, meta.generation, meta.creation_timestamp, route.spec)


def _parent_refs(_read: Read, _key: Ref, route: RouteSnapshot) -> ParentRefs:
    spec, names = route.spec, tuple(rule.name or "" for rule in route.spec.rules)
    return ParentRefs(
        created=route.created,
        parent_refs=spec.parent_refs,
        hostnames=getattr(spec, "hostnames", ()),
        use_default_gateways=spec.use_default_gateways == "All",
        rule_names=names if any(names) else (),
    )


def _default_gateways(
    declared: Iterable[api.ParentReference], route: Ref, gateways: Iterable[Key]
) -> Iterable[tuple[str, api.ParentReference]]:
    """The default Gateways that the route has no parentRef to."""
    named = {Key(ref.namespace or route.namespace, ref.name) for ref in declared if ref.kind == "Gateway"}
    for gateway in gateways:
        if gateway not in named:
            yield "spec.useDefaultGateways", api.ParentReference(name=gateway.name, namespace=gateway.namespace)


def _gateways(_read: Read, _route: Ref, parents: tuple[ParentResult, ...]) -> tuple[Key, ...]:
    return tuple(sorted({parent.gateway for parent in parents if parent.attachments}))


def _attachments(
    _read: Read, route: Ref, parents: tuple[ParentResult, ...]
) -> Iterable[tuple[tuple[Key, str, Ref], Attachment]]:
    for parent in parents:
        for attachment in parent.attachments:
            yield (parent.gateway, attachment.listener, route), attachment


class _Attach:
    """Attaches one route, with these hostnames, to its parents."""

    def __init__(self, read: Read, labels: NamespaceLabels, route: Ref, hostnames: tuple[str, ...]) -> None:
        self._read = read
        self._labels = labels
        self._route = route
        self._hostnames = hostnames

    def to(self, path: str, ref: api.ParentReference, parent: Ref, known: RouteParent) -> ParentResult:
        """The result for one parentRef at a path."""
        result = self._attachments(path, ref, parent, known)
        if isinstance(result, Problem):
            return ParentResult(ref, known.gateway, (), msgspec.structs.replace(result, subject=self._route))
        return ParentResult(ref, known.gateway, result)

    def _attachments(
        self, path: str, ref: api.ParentReference, parent: Ref, known: RouteParent
    ) -> tuple[Attachment, ...] | Problem:
        if known.not_accepted:
            return conditions.parent_not_accepted(path, parent, known.not_accepted)
        section, port = ref.section_name, ref.port
        named = [
            listener
            for listener in known.listeners
            if section in (None, listener.section) and port in (None, listener.port)
        ]
        if not named:
            descriptions = [f"{listener.section!r} on port {listener.port}" for listener in known.listeners]
            return conditions.no_matching_parent(path, parent, section, port, descriptions)
        refusals = {listener.name: self._refusal(listener, parent) for listener in named}
        admitting = [listener for listener in named if refusals[listener.name] is None]
        if not admitting:
            return conditions.not_allowed_by_listeners(path, parent, list(filter(None, refusals.values())))
        pairs = [(listener, intersect_hostnames(listener.hostname, self._hostnames)) for listener in admitting]
        attachments = tuple(Attachment(listener.name, hostnames) for listener, hostnames in pairs if hostnames)
        if not attachments:
            of_listeners = [listener.hostname or "every host" for listener in admitting]
            return conditions.no_matching_listener_hostname(path, self._hostnames, of_listeners)
        return attachments

    def _refusal(self, listener: AttachableListener, parent: Ref) -> str | None:
        """Why a listener does not admit the route, or None if it does."""
        route, name = self._route, f"listener {listener.section!r}"
        if route.kind not in listener.kinds:
            return f"{name} admits {' and '.join(listener.kinds) or 'no route kind'}, not {route.kind}"
        if admits(self._read, self._labels, listener.namespaces, parent.namespace, route.namespace):
            return None
        match listener.namespaces.from_:
            case "Same":
                return f"{name} admits routes from its own namespace {parent.namespace!r} only (allowedRoutes)"
            case "Selector" if listener.namespaces.selector is not None:
                return (
                    f"{name} admits routes from selected namespaces, and the labels of {route.namespace!r} do not match"
                    " (allowedRoutes)"
                )
            case other:
                return f"{name} admits routes from no namespace (allowedRoutes.namespaces.from: {other})"


def intersect_hostnames(listener: str, hostnames: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The intersections of a listener's hostname with a route's, sorted, each with the most specific hostname of the
    route that it comes from.
    """
    best: dict[str, str] = {}
    for declared in map(normalize, hostnames or (ANY_HOST,)):
        if declared != ANY_HOST and not is_hostname(declared):
            continue
        intersection = intersect(listener, declared)
        if intersection is not None and (intersection not in best or rank(declared) < rank(best[intersection])):
            best[intersection] = declared
    return tuple(sorted(best.items()))
