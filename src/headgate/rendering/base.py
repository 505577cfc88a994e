"""The protocol of what changes a route, and the value that it renders into."""

from collections.abc import Iterable, Mapping

import msgspec

from headgate.envoy.routes import UNCHANGED, DirectResponse, HeaderChanges, PathRewrite, Redirect, ValueMatch
from headgate.ir import routing as ir
from headgate.ir.http import Exchange


class UnknownModifierError(Exception):
    """The IR has a filter that `translate` cannot render. Leaving it out could open a route that it should close."""


class ConditionalRoute(msgspec.Struct, frozen=True):
    """An Envoy route for some of the requests of a match: those that have `headers`, and `method` unless it is empty.

    With a `response` they get that and nothing else applies to them. Without one they get what all requests of the
    match get, and `response_headers` on the answer.
    """

    headers: tuple[ValueMatch, ...]
    method: str = ""
    response: DirectResponse | None = None
    response_headers: HeaderChanges = UNCHANGED


class PerRoute(msgspec.Struct, frozen=True):
    """The configuration of one Envoy HTTP filter on a route, a weighted cluster or a virtual host.

    `message` is a serialised `google.protobuf.Any` from a constructor in `headgate.envoy.http_filters`. `clusters` are
    those that it refers to: Envoy must have them before it gets the route.
    """

    message: bytes
    clusters: tuple[str, ...] = ()


class Rendering(msgspec.Struct, frozen=True):
    """An Envoy route, or one of its weighted clusters, as far as filters and policies change it.

    `hostname`, `prefix`, `port` and `secure` are given: the hostname that is served (perhaps a wildcard, or empty), the
    path prefix of the match (empty: `/`), the listener's port and whether it is HTTPS. The others are the result.
    """

    hostname: str = ""
    prefix: str = ""
    port: int = 80
    secure: bool = False

    request_headers: HeaderChanges = UNCHANGED
    response_headers: HeaderChanges = UNCHANGED
    host_rewrite: str = ""
    path_rewrite: PathRewrite | None = None
    redirect: Redirect | None = None
    #: The answer to all requests, whatever else is set.
    direct_response: DirectResponse | None = None
    #: Backend and share of 1,000,000.
    mirrors: tuple[tuple[ir.Backend, int], ...] = ()
    #: Configuration of Envoy's HTTP filters, by slot (`headgate.envoy.http_filters.SLOTS`).
    per_route: Mapping[str, PerRoute] = {}
    #: Envoy routes that precede the one for all other requests, in this order.
    conditional_routes: tuple[ConditionalRoute, ...] = ()

    @property
    def needs_route(self) -> bool:
        """Whether Envoy can express it on a route only, not on a weighted cluster."""
        return bool(self.host_rewrite or self.path_rewrite or self.mirrors)

    def with_filter(self, slot: str, per_route: PerRoute) -> "Rendering":
        """The same with the HTTP filter of a slot enabled. Raises ValueError if the slot is taken: one of the two
        configurations would be lost.
        """
        if slot in self.per_route:
            raise ValueError(f"two filters of a route use the HTTP filter {slot}")
        return msgspec.structs.replace(self, per_route={**self.per_route, slot: per_route})


class RouteModifier(msgspec.Struct, frozen=True):
    """Something that changes the requests of a route, as a value."""

    @property
    def backends(self) -> tuple[ir.Backend, ...]:
        """Backends that it sends something to by itself."""
        return ()

    def render(self, into: Rendering) -> Rendering:
        """What it changes on the Envoy route."""
        raise NotImplementedError

    def simulate(self, exchange: Exchange) -> Exchange:
        """What it does to a request."""
        raise NotImplementedError


def modifiers(filters: Iterable[ir.Filter]) -> list[RouteModifier]:
    """Filters of the IR, to be rendered. Raises `UnknownModifierError` for one that cannot be."""
    known = []
    for each in filters:
        if not isinstance(each, RouteModifier):
            raise UnknownModifierError(f"{type(each).__name__} cannot be rendered: {each!r}")
        known.append(each)
    return known
