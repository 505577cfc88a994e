"""What every filter says of itself, and what it may change."""

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import msgspec

from headgate.api.gateway import BackendObjectReference
from headgate.conditions import Problem
from headgate.conditions import http_route as conditions
from headgate.envoy.ext_authz import AuthorizationService
from headgate.envoy.routes import UNCHANGED, DirectResponse, HeaderChanges, PathRewrite, Redirect, ValueMatch
from headgate.ir.hostnames import is_hostname
from headgate.ir.http import Exchange
from headgate.ir.routing import Backend


class Scope(enum.Enum):
    """Where a filter stands: on a rule, on one of its backendRefs, or on a listener, before a route is chosen."""

    RULE = "rule"
    BACKEND = "backendRef"
    LISTENER = "listener"


class ParseContext(msgspec.Struct, frozen=True):
    """Around a filter that is parsed: its path in the manifest, whether all matches of its rule are path prefixes, and
    a way to follow references (raises `Invalid`).
    """

    path: str
    scope: Scope
    all_prefix_matches: bool
    backend: Callable[[str, BackendObjectReference], Backend]


class ConditionalRoute(msgspec.Struct, frozen=True):
    """Requests for which something else holds: those that have `headers`, and `method` unless it is empty. They get
    `answer` and nothing else is done for them; or, without one, the answer that all get, with `response_headers` on it.
    """

    headers: tuple[ValueMatch, ...]
    method: str = ""
    response: DirectResponse | None = None
    response_headers: HeaderChanges = UNCHANGED


class Rendering(msgspec.Struct, frozen=True):
    """An Envoy route, or one of its weighted clusters, as far as filters change it.

    `hostname`, `prefix`, `port` and `secure` are given: the hostname that is served (perhaps a wildcard, or empty), the
    path prefix of the match (empty: `/`) and the listener's port. The others are what the filters ask for.
    """

    hostname: str = ""
    prefix: str = ""
    port: int = 80
    secure: bool = False

    request_headers: HeaderChanges = UNCHANGED
    response_headers: HeaderChanges = UNCHANGED
    host: str = ""
    path: PathRewrite | None = None
    redirect: Redirect | None = None
    #: Backend and share of 1,000,000.
    mirrors: tuple[tuple[Backend, int], ...] = ()
    #: A server that is asked first; its cluster is still to be named.
    check: tuple[Backend, AuthorizationService] | None = None
    #: Asked in this order, before what holds for all other requests.
    conditional_routes: tuple[ConditionalRoute, ...] = ()

    @property
    def needs_route(self) -> bool:
        """Whether Envoy can say it of a route only, not of one of its weighted clusters."""
        return bool(self.host or self.path or self.mirrors)


class HTTPFilter(msgspec.Struct, frozen=True):
    """A filter as a value.

    `PHASE` orders the filters of a rule, smaller first (Envoy applies them in an order of its own, so this is that
    order); `TERMINAL` filters answer themselves, and the rule needs no backend; `REPEATABLE` ones may stand more than
    once in a rule; `SCOPES` says where they may stand.
    """

    PHASE: ClassVar[int] = 50
    TERMINAL: ClassVar[bool] = False
    REPEATABLE: ClassVar[bool] = False
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.RULE, Scope.BACKEND)

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Backends that the filter itself sends something to."""
        return ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with it, when it serves all the same."""
        return ()

    def render(self, into: Rendering) -> Rendering:
        """What it changes on the Envoy route."""
        raise NotImplementedError

    def simulate(self, exchange: Exchange) -> Exchange:
        """What it does to a request."""
        raise NotImplementedError


def backends(found: object) -> tuple[Backend, ...]:
    """The backends that a filter uses."""
    return found.backends if isinstance(found, HTTPFilter) else ()


def read_hostname(path: str, found: str | None) -> str:
    """A host to send to, in lower case; raises `Invalid`."""
    host = (found or "").lower()
    if host and not is_hostname(host, wildcard=False):
        raise conditions.invalid_value(path, host, "a hostname is like shop.example.com, without wildcard and port")
    return host


def sorted_by_phase(found: Iterable[HTTPFilter]) -> tuple[HTTPFilter, ...]:
    """By phase; equal phases as written."""
    return tuple(sorted(found, key=lambda each: each.PHASE))


def check_combination(path: str, found: Sequence[HTTPFilter]) -> None:
    """Raises `Invalid` for filters that may not stand in one rule."""
    for at, each in enumerate(found):
        if not each.REPEATABLE and any(type(other) is type(each) for other in found[:at]):
            raise conditions.incompatible_filters(
                path, f"{type(each).__name__} stands there twice; put everything into one filter"
            )
    kinds = {type(each).__name__ for each in found}
    if {"RequestRedirect", "URLRewrite"} <= kinds:
        raise conditions.incompatible_filters(
            path, "RequestRedirect and URLRewrite exclude each other; use one of them"
        )
