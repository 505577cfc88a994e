"""What every filter says of itself, and what it may change."""

import enum
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import msgspec

from headgate.api.gateway import BackendObjectReference
from headgate.conditions import Problem
from headgate.conditions import http_route as say
from headgate.envoy.routes import UNCHANGED, HeaderChanges
from headgate.ir.http import Exchange
from headgate.ir.routing import Backend


class Scope(enum.Enum):
    """Where a filter stands: on a rule, or on one of its backendRefs."""

    RULE = "rule"
    BACKEND = "backendRef"


class Where(msgspec.Struct, frozen=True):
    """Around a filter that is parsed: its path in the manifest, and a way to follow references (raises `Invalid`)."""

    path: str
    scope: Scope
    backend: Callable[[str, BackendObjectReference], Backend]


class Rendering(msgspec.Struct, frozen=True):
    """What filters change on an Envoy route, or on one of its weighted clusters."""

    request_headers: HeaderChanges = UNCHANGED
    response_headers: HeaderChanges = UNCHANGED


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
    def uses(self) -> tuple[Backend, ...]:
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
    return found.uses if isinstance(found, HTTPFilter) else ()


def in_order(found: Iterable[HTTPFilter]) -> tuple[HTTPFilter, ...]:
    """By phase; equal phases as written."""
    return tuple(sorted(found, key=lambda each: each.PHASE))


def check_together(path: str, found: Sequence[HTTPFilter]) -> None:
    """Raises `Invalid` for filters that may not stand in one rule."""
    for at, each in enumerate(found):
        if not each.REPEATABLE and any(type(other) is type(each) for other in found[:at]):
            raise say.incompatible_filters(
                path, f"{type(each).__name__} stands there twice; put everything into one filter"
            )
