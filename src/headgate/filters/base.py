"""The base class of filters and what they share when they are parsed."""

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import msgspec

from headgate.api.gateway import BackendObjectReference
from headgate.conditions import Problem
from headgate.conditions import http_route as conditions
from headgate.ir.hostnames import is_hostname
from headgate.ir.routing import Backend
from headgate.rendering import RouteModifier


class Scope(enum.Enum):
    """Where a filter is declared: on a rule, on a backendRef, or on a listener (it then applies before routing)."""

    RULE = "rule"
    BACKEND = "backendRef"
    LISTENER = "listener"


class ParseContext(msgspec.Struct, frozen=True):
    """The surroundings of a filter that is parsed: its path in the manifest, whether all matches of its rule are path
    prefixes, and the function that resolves a backendRef at a path (raises `Invalid`).
    """

    path: str
    scope: Scope
    all_prefix_matches: bool
    backend: Callable[[str, BackendObjectReference], Backend]


class HTTPFilter(RouteModifier, frozen=True):
    """A filter as a value.

    `PHASE` orders the filters of a rule, smaller first; it follows the order in which Envoy applies them. The rule of a
    `TERMINAL` filter needs no backend, since the filter answers itself. A rule may have several `REPEATABLE` filters of
    a type. `SCOPES` are the places where the filter may be declared.
    """

    PHASE: ClassVar[int] = 50
    TERMINAL: ClassVar[bool] = False
    REPEATABLE: ClassVar[bool] = False
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.RULE, Scope.BACKEND)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of a filter that is served nevertheless."""
        return ()


def read_hostname(path: str, value: str | None) -> str:
    """The hostname at a path, in lower case; raises `Invalid`."""
    host = (value or "").lower()
    if host and not is_hostname(host, wildcard=False):
        raise conditions.invalid_value(path, host, "use a hostname like shop.example.com, without wildcard and port")
    return host


def sorted_by_phase(filters: Iterable[HTTPFilter]) -> tuple[HTTPFilter, ...]:
    """Filters of one rule in the order in which they apply; equal phases as declared."""
    return tuple(sorted(filters, key=lambda each: each.PHASE))


def check_combination(path: str, filters: Sequence[HTTPFilter]) -> None:
    """Raises `Invalid` for filters that may not be in one rule."""
    for at, each in enumerate(filters):
        if not each.REPEATABLE and any(type(other) is type(each) for other in filters[:at]):
            raise conditions.incompatible_filters(
                path, f"{type(each).__name__} is declared twice; merge the two into one filter"
            )
    kinds = {type(each).__name__ for each in filters}
    if {"RequestRedirect", "URLRewrite"} <= kinds:
        raise conditions.incompatible_filters(path, "RequestRedirect and URLRewrite exclude each other; use only one")
