"""Virtual hosts: the routes of each hostname on a listener, in order of precedence.

Three rules of the specification apply:

* *listener isolation*: a request belongs to the listener of its port with the most specific hostname. What the routes
  of that listener do not match is a 404, even if a listener with a wider hostname has a route for it;
* *fall-through between the routes of one listener*: what a route with a more specific hostname does not match falls
  through to a route with a wider one. Envoy never falls through from one virtual host to another, so the virtual host
  of a hostname has the routes of every hostname that covers it;
* *misdirected requests*: on HTTPS the server name of the connection selects the listener. A request whose host belongs
  to another listener of the port gets 421 (`Listener.hostname`); a host that belongs to no listener gets 404.
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
from ..policies.routes import AttachmentKey, RoutePolicies
from .rules import Rules

#: Gateway, RouteConfiguration, listener, hostname.
VirtualHostKey = tuple[Key, str, str, str]
#: A route of a virtual host. The origin is None for the listener's own hostname, which exists without any route.
EntryKey = tuple[VirtualHostKey, ir.Origin | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    route: ir.Route | None
    direct_response: ir.DirectResponse | None = None
    #: The filters of the listener.
    filters: tuple[ir.Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class _RouteContext:
    """What the routes of a rule depend on besides the rule. `hostname` is the route's own, which decides precedence."""

    hostname: str
    created: str
    listener: HTTPListener
    security: ir.RouteSecurity


def declare(
    world: World, listeners: Listeners, attached: AttachedRoutes, rules: Rules, policies: RoutePolicies
) -> Collection[VirtualHostKey, ir.VirtualHost]:
    """Declare the virtual hosts of all listeners of HTTP and HTTPS."""
    engine = world.engine
    entries = engine.union(
        "entries of virtual hosts",
        _entries_of_routes(world, listeners, attached, rules, policies),
        engine.flat_map("virtual hosts of listeners", listeners.http_listeners, _entries_of_listeners),
    )
    by_host: Collection[VirtualHostKey, tuple[tuple[EntryKey, _Entry], ...]] = engine.sorted(
        "entries of virtual hosts by precedence",
        entries,
        lambda key, _entry: key[0],
        lambda _key, entry: entry.route.order if entry.route else (),
    )

    def virtual_host(read: Read, key: VirtualHostKey, own: tuple[tuple[EntryKey, _Entry], ...]) -> ir.VirtualHost:
        gateway, configuration, listener, hostname = key
        direct_response = next((entry.direct_response for _, entry in own if entry.direct_response), None)
        if direct_response is not None:
            return ir.VirtualHost(gateway, configuration, listener, hostname, direct_response=direct_response)
        by_origin: dict[ir.Origin, ir.Route] = {}
        for wide in covering_hostnames(hostname):
            for _, entry in read(by_host, (gateway, configuration, listener, wide)) or ():
                if entry.route is not None:
                    # A route with two hostnames that cover this one is listed once, with the more specific one.
                    by_origin.setdefault(entry.route.origin, entry.route)
        routes = sorted(by_origin.values(), key=lambda route: route.order)
        return ir.VirtualHost(gateway, configuration, listener, hostname, tuple(routes), filters=own[0][1].filters)

    return engine.map("virtual hosts by hostname", by_host, virtual_host)


def _entries_of_routes(
    world: World, listeners: Listeners, attached: AttachedRoutes, rules: Rules, policies: RoutePolicies
) -> Collection[EntryKey, _Entry]:
    """An entry per listener, hostname and match of each attached route."""

    def entries(read: Read, key: AttachmentKey, attachment: Attachment) -> Iterable[tuple[EntryKey, _Entry]]:
        gateway, name, route = key
        of_gateway = read(listeners.http_listeners, gateway) or ()
        listener = next((other for other in of_gateway if other.name == name), None)
        parent_refs, route_rules = read(attached.parent_refs, route), read(rules.unweighted, route)
        if listener is None or parent_refs is None or route_rules is None:
            return
        security = policies.of_rules(read, key)
        for hostname, declared in attachment.hostnames:
            if is_shadowed(hostname, listener, of_gateway):
                continue
            host = (gateway, listener.route_configuration, name, hostname)
            for index, rule in enumerate(route_rules):
                context = _RouteContext(declared, parent_refs.created, listener, security(rule.name))
                for ir_route in _routes(route, index, rule, context):
                    yield (host, ir_route.origin), _Entry(ir_route, listener.direct_response, listener.filters)

    return world.engine.flat_map("routes of virtual hosts", attached.attachments, entries)


def _routes(route: Ref, index: int, rule: ir.Rule, context: _RouteContext) -> Iterable[ir.Route]:
    """One route per match of a rule."""
    for match_index, match in rule.matches:
        yield ir.Route(
            origin=ir.Origin(route, index, match_index),
            order=precedence.order(context.hostname, match, context.created, route, index, match_index),
            match=match,
            filters=rule.filters,
            action=rule.action,
            limits=rule.limits,
            port=context.listener.port,
            secure=context.listener.secure,
            security=context.security,
        )


def _entries_of_listeners(
    _read: Read, gateway: Key, listeners: tuple[HTTPListener, ...]
) -> Iterable[tuple[EntryKey, _Entry]]:
    """An entry without a route for each listener's own hostname, and for the hosts of others that are misdirected."""
    for listener in listeners:
        host = (gateway, listener.route_configuration, listener.name, listener.hostname)
        yield (host, None), _Entry(None, listener.direct_response, listener.filters)
    for listener, other in misdirected(listeners):
        host = (gateway, listener.route_configuration, listener.name, other.hostname)
        yield (host, None), _Entry(None, _misdirected_response(other))


def is_shadowed(hostname: str, listener: HTTPListener, listeners: Iterable[HTTPListener]) -> bool:
    """Whether another listener of the port gets all requests for a hostname of a route on `listener`."""
    return any(
        other.port == listener.port
        and other.name != listener.name
        and rank(other.hostname) < rank(listener.hostname)
        and covers(other.hostname, hostname)
        for other in listeners
    )


#: Up to this number of HTTPS listeners on a port, every pair is checked; above it only overlapping hostnames are.
_MAX_ALL_PAIRS = 64


def misdirected(listeners: Iterable[HTTPListener]) -> Iterable[tuple[HTTPListener, HTTPListener]]:
    """Pairs of an HTTPS listener and another one whose hosts must not be requested on its connections.

    For hostnames that do not overlap the specification only recommends it (SHOULD). The number of pairs grows with the
    square of the listeners, so above 64 listeners those are left out.
    """
    ports: dict[int, list[HTTPListener]] = defaultdict(list)
    for listener in listeners:
        if listener.secure:
            ports[listener.port].append(listener)
    for on_port in ports.values():
        if len(on_port) <= _MAX_ALL_PAIRS:
            yield from itertools.permutations(on_port, 2)
            continue
        by_hostname = {listener.hostname: listener for listener in on_port}
        for narrow in on_port:
            for hostname in covering_hostnames(narrow.hostname):
                if hostname != narrow.hostname and (wide := by_hostname.get(hostname)) is not None:
                    yield narrow, wide
                    yield wide, narrow


def _misdirected_response(other: HTTPListener) -> ir.DirectResponse:
    """The response to a request whose host belongs to another listener than the server name of its connection: 421
    (RFC 9110, 15.5.20). A new connection would reach the other listener, with the certificate of that one.
    """
    return ir.DirectResponse(421, f"the host belongs to listener {other.name!r}, the connection does not")
