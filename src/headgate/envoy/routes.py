"""Routes and virtual hosts: which requests match, and what Envoy does with them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from headgate.api.meta import Ref

from . import http_filters, protos, retries
from .names import digest
from .path_tree import tree
from .resources import Route, VirtualHost
from .retries import DEFAULT_RETRIES, Retries

#: `FractionalPercent.DenominatorType`.
MILLION = 2


class PathMatch(msgspec.Struct, frozen=True):
    """A path to match. `segments` is a prefix of whole path segments: `/shop` matches `/shop` and `/shop/x`, not
    `/shopping`; its value has no trailing slash and is never `/` (use `prefix`). `regex` is RE2 for the whole path.
    """

    kind: Literal["exact", "segments", "prefix", "regex"]
    value: str


class ValueMatch(msgspec.Struct, frozen=True):
    """A header or query parameter to match: it equals `value`, or the RE2 `value` matches it as a whole, or it is
    `present`.
    """

    name: str
    kind: Literal["exact", "regex", "present"]
    value: str = ""


class Match(msgspec.Struct, frozen=True):
    """The conditions of a route, all of which must hold. An empty `method` is any method."""

    path: PathMatch = PathMatch("prefix", "/")
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    method: str = ""


class HeaderChanges(msgspec.Struct, frozen=True):
    """Headers to set (replacing present values), to add and to remove, of requests or of responses. `computed` headers
    are set to the value of an expression with Envoy's format commands (`%REQ(origin)%`), unless that is empty.
    """

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    computed: tuple[tuple[str, str], ...] = ()

    def then(self, later: "HeaderChanges") -> "HeaderChanges":
        """This change and a later one as one: headers that `later` removes or sets are not set or added first."""
        over = {*later.remove, *(name for name, _ in later.set)}
        return HeaderChanges(
            set=(*(pair for pair in self.set if pair[0] not in over), *later.set),
            add=(*(pair for pair in self.add if pair[0] not in over), *later.add),
            remove=tuple(dict.fromkeys((*self.remove, *later.remove))),
            computed=self.computed + later.computed,
        )


UNCHANGED = HeaderChanges()


class Destination(msgspec.Struct, frozen=True):
    """A weighted cluster, and what applies only to its requests."""

    cluster: str
    request_headers: HeaderChanges = UNCHANGED
    response_headers: HeaderChanges = UNCHANGED
    #: Configuration of HTTP filters, by slot: serialised `google.protobuf.Any`.
    per_route: Mapping[str, bytes] = {}


class PathRewrite(msgspec.Struct, frozen=True):
    """A change of the path. `prefix` replaces the matched prefix of the route with `value`. `regex` replaces what the
    RE2 `pattern` matches in the path (without the query) with `value`, in which a backslash is special.
    """

    kind: Literal["prefix", "regex"]
    value: str
    pattern: str = ""


class Mirror(msgspec.Struct, frozen=True):
    """A copy of `share` (of 1,000,000) of the requests to another cluster, whose responses are dropped."""

    cluster: str
    share: int = 1_000_000


class Forward(msgspec.Struct, frozen=True):
    """Forwards the request. Several destinations, or a `weights_key`, make weighted clusters. A route whose weights may
    change needs a key, even with one destination. `timeout` is for the whole request in seconds (None: no timeout).
    `no_idle_timeout`: a request may be idle for any time (else for five minutes, Envoy's default). `host_rewrite`
    replaces the Host header towards the backend.

    With a `fraction_index` it is one of several routes that share the requests of one match: it has one destination,
    and takes the share of the weight of that index under the key. The routes are in the order of the weights. The last
    one has no index and takes the rest.
    """

    destinations: tuple[Destination, ...]
    weights_key: str = ""
    fraction_index: int | None = None
    timeout: float | None = None
    retries: Retries = DEFAULT_RETRIES
    no_idle_timeout: bool = False
    host_rewrite: str = ""
    path_rewrite: PathRewrite | None = None
    mirrors: tuple[Mirror, ...] = ()


class Redirect(msgspec.Struct, frozen=True):
    """Redirects the client. What is empty stays as in the request; without `port` the port of the Host header stays,
    unless there is a `host`. `full_path` replaces the whole path, `path` a part of it.
    """

    status: Literal[301, 302, 303, 307, 308]
    scheme: str = ""
    host: str = ""
    port: int = 0
    full_path: str = ""
    path: PathRewrite | None = None


class DirectResponse(msgspec.Struct, frozen=True):
    """Answers without a backend."""

    status: int
    body: str = ""


def route(
    name: str,
    match: Match,
    action: Forward | DirectResponse | Redirect,
    *,
    request_headers: HeaderChanges = UNCHANGED,
    response_headers: HeaderChanges = UNCHANGED,
    per_route: Mapping[str, bytes] | None = None,
    extra_clusters: Sequence[str] = (),
) -> Route:
    """One route. `per_route` configures HTTP filters for it: a serialised `google.protobuf.Any` by slot.
    `extra_clusters` are further clusters that it refers to, for example those of authorization servers.
    """
    message = protos.Route(name=name, match=_match(match))
    destinations = action.destinations if isinstance(action, Forward) else ()
    clusters = tuple(destination.cluster for destination in destinations)
    weights_key, fraction_index = "", None
    if isinstance(action, DirectResponse):
        message.direct_response.status = action.status
        if action.body:
            message.direct_response.body.inline_string = action.body
    elif isinstance(action, Redirect):
        message.redirect.CopyFrom(_redirect(action))
    else:
        weights_key, fraction_index = action.weights_key, action.fraction_index
        message.route.CopyFrom(_forward(action))
        if fraction_index is not None:
            message.match.runtime_fraction.default_value.denominator = MILLION
            message.match.runtime_fraction.runtime_key = f"{weights_key}.{fraction_index}"
    _change(message, request_headers, response_headers)
    _configure(message, http_filters.guarded(per_route or {}))
    slots = {*(per_route or {}), *itertools.chain(*(each.per_route for each in destinations))}
    return Route(
        template=protos.serialise(message),
        weights_key=weights_key,
        overlay_allowed=bool(weights_key) and len(set(clusters)) == len(clusters),
        fraction_index=fraction_index,
        path=(match.path.kind, match.path.value),
        clusters=tuple(dict.fromkeys((*clusters, *_mirrored(action), *extra_clusters))),
        tier=http_filters.tier_of(slots),
    )


def virtual_host(
    name: str,
    domains: Sequence[str],
    routes: Sequence[Route],
    *,
    per_route: Mapping[str, bytes] | None = None,
    may_reroute: bool = False,
    extra_clusters: Sequence[str] = (),
    origins: Sequence[Ref] = (),
) -> VirtualHost:
    """A virtual host for `domains` (`shop.example`, `*.shop.example`, `*`). Envoy takes the first route that matches;
    many routes are found by their path. `per_route` and `extra_clusters` are as in `route`, for all routes.
    `may_reroute`: its filters may change which route a request has.
    """
    message = protos.VirtualHost(name=name, domains=domains)
    _configure(message, (http_filters.off() if may_reroute else {}) | http_filters.guarded(per_route or {}))
    head = protos.serialise(message)
    path_tree = tree([each.path for each in routes])
    parts: list[bytes | str] = [head, "list" if path_tree is None else "tree"]
    for each in routes:
        parts += (
            each.template,
            each.weights_key,
            "overlay" if each.overlay_allowed else f"{each.fraction_index}",
            *each.clusters,
        )
    return VirtualHost(
        name=name,
        head=head,
        routes=tuple(routes),
        shape=digest(*parts),
        origins=tuple(origins),
        tree=path_tree,
        clusters=tuple(extra_clusters),
        tier=max((http_filters.tier_of(per_route or {}), *(each.tier for each in routes))),
    )


# Parts of messages.


def _match(match: Match) -> dict[str, Any]:
    message: dict[str, Any] = {
        "headers": [
            {"name": each.name, "present_match": True}
            if each.kind == "present"
            else {"name": each.name, "string_match": _string(each)}
            for each in match.headers
        ],
        "query_parameters": [{"name": each.name, "string_match": _string(each)} for each in match.query],
    }
    if match.method:
        message["headers"].append({"name": ":method", "string_match": {"exact": match.method}})
    value = match.path.value
    if match.path.kind == "exact":
        message["path"] = value
    elif match.path.kind == "segments":
        message["path_separated_prefix"] = value
    elif match.path.kind == "prefix":
        message["prefix"] = value
    else:
        message["safe_regex"] = {"regex": value}
    return message


def _string(match: ValueMatch) -> dict[str, Any]:
    return {"exact": match.value} if match.kind == "exact" else {"safe_regex": {"regex": match.value}}


def _forward(action: Forward) -> Any:
    if not action.destinations:
        raise ValueError("a route that forwards needs a destination")
    message = protos.Route().route
    message.timeout.FromMilliseconds(round((action.timeout or 0) * 1000))
    if action.no_idle_timeout:
        message.idle_timeout.SetInParent()
    retries.apply(message, action.retries)
    if action.host_rewrite:
        message.host_rewrite_literal = action.host_rewrite
    _rewrite(message, action.path_rewrite)
    for mirror in action.mirrors:
        policy = message.request_mirror_policies.add(cluster=mirror.cluster, disable_shadow_host_suffix_append=True)
        policy.runtime_fraction.default_value.numerator = mirror.share
        policy.runtime_fraction.default_value.denominator = MILLION
    plain = len(action.destinations) == 1 and (not action.weights_key or action.fraction_index is not None)
    if plain and action.destinations[0] == Destination(action.destinations[0].cluster):
        message.cluster = action.destinations[0].cluster
        return message
    for destination in action.destinations:
        cluster = message.weighted_clusters.clusters.add(name=destination.cluster)
        cluster.weight.value = 1
        _change(cluster, destination.request_headers, destination.response_headers)
        _configure(cluster, http_filters.guarded(destination.per_route))
    if not plain and not action.weights_key:
        raise ValueError("a route to several destinations needs a weights_key")
    if not plain:
        message.weighted_clusters.runtime_key_prefix = action.weights_key
    return message


def _mirrored(action: Forward | DirectResponse | Redirect) -> list[str]:
    return [mirror.cluster for mirror in action.mirrors] if isinstance(action, Forward) else []


_REDIRECTS = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT"}


def _redirect(action: Redirect) -> Any:
    message = protos.Route().redirect
    message.response_code = message.RedirectResponseCode.Value(_REDIRECTS.get(action.status, "PERMANENT_REDIRECT"))
    if action.scheme:
        message.scheme_redirect = action.scheme
    message.host_redirect = action.host
    message.port_redirect = action.port
    if action.full_path:
        message.path_redirect = action.full_path
    _rewrite(message, action.path)
    return message


def _rewrite(message: Any, path: PathRewrite | None) -> None:
    """The path change of a RouteAction or a RedirectAction, which have the same fields for it."""
    if path is None:
        return
    if path.kind == "prefix":
        message.prefix_rewrite = path.value
    else:
        message.regex_rewrite.pattern.regex = path.pattern
        message.regex_rewrite.substitution = path.value


def _change(message: Any, request: HeaderChanges, response: HeaderChanges) -> None:
    """Header changes of a Route or of a weighted cluster, which have the same fields for them."""
    for changes, add, remove in (
        (request, message.request_headers_to_add, message.request_headers_to_remove),
        (response, message.response_headers_to_add, message.response_headers_to_remove),
    ):
        remove.extend(changes.remove)
        for pairs, action in ((changes.set, "OVERWRITE_IF_EXISTS_OR_ADD"), (changes.add, "APPEND_IF_EXISTS_OR_ADD")):
            for key, value in pairs:
                option = add.add(append_action=action, keep_empty_value=True)
                option.header.key = key
                # Envoy expands `%` as a format command; the Gateway API has none.
                option.header.value = value.replace("%", "%%")
        for key, expression in changes.computed:
            option = add.add(append_action="OVERWRITE_IF_EXISTS_OR_ADD")
            option.header.key, option.header.value = key, expression


def _configure(message: Any, per_route: Mapping[str, bytes]) -> None:
    """Configure HTTP filters on a VirtualHost, a Route or a weighted cluster."""
    for name, packed in per_route.items():
        message.typed_per_filter_config[name].CopyFrom(protos.AnyMessage.FromString(packed))
