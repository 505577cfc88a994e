"""Virtual hosts and weights."""

import functools
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from headgate import filters
from headgate.api.meta import Key
from headgate.envoy import ext_authz, sessions
from headgate.envoy import routes as envoy
from headgate.envoy.names import digest
from headgate.envoy.path_tree import LINEAR
from headgate.envoy.resources import Route, VirtualHost, Weights
from headgate.envoy.retries import SAFE, Retries
from headgate.envoy.routes import UNCHANGED
from headgate.filters.headers import combine
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.limits import Limits
from headgate.ir.matching import Match, PathMatch, StringMatch
from headgate.ir.sessions import SessionPersistence
from headgate.world import Routing, World

from . import names


def hosts(world: World, routing: Routing) -> Collection[tuple[Key, str, str], VirtualHost]:
    """One virtual host per hostname of a listener."""

    def keyed(
        _read: Read, key: tuple[Key, str, str, str], host: ir.VirtualHost
    ) -> Iterable[tuple[tuple[Key, str, str], VirtualHost]]:
        gateway, configuration, listener, hostname = key
        yield (gateway, configuration, names.virtual_host(listener, hostname)), virtual_host(host)

    return world.engine.flat_map("virtual hosts", routing.hosts, keyed)


def weights(world: World, routing: Routing) -> Collection[tuple[Key, str], Weights]:
    """The weights of every rule with several backends."""

    def keyed(_read: Read, key: tuple[Key, str], shares: ir.Shares) -> Iterable[tuple[tuple[Key, str], Weights]]:
        clusters = map(names.target, shares.targets)
        found = Weights(tuple(zip(clusters, shares.weights, strict=True)), parts=_apart(shares.targets))
        yield (key[0], names.weights_key(key[1], shares.targets)), found

    return world.engine.flat_map("weights", routing.shares, keyed)


def _apart(targets: Sequence[ir.Target]) -> bool:
    """Whether each target is a route of its own, since one asks for what Envoy cannot say of a weighted cluster."""
    return any(filters.render(_filters(each.filters), filters.Rendering()).needs_route for each in targets)


def virtual_host(host: ir.VirtualHost) -> VirtualHost:
    """Routes in order; the first that matches wins."""
    checks = [_named(*each.check) for each in _before(host.filters) if each.check]
    return envoy.virtual_host(
        names.virtual_host(host.listener, host.hostname),
        (host.hostname or "*",),
        (*_routes(host), *((unmatched(),) if checks else ())),
        filters=_passed(checks),
        extra_clusters=tuple(check.cluster for check in checks),
        origins=tuple(dict.fromkeys(each.origin.route for each in host.routes)),
    )


def _before(found: Sequence[ir.Filter]) -> list[filters.Rendering]:
    """What each filter of a listener asks for: their order is the listener's, and none is merged with another."""
    return [each.render(filters.Rendering()) for each in _filters(found)]


def _passed(checks: Sequence[ext_authz.AuthorizationService]) -> dict[str, bytes]:
    """Configurations of a virtual host whose requests pass servers before they are routed.

    Which filters a request passes is decided by its route as it came; what those servers change may give it another
    one. So all that routes may enable are there from the beginning, and do nothing unless the route says so.
    """
    if not checks:
        return {}
    named = {ext_authz.name(check.protocol, at): ext_authz.per_route(check) for at, check in enumerate(checks)}
    return named | ext_authz.OFF | sessions.OFF


def _routes(host: ir.VirtualHost) -> Iterator[Route]:
    if host.direct_response is not None:
        yield refusal(host.direct_response)
        return
    rendered = _remembered if len(host.routes) > LINEAR else routes
    for each in host.routes:
        # Neither its place nor its order is in what is rendered: a rule that is inserted leaves the others as they are.
        plain = msgspec.structs.replace(each, origin=ir.Origin(each.origin.route, 0, 0), order=())
        yield from rendered(host.hostname, plain)


