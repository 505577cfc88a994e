"""Virtual hosts and weights."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from headgate.api.meta import Key
from headgate.envoy import http_filters
from headgate.envoy import routes as envoy
from headgate.envoy.names import weights_key
from headgate.envoy.path_tree import LINEAR
from headgate.envoy.resources import Route, VirtualHost, Weights
from headgate.envoy.retries import DEFAULT_RETRIES, Retries
from headgate.envoy.routes import UNCHANGED
from headgate.incremental import Collection, Engine, Read
from headgate.ir import routing as ir
from headgate.ir.limits import Limits
from headgate.ir.matching import Match, PathMatch, StringMatch
from headgate.rendering import ConditionalRoute, PerRoute, Rendering, RouteModifier, cluster_name, modifiers
from headgate.world import Routing, World

from . import names, sessions, settings

#: Renders a route for a hostname.
Renderer = Callable[[str, ir.Route], tuple[Route, ...]]
#: Rendered routes that a program remembers, of hosts with many routes.
_REMEMBERED = 16_384


def hosts(
    engine: Engine, virtual_hosts: Collection[tuple[Key, str, str, str], ir.VirtualHost]
) -> Collection[tuple[Key, str, str], VirtualHost]:
    """One virtual host per hostname of a listener.

    The engine remembers per key, and the key is the virtual host: without more, one more route on a host of 10,000
    would render 10,000. Routes as keys of a collection would cost that host 10,000 reads for each change, and memory
    for as many dependencies. So each program has a bounded memo of rendered routes beside the engine. It only saves
    time: rendering is a pure function of its arguments.
    """
    remembered = functools.lru_cache(maxsize=_REMEMBERED)(routes)

    def keyed(
        _read: Read, key: tuple[Key, str, str, str], host: ir.VirtualHost
    ) -> Iterable[tuple[tuple[Key, str, str], VirtualHost]]:
        gateway, configuration, listener, hostname = key
        rendered = virtual_host(host, remembered if len(host.routes) > LINEAR else routes)
        yield (gateway, configuration, names.virtual_host(listener, hostname)), rendered

    return engine.flat_map("virtual hosts", virtual_hosts, keyed)


def weights(world: World, routing: Routing) -> Collection[tuple[Key, str], Weights]:
    """The weights of every rule with several backends."""

    def keyed(_read: Read, key: tuple[Key, str], shares: ir.Shares) -> Iterable[tuple[tuple[Key, str], Weights]]:
        clusters = map(_target, shares.targets)
        rendered = Weights(tuple(zip(clusters, shares.weights, strict=True)), as_fractions=_apart(shares.targets))
        yield (key[0], _weights_key(key[1], shares.targets)), rendered

    return world.engine.flat_map("weights", routing.shares, keyed)


def _render(filters: Iterable[ir.Filter], into: Rendering) -> Rendering:
    """What all of them change on an Envoy route. Raises `UnknownModifierError`."""
    for modifier in modifiers(filters):
        into = modifier.render(into)
    return into


def _apart(targets: Sequence[ir.Target]) -> bool:
    """Whether each target is a route of its own, since one needs what Envoy has for routes only."""
    return any(_render(target.filters, Rendering()).needs_route for target in targets)


def _target(target: ir.Target) -> str:
    """The cluster of a backendRef's share: one of the bootstrap if the reference, or one of its filters, is broken."""
    if target.backend is None:
        return names.closed(target.unresolved_status)
    answer = _render(target.filters, Rendering()).direct_response
    return cluster_name(target.backend) if answer is None else names.closed(answer.status)


def _weights_key(key: str, targets: Sequence[ir.Target]) -> str:
    """The runtime key of a rule's weights."""
    return weights_key(key, map(_target, targets))


# Virtual hosts.


def virtual_host(host: ir.VirtualHost, render: Renderer | None = None) -> VirtualHost:
    """Routes in order; the first that matches wins.

    Envoy decides by the route of a request as it came which filters the request passes; what those of the listener
    change may give it another route. So a host with such filters has a last route for all requests (without a route
    they would pass none), and every filter that a route may enable is in the chain from the beginning.
    """
    before = _before_routing(host.filters)
    routes = (direct_response(host.direct_response),) if host.direct_response is not None else _routes(host, render)
    return envoy.virtual_host(
        names.virtual_host(host.listener, host.hostname),
        _domains(host.hostname),
        (*routes, *((unmatched(),) if before else ())),
        per_route={slot: each.message for slot, each in before.items()},
        may_reroute=bool(before),
        extra_clusters=tuple(cluster for each in before.values() for cluster in each.clusters),
        origins=tuple(dict.fromkeys(route.origin.route for route in host.routes)),
    )


