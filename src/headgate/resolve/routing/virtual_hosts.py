"""Which routes answer for a hostname on a listener, and in which order.

Three rules of the specification meet here:

* *listener isolation*: a request belongs to the listener of its port with the most specific hostname, and what that
  listener's routes do not take is a 404, even if a wider listener has a route for it;
* between routes of *one* listener it is the other way round: what a route with a more specific hostname does not take
  falls through to a route with a wider one. Envoy never falls through from one virtual host to another, so the virtual
  host of a hostname holds the routes of every hostname that covers it;
* *misdirected requests*: of HTTPS the server name of the connection chooses the listener. A request on it whose host
  belongs to another listener of the port is a 421 (`Listener.hostname`), a host that belongs to none a 404.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Read
from headgate.ir import precedence
from headgate.ir import routing as ir
from headgate.ir.hostnames import covering_hostnames, covers, rank
from headgate.world import World

from ..attachment.listeners import HTTPListener, Listeners
from ..attachment.routes import AttachedRoutes, Attachment
from .rules import Rules

#: Gateway, RouteConfiguration, listener, hostname.
VirtualHostKey = tuple[Key, str, str, str]
#: A route on a host; the origin is None for the listener's own hostname, which is there without any route.
EntryKey = tuple[VirtualHostKey, ir.Origin | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    route: ir.Route | None
    refuse: ir.DirectResponse | None = None
    #: Those of the listener.
    filters: tuple[ir.Filter, ...] = ()


def declare(
    world: World, listeners: Listeners, attached: AttachedRoutes, rules: Rules
) -> Collection[VirtualHostKey, ir.VirtualHost]:
    """Virtual hosts."""
    engine = world.engine

    def entries(read: Read, key: tuple[Key, str, Ref], place: Attachment) -> Iterable[tuple[EntryKey, _Entry]]:
        gateway, name, route = key
        doors = read(listeners.http_listeners, gateway) or ()
        door = next((each for each in doors if each.name == name), None)
        claim, shapes = read(attached.parent_refs, route), read(rules.unweighted, route)
        if door is None or claim is None or shapes is None:
            return
        for served, written in place.hostnames:
            if shadowed(served, door, doors):
                continue
            for at, rule in enumerate(shapes):
                for found in _routes(route, at, rule, written, claim.created, door):
                    yield (
                        ((gateway, door.route_configuration, name, served), found.origin),
                        _Entry(found, door.refuse, door.filters),
                    )

    def own_hosts(_read: Read, key: Key, doors: tuple[HTTPListener, ...]) -> Iterable[tuple[EntryKey, _Entry]]:
        for door in doors:
            yield (
                ((key, door.route_configuration, door.name, door.hostname), None),
                _Entry(None, door.refuse, door.filters),
            )
        for door, other in misdirected(doors):
            yield ((key, door.route_configuration, door.name, other.hostname), None), _Entry(None, _refusal(other))

    every = engine.union(
        "entries of hosts",
        engine.flat_map("entries", attached.attachments, entries),
        engine.flat_map("own hosts", listeners.http_listeners, own_hosts),
    )
    lists: Collection[VirtualHostKey, tuple[tuple[EntryKey, _Entry], ...]] = engine.sorted(
        "ordered entries",
        every,
        lambda key, _entry: key[0],
        lambda _key, entry: entry.route.order if entry.route else (),
    )

    def host(read: Read, key: VirtualHostKey, own: tuple[tuple[EntryKey, _Entry], ...]) -> ir.VirtualHost:
        gateway, configuration, listener, hostname = key
        if (refuse := next((entry.refuse for _, entry in own if entry.refuse), None)) is not None:
            return ir.VirtualHost(gateway, configuration, listener, hostname, direct_response=refuse)
        found: dict[ir.Origin, ir.Route] = {}
        for wide in covering_hostnames(hostname):
            for _, entry in read(lists, (gateway, configuration, listener, wide)) or ():
                if entry.route is not None:
                    # A route with two hostnames that cover this one stands here once, by the more specific.
                    found.setdefault(entry.route.origin, entry.route)
        routes = sorted(found.values(), key=lambda route: route.order)
        return ir.VirtualHost(gateway, configuration, listener, hostname, tuple(routes), filters=own[0][1].filters)

    return engine.map("hosts", lists, host)


def shadowed(hostname: str, door: HTTPListener, doors: Iterable[HTTPListener]) -> bool:
    """Whether another listener of the port takes all requests for a hostname that is served on `door`."""
    return any(
        other.port == door.port
        and other.name != door.name
        and rank(other.hostname) < rank(door.hostname)
        and covers(other.hostname, hostname)
        for other in doors
    )


#: Above so many HTTPS listeners on a port a host of another one is known as such only if the hostnames overlap.
_ALL_PAIRS = 64


def misdirected(doors: Iterable[HTTPListener]) -> Iterable[tuple[HTTPListener, HTTPListener]]:
    """A listener, and another one whose hosts must not come by its connections.

    Of hostnames that do not overlap the specification only wishes it (SHOULD), and pairs grow with the square.
    """
    ports: dict[int, list[HTTPListener]] = defaultdict(list)
    for door in doors:
        if door.secure:
            ports[door.port].append(door)
    for same in ports.values():
        if len(same) <= _ALL_PAIRS:
            yield from itertools.permutations(same, 2)
            continue
        by_hostname = {door.hostname: door for door in same}
        for narrow in same:
            for hostname in covering_hostnames(narrow.hostname):
                if hostname != narrow.hostname and (wide := by_hostname.get(hostname)) is not None:
                    yield narrow, wide
                    yield wide, narrow


def _refusal(other: HTTPListener) -> ir.DirectResponse:
    """What a request gets whose host is another listener's than the server name of its connection: 421 (RFC 9110,
    15.5.20). A connection of its own would have come to the other listener, with the certificate of that one.
    """
    return ir.DirectResponse(421, f"the host belongs to listener {other.name!r}, the connection does not")


def _routes(route: Ref, at: int, rule: ir.Rule, written: str, created: str, door: HTTPListener) -> Iterable[ir.Route]:
    for index, match in rule.matches:
        yield ir.Route(
            origin=ir.Origin(route, at, index),
            order=precedence.order(written, match, created, route, at, index),
            match=match,
            filters=rule.filters,
            action=rule.action,
            limits=rule.limits,
            port=door.port,
            secure=door.secure,
        )