@functools.lru_cache(maxsize=16_384)
def _remembered(hostname: str, found: ir.Route) -> tuple[Route, ...]:
    """One more route on a host of 10,000 renders one route."""
    return tuple(routes(hostname, found))


def routes(hostname: str, found: ir.Route) -> Iterator[Route]:
    """One match of one rule: what filters say of some of its requests first, then of all others. The name is the
    API's, without an index: that would change when a rule is inserted.
    """
    given = _given(hostname, found)
    rendering = filters.render(_filters(found.filters), given)
    own = [filters.render(_filters(each.filters), given) for each in _targets(found)]
    asked_servers = _asked(rendering, *own)
    for case in (*rendering.conditional_routes, filters.ConditionalRoute(())):
        asked = _narrowed(match(found.match), case)
        if asked is None:
            continue
        changes = combine(rendering.response_headers, case.response_headers)
        if case.response is not None:
            yield envoy.route(_name(found), asked, case.response, response_headers=case.response_headers)
            continue
        for action in _actions(found, rendering, own):
            # Envoy changes the headers of a weighted cluster before those of its route: then all are the cluster's.
            common = UNCHANGED if _below(action) else rendering.request_headers
            yield envoy.route(
                _name(found),
                asked,
                action,
                request_headers=common,
                response_headers=changes,
                filters=dict(_checks(rendering)),
                extra_clusters=asked_servers,
            )


def _targets(found: ir.Route) -> tuple[ir.Target, ...]:
    return found.action.targets if isinstance(found.action, ir.Forward) else ()


def _checks(rendering: filters.Rendering) -> tuple[tuple[str, bytes], ...]:
    if rendering.check is None:
        return ()
    check = _named(*rendering.check)
    return ((ext_authz.name(check.protocol), ext_authz.per_route(check)),)


def _named(backend: ir.Backend, check: ext_authz.AuthorizationService) -> ext_authz.AuthorizationService:
    return msgspec.structs.replace(check, cluster=names.cluster(backend), authority=names.host_and_port(backend))


def _asked(*renderings: filters.Rendering) -> list[str]:
    """Clusters of the servers that are asked."""
    return [names.cluster(each.check[0]) for each in renderings if each.check is not None]


def _below(action: envoy.Forward | envoy.DirectResponse | envoy.Redirect) -> bool:
    return isinstance(action, envoy.Forward) and any(each.request_headers != UNCHANGED for each in action.destinations)


def _name(found: ir.Route) -> str:
    return str(found.origin.route)


def _given(hostname: str, found: ir.Route) -> filters.Rendering:
    prefix = found.match.path.value if found.match.path.kind == "PathPrefix" else ""
    return filters.Rendering(hostname=hostname, prefix=prefix, port=found.port, secure=found.secure)


def _narrowed(found: envoy.Match, case: filters.ConditionalRoute) -> envoy.Match | None:
    """The match for the requests of a case; None if no request can be both."""
    if case.method and found.method not in ("", case.method):
        return None
    return msgspec.structs.replace(found, headers=(*found.headers, *case.headers), method=case.method or found.method)


def refusal(found: ir.DirectResponse) -> Route:
    """The one route of a virtual host that answers itself."""
    return envoy.route("refused", envoy.Match(), envoy.DirectResponse(found.status))


def unmatched() -> Route:
    """The last route of a virtual host whose requests pass filters before they are routed: without any route as they
    came they would pass none.
    """
    return envoy.route("unmatched", envoy.Match(), envoy.DirectResponse(404))


def _filters(found: Sequence[ir.Filter]) -> list[filters.HTTPFilter]:
    return [each for each in found if isinstance(each, filters.HTTPFilter)]