def _domains(hostname: str) -> tuple[str, ...]:
    """The domains of a hostname. A Host header may end with the dot of the DNS root and means the same name (RFC 3986,
    3.2.2). Envoy compares text, and its `strip_trailing_host_dot` would also change the Host that the backend receives.
    """
    return (hostname, f"{hostname}.") if hostname else ("*",)


def _before_routing(filters: Sequence[ir.Filter]) -> dict[str, PerRoute]:
    """HTTP filters of a listener, in the slots before routing: their order is the listener's."""
    configured = {}
    for at, modifier in enumerate(modifiers(filters)):
        rendering = modifier.render(Rendering())
        if rendering != Rendering(per_route=rendering.per_route):
            raise NotImplementedError(f"{type(modifier).__name__} changes more than Envoy can before routing")
        for slot, per_route in rendering.per_route.items():
            configured[http_filters.before_routing(slot, at)] = per_route
    return configured


def _routes(host: ir.VirtualHost, render: Renderer | None) -> Iterator[Route]:
    for route in host.routes:
        # Neither its place nor its order is in what is rendered: a rule that is inserted leaves the others as they are.
        plain = msgspec.structs.replace(route, origin=ir.Origin(route.origin.route, 0, 0), order=())
        yield from (render or routes)(host.hostname, plain)


def direct_response(answer: ir.DirectResponse) -> Route:
    """The one route of a virtual host that Envoy answers itself."""
    return envoy.route("refused", envoy.Match(), envoy.DirectResponse(answer.status))


def unmatched() -> Route:
    """The last route of a virtual host whose requests pass filters before routing."""
    return envoy.route("unmatched", envoy.Match(), envoy.DirectResponse(404))


# Routes.


def routes(hostname: str, route: ir.Route) -> tuple[Route, ...]:
    """One match of one rule: first the Envoy routes for some of its requests, then the one for all others. The name is
    the API's, without an index: that would change when a rule is inserted.
    """
    given = _given(hostname, route)
    rendering = _render((*_securing(route.security), *route.filters), given)
    matched = match(route.match)
    if rendering.direct_response is not None:
        return (envoy.route(_name(route), matched, rendering.direct_response),)
    own = [_render(target.filters, given) for target in _targets(route)]
    return (*_conditional(route, matched, rendering, own), *_forwarding(route, matched, rendering, own))


class _Closed(RouteModifier, frozen=True):
    """Answers every request."""

    status: int

    def render(self, into: Rendering) -> Rendering:
        return msgspec.structs.replace(into, direct_response=envoy.DirectResponse(self.status))


#: By field of `ir.RouteSecurity`.
_SECURITY: Mapping[str, Callable[..., Iterable[ir.Filter]]] = {
    "filters": lambda filters: filters,
    "closed": lambda answer: (_Closed(answer.status),),
}


def _securing(security: ir.RouteSecurity) -> Iterator[ir.Filter]:
    """What requests pass before the filters of the rule."""
    for filters in settings.render(security, _SECURITY):
        yield from filters


def _conditional(
    route: ir.Route, matched: envoy.Match, rendering: Rendering, own: Sequence[Rendering]
) -> Iterator[Route]:
    for conditional in rendering.conditional_routes:
        narrowed = _narrowed(matched, conditional)
        if narrowed is None:
            continue
        if conditional.response is not None:
            yield envoy.route(
                _name(route), narrowed, conditional.response, response_headers=conditional.response_headers
            )
            continue
        changes = rendering.response_headers.then(conditional.response_headers)
        yield from _forwarding(route, narrowed, msgspec.structs.replace(rendering, response_headers=changes), own)


def _forwarding(
    route: ir.Route, matched: envoy.Match, rendering: Rendering, own: Sequence[Rendering]
) -> Iterator[Route]:
    clusters = [cluster for each in (rendering, *own) for used in each.per_route.values() for cluster in used.clusters]
    for action in _actions(route, rendering, own):
        # Envoy changes the headers of a weighted cluster before those of its route: then all are the cluster's.
        common = UNCHANGED if _changed_by_destination(action) else rendering.request_headers
        yield envoy.route(
            _name(route),
            matched,
            action,
            request_headers=common,
            response_headers=rendering.response_headers,
            per_route=_messages(rendering.per_route),
            extra_clusters=clusters,
        )


def _messages(per_route: Mapping[str, PerRoute]) -> dict[str, bytes]:
    return {slot: each.message for slot, each in per_route.items()}


def _targets(route: ir.Route) -> tuple[ir.Target, ...]:
    return route.action.targets if isinstance(route.action, ir.Forward) else ()


