"""Envoy's configuration as values: serialised resources, and routes split into shape and weights.

A route's *shape* is everything but its weights. `translate` returns the two separately, so that `xds` can send a change
of weights through the runtime overlay (`headgate.xds.weight_overlay`) and all else as a new RouteConfiguration.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from headgate.api.meta import Ref

from . import path_tree, protos, wire
from .http_filters import Tier
from .names import digest
from .path_tree import PathTree


class Resource(msgspec.Struct, frozen=True, gc=False):
    """One xDS resource. `version` is a hash of `body`, so a restarted server sends nothing that Envoy already has.
    `origins` are the Kubernetes objects that it was made from.
    """

    type_url: str
    name: str
    body: bytes
    version: str
    origins: tuple[Ref, ...] = ()

    def __repr__(self) -> str:
        return f"Resource({self.type_url.rpartition('.')[2]}, {self.name!r}, {self.version})"


class Route(msgspec.Struct, frozen=True, gc=False):
    """One route of a virtual host; constructed by `routes.route`.

    `template` is a serialised `envoy.config.route.v3.Route` whose weighted clusters all have weight 1. `weights_key` is
    their `runtime_key_prefix`, empty if the route has no weighted clusters. `overlay_allowed`: the runtime overlay may
    carry the weights (the clusters are distinct, or the route is one of several). `clusters` are all that it refers to:
    Envoy must have them before it gets the route. If several routes share the requests of one match
    (`routes.Forward`), `fraction_index` is the index of the weight whose share this one takes.
    """

    template: bytes
    weights_key: str
    overlay_allowed: bool
    clusters: tuple[str, ...]
    fraction_index: int | None = None
    #: Kind and value of the path that it matches, as in `routes.PathMatch`.
    path: tuple[str, str] = ("prefix", "/")
    #: The tier of filter chains that has all HTTP filters which it configures (`http_filters.Tier`).
    tier: Tier = Tier.NONE


class VirtualHost(msgspec.Struct, frozen=True, gc=False):
    """A virtual host without its weights; constructed by `routes.virtual_host`.

    `head` is a serialised VirtualHost without routes, `shape` a hash over everything here but `origins`. `origins` are
    the Kubernetes routes that it was made from: their statuses report it if Envoy rejects it. With a `tree` Envoy finds
    the routes by their path (`path_tree`), otherwise it tries one after the other. `clusters` are those that `head`
    refers to.
    """

    name: str
    head: bytes
    routes: tuple[Route, ...]
    shape: str
    origins: tuple[Ref, ...] = ()
    tree: PathTree | None = None
    clusters: tuple[str, ...] = ()
    #: The highest tier of itself and its routes.
    tier: Tier = Tier.NONE


class Weights(msgspec.Struct, frozen=True, gc=False):
    """The weights of a route's weighted clusters, in their order. `as_fractions`: of several routes that share the
    requests of one match (`Route.fraction_index`).

    The sum is never 0. Envoy rejects such a route, and answers 404 if the runtime sets all weights to 0; so the shape
    has a direct 500 instead.
    """

    clusters: tuple[tuple[str, int], ...]
    as_fractions: bool = False


def resource(type_url: str, name: str, body: bytes, origins: Iterable[Ref] = ()) -> Resource:
    """A resource with its version."""
    return Resource(type_url, name, body, digest(body), tuple(origins))


def render(host: VirtualHost, weights: Mapping[str, Weights]) -> bytes:
    """The VirtualHost message with these weights. Raises KeyError if those of a route are missing."""
    rendered = [render_route(route, weights) for route in host.routes]
    if host.tree is not None:
        return host.head + wire.field(21, path_tree.matcher(host.tree, rendered))
    return host.head + b"".join(wire.field(3, each) for each in rendered)


def render_route(route: Route, weights: Mapping[str, Weights]) -> bytes:
    """The Route message with its weights in place."""
    if not route.weights_key:
        return route.template
    message = protos.Route.FromString(route.template)
    if route.fraction_index is not None:
        fraction = message.match.runtime_fraction.default_value
        fraction.numerator = _cumulative(
            route.fraction_index, [weight for _, weight in weights[route.weights_key].clusters]
        )
        return protos.serialise(message)
    clusters = message.route.weighted_clusters.clusters
    for cluster, (name, weight) in zip(clusters, weights[route.weights_key].clusters, strict=True):
        if cluster.name != name:
            raise ValueError(f"weights of {route.weights_key} are for {name}, the route has {cluster.name}")
        cluster.weight.value = weight
    return protos.serialise(message)


def _cumulative(index: int, weights: Sequence[int]) -> int:
    """The share of this weight and all before it, of 1,000,000. Envoy draws one random number per request and compares
    it with the `runtime_fraction` of every route, so fractions are cumulative.
    """
    return round(1_000_000 * sum(weights[: index + 1]) / sum(weights))


def weights_keys_of(host: VirtualHost) -> tuple[str, ...]:
    """The weights keys of a virtual host's routes, each once."""
    return tuple(dict.fromkeys(route.weights_key for route in host.routes if route.weights_key))


def clusters_of(host: VirtualHost) -> frozenset[str]:
    """All clusters that a virtual host refers to."""
    return frozenset(host.clusters).union(*(route.clusters for route in host.routes))


def as_field(host: bytes) -> bytes:
    """A rendered virtual host as a field of a RouteConfiguration."""
    return wire.field(2, host)


def route_configuration(name: str, host_fields: Iterable[bytes]) -> bytes:
    """A RouteConfiguration of rendered virtual hosts (see `as_field`). Envoy ignores the port of the Host header."""
    return b"".join((wire.field(1, name), *host_fields, wire.flag(14)))


def unavailable(host: VirtualHost) -> VirtualHost:
    """The same domains, and 500 to every request: the substitute of a new virtual host that Envoy rejected."""
    message = protos.VirtualHost.FromString(host.head)
    bare = protos.VirtualHost(name=message.name, domains=message.domains)
    answer = protos.Route(match={"prefix": "/"}, direct_response={"status": 500})
    route = Route(template=protos.serialise(answer), weights_key="", overlay_allowed=False, clusters=())
    head = protos.serialise(bare)
    return VirtualHost(
        name=host.name,
        head=head,
        routes=(route,),
        shape=digest(head, route.template),
        origins=host.origins,
    )


def runtime_entries(key: str, weights: Weights) -> bytes:
    """Entries of the runtime layer that override these weights: `<weights key>.<cluster>` with a number, or
    `<weights key>.<index>` with a `FractionalPercent`.
    """
    if not weights.as_fractions:
        return b"".join(_entry(f"{key}.{cluster}", wire.double(2, weight)) for cluster, weight in weights.clusters)
    plain = [weight for _, weight in weights.clusters]
    return b"".join(_entry(f"{key}.{index}", _fraction(_cumulative(index, plain))) for index in range(len(plain) - 1))


def _entry(key: str, value: bytes) -> bytes:
    """One field of a `google.protobuf.Struct`."""
    return wire.field(1, wire.field(1, key) + wire.field(2, value))


def _fraction(millionths: int) -> bytes:
    """A `FractionalPercent` as a `google.protobuf.Value`."""
    denominator = _entry("denominator", wire.field(3, "MILLION"))
    return wire.field(5, denominator + _entry("numerator", wire.double(2, millionths)))


def runtime(layer: str, entries: Iterable[bytes]) -> bytes:
    """The Runtime resource. Its layer is a `google.protobuf.Struct` of these entries."""
    return wire.field(1, layer) + wire.field(2, b"".join(entries))
