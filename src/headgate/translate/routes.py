"""Virtual hosts and weights."""

from collections.abc import Iterable, Sequence

from headgate import filters
from headgate.api.meta import Key
from headgate.envoy import routes as envoy
from headgate.envoy.resources import Route, VirtualHost, Weights
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.matching import Match, Path, Text
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
        yield (
            (key[0], names.weights_key(key[1], shares.targets)),
            Weights(tuple(zip(clusters, shares.weights, strict=True))),
        )

    return world.engine.flat_map("weights", routing.shares, keyed)


def virtual_host(host: ir.VirtualHost) -> VirtualHost:
    """Routes in order; the first that matches wins."""
    return envoy.virtual_host(
        names.virtual_host(host.listener, host.hostname),
        (host.hostname or "*",),
        [route(host.hostname, each) for each in host.routes],
        origins=tuple(dict.fromkeys(each.origin.route for each in host.routes)),
    )


def route(hostname: str, found: ir.Route) -> Route:
    """One match of one rule. Its name is the API's, without an index: that would change when a rule is inserted."""
    prefix = found.match.path.value if found.match.path.kind == "PathPrefix" else ""
    given = filters.Rendering(hostname=hostname, prefix=prefix, port=found.port, secure=found.secure)
    rendering = filters.render(_filters(found.filters), given)
    return envoy.route(
        str(found.origin.route),
        match(found.match),
        rendering.redirect or _action(found, rendering),
        request_headers=rendering.request_headers,
        response_headers=rendering.response_headers,
    )


def _filters(found: Sequence[ir.Filter]) -> list[filters.HTTPFilter]:
    return [each for each in found if isinstance(each, filters.HTTPFilter)]


def _action(found: ir.Route, rendering: filters.Rendering) -> envoy.Forward | envoy.Respond:
    if isinstance(found.action, ir.Refuse):
        return envoy.Respond(found.action.status)
    targets = found.action.targets
    return envoy.Forward(
        destinations=tuple(_destination(target) for target in targets),
        weights_key=names.weights_key(found.action.weights_key, targets) if found.action.weights_key else "",
        timeout=found.limits.timeout,
        host=rendering.host,
        path=rendering.path,
        mirrors=tuple(envoy.Mirror(names.cluster(backend), share) for backend, share in rendering.mirrors),
    )


def _destination(target: ir.Target) -> envoy.Destination:
    rendering = filters.render(_filters(target.filters), filters.Rendering())
    return envoy.Destination(
        cluster=names.target(target),
        request_headers=rendering.request_headers,
        response_headers=rendering.response_headers,
    )


def match(found: Match) -> envoy.Match:
    """A match in Envoy's words."""
    return envoy.Match(
        path=_path(found.path),
        headers=tuple(_value(name, text) for name, text in found.headers),
        query=tuple(_value(name, text) for name, text in found.query),
        method=found.method or "",
    )


def _path(found: Path) -> envoy.PathMatch:
    match found.kind:
        case "Exact":
            return envoy.PathMatch("exact", found.value)
        case "RegularExpression":
            return envoy.PathMatch("regex", found.value)
    return envoy.PathMatch("segments", found.value) if found.value else envoy.PathMatch("prefix", "/")


def _value(name: str, found: Text) -> envoy.ValueMatch:
    return envoy.ValueMatch(name, "exact" if found.kind == "Exact" else "regex", found.value)