def _changed_by_destination(action: envoy.Forward | envoy.DirectResponse | envoy.Redirect) -> bool:
    return isinstance(action, envoy.Forward) and any(each.request_headers != UNCHANGED for each in action.destinations)


def _name(route: ir.Route) -> str:
    return str(route.origin.route)


def _given(hostname: str, route: ir.Route) -> Rendering:
    prefix = route.match.path.value if route.match.path.kind == "PathPrefix" else ""
    return Rendering(hostname=hostname, prefix=prefix, port=route.port, secure=route.secure)


def _narrowed(matched: envoy.Match, conditional: ConditionalRoute) -> envoy.Match | None:
    """The match for some of the requests; None if no request can match both."""
    if conditional.method and matched.method not in ("", conditional.method):
        return None
    headers = (*matched.headers, *conditional.headers)
    return msgspec.structs.replace(matched, headers=headers, method=conditional.method or matched.method)


def _actions(
    route: ir.Route, rendering: Rendering, own: Sequence[Rendering]
) -> Iterator[envoy.Forward | envoy.DirectResponse | envoy.Redirect]:
    """One action; or one for each target, if a target needs what Envoy has for routes only."""
    if rendering.redirect is not None:
        yield rendering.redirect
        return
    if isinstance(route.action, ir.DirectResponse):
        yield envoy.DirectResponse(route.action.status)
        return
    whole = _forward(route.action, route.limits, rendering, own)
    if not _apart(route.action.targets):
        yield whole
        return
    last = len(own) - 1
    for at, (destination, each) in enumerate(zip(whole.destinations, own, strict=True)):
        yield msgspec.structs.replace(
            whole,
            destinations=(destination,),
            weights_key=whole.weights_key if at < last else "",
            fraction_index=at if at < last else None,
            host_rewrite=each.host_rewrite or whole.host_rewrite,
            path_rewrite=each.path_rewrite or whole.path_rewrite,
            mirrors=(*whole.mirrors, *_mirrors(each)),
        )


def _forward(action: ir.Forward, limits: Limits, rendering: Rendering, own: Sequence[Rendering]) -> envoy.Forward:
    rule = rendering.request_headers if any(each.request_headers != UNCHANGED for each in own) else UNCHANGED
    return envoy.Forward(
        destinations=tuple(
            _destination(target, each, rule, several=len(own) > 1)
            for target, each in zip(action.targets, own, strict=True)
        ),
        weights_key=_weights_key(action.weights_key, action.targets) if action.weights_key else "",
        timeout=limits.timeout,
        retries=_retries(limits),
        no_idle_timeout=limits.timeouts_declared,
        host_rewrite=rendering.host_rewrite,
        path_rewrite=rendering.path_rewrite,
        mirrors=_mirrors(rendering),
    )


def _mirrors(rendering: Rendering) -> tuple[envoy.Mirror, ...]:
    return tuple(envoy.Mirror(cluster_name(backend), share) for backend, share in rendering.mirrors)


def _retries(limits: Limits) -> Retries:
    retries = limits.retries
    if retries is None:
        return DEFAULT_RETRIES
    return Retries(retries.attempts, retries.codes, limits.try_timeout, retries.backoff)


def _destination(
    target: ir.Target, rendering: Rendering, rule: envoy.HeaderChanges, *, several: bool
) -> envoy.Destination:
    if rendering.redirect is not None or rendering.conditional_routes:
        raise NotImplementedError(f"a filter of a backendRef needs a route of its own: {target.filters!r}")
    cluster = _target(target)
    if target.session_persistence is not None:
        rendering = sessions.render(target.session_persistence, rendering, cluster, several=several)
    return envoy.Destination(
        cluster=cluster,
        per_route=_messages(rendering.per_route),
        request_headers=rule.then(rendering.request_headers),
        response_headers=rendering.response_headers,
    )


def match(declared: Match) -> envoy.Match:
    """The match of an Envoy route."""
    return envoy.Match(
        path=_path(declared.path),
        headers=tuple(_value(name, text) for name, text in declared.headers),
        query=tuple(_value(name, text) for name, text in declared.query),
        method=declared.method or "",
    )


def _path(path: PathMatch) -> envoy.PathMatch:
    match path.kind:
        case "Exact":
            return envoy.PathMatch("exact", path.value)
        case "RegularExpression":
            return envoy.PathMatch("regex", path.value)
    return envoy.PathMatch("segments", path.value) if path.value else envoy.PathMatch("prefix", "/")


def _value(name: str, value: StringMatch) -> envoy.ValueMatch:
    return envoy.ValueMatch(name, "exact" if value.kind == "Exact" else "regex", value.value)