def _actions(
    found: ir.Route, rendering: filters.Rendering, own: Sequence[filters.Rendering]
) -> Iterator[envoy.Forward | envoy.DirectResponse | envoy.Redirect]:
    """One action; or one for each target, when a target asks for what Envoy cannot say of a weighted cluster."""
    if rendering.redirect is not None:
        yield rendering.redirect
        return
    if isinstance(found.action, ir.DirectResponse):
        yield envoy.DirectResponse(found.action.status)
        return
    whole = _forward(found.action, found.limits, rendering, own)
    if not _apart(found.action.targets):
        yield whole
        return
    last = len(own) - 1
    for at, (destination, each) in enumerate(zip(whole.destinations, own, strict=True)):
        yield msgspec.structs.replace(
            whole,
            destinations=(destination,),
            weights_key=whole.weights_key if at < last else "",
            part=at if at < last else None,
            host_rewrite=each.host or whole.host_rewrite,
            path_rewrite=each.path or whole.path_rewrite,
            mirrors=(*whole.mirrors, *_mirrors(each)),
        )


def _forward(
    action: ir.Forward, limits: Limits, rendering: filters.Rendering, own: Sequence[filters.Rendering]
) -> envoy.Forward:
    rule = rendering.request_headers if any(each.request_headers != UNCHANGED for each in own) else UNCHANGED
    return envoy.Forward(
        destinations=tuple(
            _destination(target, each, rule, several=len(own) > 1)
            for target, each in zip(action.targets, own, strict=True)
        ),
        weights_key=names.weights_key(action.weights_key, action.targets) if action.weights_key else "",
        timeout=limits.timeout,
        retries=_retries(limits),
        no_idle_timeout=limits.timeouts_declared,
        host_rewrite=rendering.host,
        path_rewrite=rendering.path,
        mirrors=_mirrors(rendering),
    )


def _mirrors(rendering: filters.Rendering) -> tuple[envoy.Mirror, ...]:
    return tuple(envoy.Mirror(names.cluster(backend), share) for backend, share in rendering.mirrors)


def _retries(limits: Limits) -> Retries:
    found = limits.retries
    if found is None:
        return SAFE
    return Retries(found.attempts, found.codes, limits.try_timeout, found.backoff)


def _destination(
    target: ir.Target, rendering: filters.Rendering, rule: envoy.HeaderChanges, *, several: bool
) -> envoy.Destination:
    cluster = names.target(target)
    return envoy.Destination(
        cluster=cluster,
        filters=(
            *_checks(rendering),
            *(
                ()
                if target.session_persistence is None
                else (_session(target.session_persistence, cluster, several=several),)
            ),
        ),
        request_headers=combine(rule, rendering.request_headers),
        response_headers=rendering.response_headers,
    )


def _session(found: SessionPersistence, cluster: str, *, several: bool) -> tuple[str, bytes]:
    """Backends of one rule need marks of their own: the mark of one says nothing about the other's endpoints."""
    if found.type == "header":
        return sessions.NAME, sessions.header(found.name)
    own = several or not found.name
    name = f"{found.name or 'headgate-session'}-{digest(cluster)[:8]}" if own else found.name
    return sessions.NAME, sessions.cookie(name, found.path, found.absolute_timeout)


def match(found: Match) -> envoy.Match:
    """A match in Envoy's words."""
    return envoy.Match(
        path=_path(found.path),
        headers=tuple(_value(name, text) for name, text in found.headers),
        query=tuple(_value(name, text) for name, text in found.query),
        method=found.method or "",
    )


def _path(found: PathMatch) -> envoy.PathMatch:
    match found.kind:
        case "Exact":
            return envoy.PathMatch("exact", found.value)
        case "RegularExpression":
            return envoy.PathMatch("regex", found.value)
    return envoy.PathMatch("segments", found.value) if found.value else envoy.PathMatch("prefix", "/")


def _value(name: str, found: StringMatch) -> envoy.ValueMatch:
    return envoy.ValueMatch(name, "exact" if found.kind == "Exact" else "regex", found.value)
