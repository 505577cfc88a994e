"""Which route stands on which listener, for which hostnames.

The order of checks is the specification's: a listener with this name and port (else NoMatchingParent), which takes
this kind from this namespace (else NotAllowedByListeners), whose hostname has something in common with the route's
(else NoMatchingListenerHostname). One listener that passes is enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from headgate.api import core, selectors
from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import Problem
from headgate.conditions import http_route as say
from headgate.incremental import Collection, Read
from headgate.ir.hostnames import ANY, intersect, is_hostname, normal, rank
from headgate.world import World

from .gateways import Gateways
from .listeners import Door, Listeners

KIND = "HTTPRoute"


class Spec(msgspec.Struct, frozen=True):
    """All of a route that anything depends on."""

    uid: str
    generation: int
    created: str
    spec: api.HTTPRouteSpec


class Claim(msgspec.Struct, frozen=True):
    """What a route asks for before its rules are looked at: a change of rules or weights leaves it as it is."""

    created: str
    parent_refs: tuple[api.ParentReference, ...]
    hostnames: tuple[str, ...]


class Place(msgspec.Struct, frozen=True):
    """A listener that a route stands on. `hostnames` are pairs: what is served, and what is written on the route."""

    listener: str
    hostnames: tuple[tuple[str, str], ...]


class Parent(msgspec.Struct, frozen=True):
    """What became of one parentRef to a Gateway of ours: places, or the problem."""

    index: int
    gateway: Key
    places: tuple[Place, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Attached:
    """Routes and where they stand."""

    specs: Collection[Key, Spec]
    claims: Collection[Key, Claim]
    #: Per route: one entry for each parentRef to a Gateway of ours.
    parents: Collection[Key, tuple[Parent, ...]]
    #: Per route: the Gateways that it stands on, sorted.
    gateways: Collection[Key, tuple[Key, ...]]
    #: Per Gateway, listener and route.
    places: Collection[tuple[Key, str, Key], Place]


def declare(world: World, gateways: Gateways, listeners: Listeners) -> Attached:
    """Judge every parentRef."""
    engine = world.engine
    labels = engine.map("labels of a namespace", world.namespaces, _labels)
    specs = engine.map("specs", world.routes, _spec)
    claims = engine.map("claims", specs, _claim)

    def parents(read: Read, key: Key, claim: Claim) -> tuple[Parent, ...]:
        found = []
        for at, ref in enumerate(claim.parent_refs):
            gateway = Key(ref.namespace or key.namespace, ref.name)
            if (ref.group, ref.kind) != (api.GROUP, "Gateway") or read(gateways.controllers, gateway) is None:
                continue
            doors = read(listeners.doors, gateway) or ()
            found.append(_attach(read, labels, key, at, ref, gateway, doors, claim.hostnames))
        return tuple(found)

    all_parents = engine.map("parents", claims, parents)
    return Attached(
        specs=specs,
        claims=claims,
        parents=all_parents,
        gateways=engine.map("gateways of a route", all_parents, lambda _read, _key, found: _gateways(found)),
        places=engine.flat_map("places", all_parents, lambda _read, key, found: _places(key, found)),
    )


def _labels(_read: Read, _key: Key, found: core.Namespace) -> dict[str, str]:
    return found.metadata.labels


def _spec(_read: Read, _key: Key, found: api.HTTPRoute) -> Spec:
    meta = found.metadata
    return Spec(meta.uid, meta.generation, meta.creation_timestamp, found.spec)


def _claim(_read: Read, _key: Key, found: Spec) -> Claim:
    return Claim(found.created, found.spec.parent_refs, found.spec.hostnames)


def _gateways(parents: tuple[Parent, ...]) -> tuple[Key, ...]:
    return tuple(sorted({parent.gateway for parent in parents if parent.places}))


def _places(route: Key, parents: tuple[Parent, ...]) -> Iterable[tuple[tuple[Key, str, Key], Place]]:
    for parent in parents:
        for place in parent.places:
            yield (parent.gateway, place.listener, route), place


def _attach(
    read: Read,
    labels: Collection[Key, dict[str, str]],
    route: Key,
    at: int,
    ref: api.ParentReference,
    gateway: Key,
    doors: tuple[Door, ...],
    hostnames: tuple[str, ...],
) -> Parent:
    path = f"spec.parentRefs[{at}]"

    def refused(problem: Problem) -> Parent:
        return Parent(at, gateway, (), problem)

    named = [door for door in doors if ref.section_name in (None, door.name) and ref.port in (None, door.port)]
    if not named:
        known = [f"{door.name!r} on port {door.port}" for door in doors]
        return refused(say.no_matching_parent(path, str(gateway), ref.section_name, ref.port, known))
    whys = {door.name: _why_not_allowed(read, labels, door, gateway, route) for door in named}
    allowed = [door for door in named if whys[door.name] is None]
    if not allowed:
        return refused(say.not_allowed(path, str(gateway), [why for why in whys.values() if why]))
    places = [(door, pairs(door.hostname, hostnames)) for door in allowed]
    taken = tuple(Place(door.name, found) for door, found in places if found)
    if not taken:
        theirs = [door.hostname or "every host" for door in allowed]
        return refused(say.no_matching_hostname(path, hostnames, theirs))
    return Parent(at, gateway, taken)


def _why_not_allowed(  # noqa: PLR0911 - one reason each
    read: Read, labels: Collection[Key, dict[str, str]], door: Door, gateway: Key, route: Key
) -> str | None:
    """Why a listener does not take a route, or None if it does."""
    where = f"listener {door.name!r}"
    if KIND not in door.kinds:
        return f"{where} takes {', '.join(door.kinds) or 'no route'}, not {KIND}"
    match door.namespaces.from_:
        case "All":
            return None
        case "Same":
            if route.namespace == gateway.namespace:
                return None
            return f"{where} takes routes from its own namespace {gateway.namespace!r} only (allowedRoutes)"
        case "Selector" if door.namespaces.selector is not None:
            found = read(labels, Key("", route.namespace)) or {}
            if selectors.from_selector(door.namespaces.selector).matches(found):
                return None
            return f"{where} takes routes from selected namespaces, and {route.namespace!r} lacks the labels"
        case other:
            return f"{where} takes routes from no namespace (allowedRoutes.namespaces.from: {other})"


def pairs(listener: str, hostnames: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What is served of a route's hostnames on a listener: (served, as written), the best writing for each, sorted."""
    best: dict[str, str] = {}
    for written in map(normal, hostnames or (ANY,)):
        if written != ANY and not is_hostname(written):
            continue
        served = intersect(listener, written)
        if served is not None and (served not in best or rank(written) < rank(best[served])):
            best[served] = written
    return tuple(sorted(best.items()))
