"""RequestMirror: a copy of (a share of) the requests to another backend (`HTTPRequestMirrorFilter`, support: extended).

Responses of the mirror are dropped, and the client never waits for it. Without `percent` and `fraction` every request
is copied. Several mirrors of a rule are independent. One on a backendRef copies the requests to that backend. If the
backend of a mirror does not resolve, requests are forwarded without the copy, and the route has a condition.

    filters:
    - type: RequestMirror
      requestMirror: {backendRef: {name: shadow, port: 80}, percent: 10}
"""

from typing import ClassVar

import msgspec

from headgate.api.gateway import HTTPRequestMirrorFilter, HTTPRouteFilter
from headgate.conditions import Invalid, Problem
from headgate.conditions import http_route as conditions
from headgate.ir.http import Exchange, MirrorShare
from headgate.ir.routing import Backend
from headgate.rendering import Rendering

from .base import HTTPFilter, ParseContext

TYPE = "RequestMirror"

_ALL = 1_000_000


class RequestMirror(HTTPFilter, frozen=True):
    """A copy to `backend`, of `share` of 1,000,000 requests."""

    PHASE: ClassVar[int] = 70
    REPEATABLE: ClassVar[bool] = True

    backend: Backend | None
    share: int = _ALL
    unresolved: Problem | None = None

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The backend that gets the copies."""
        return (self.backend,) if self.backend else ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the reference to the backend does not resolve."""
        return (self.unresolved,) if self.unresolved else ()

    def render(self, into: Rendering) -> Rendering:
        """One more mirror policy."""
        if self.backend is None:
            return into
        return msgspec.structs.replace(into, mirrors=(*into.mirrors, (self.backend, self.share)))

    def simulate(self, exchange: Exchange) -> Exchange:
        """One more copy."""
        if self.backend is None:
            return exchange
        copy = MirrorShare(str(self.backend), self.share, _ALL)
        return msgspec.structs.replace(exchange, mirrors=(*exchange.mirrors, copy))


def parse(declared: HTTPRouteFilter, context: ParseContext) -> RequestMirror:
    """Reads `requestMirror`."""
    field, mirror = f"{context.path}.requestMirror", declared.request_mirror
    if mirror is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    share = _share(field, mirror)
    try:
        return RequestMirror(context.backend(f"{field}.backendRef", mirror.backend_ref), share)
    except Invalid as error:
        return RequestMirror(None, share, error.problem)


def _share(field: str, mirror: HTTPRequestMirrorFilter) -> int:
    if mirror.fraction is not None:
        numerator, denominator = mirror.fraction.numerator, mirror.fraction.denominator
        if mirror.percent is not None:
            raise conditions.invalid_value(
                f"{field}.percent", str(mirror.percent), "remove it or fraction: they are mutually exclusive"
            )
        if denominator < 1 or not 0 <= numerator <= denominator:
            raise conditions.invalid_value(
                f"{field}.fraction",
                f"{numerator}/{denominator}",
                "use a numerator from 0 to the denominator, which is at least 1",
            )
        return round(_ALL * numerator / denominator)
    percent = 100 if mirror.percent is None else mirror.percent
    if not 0 <= percent <= 100:
        raise conditions.invalid_value(f"{field}.percent", str(percent), "use a number from 0 to 100")
    return round(_ALL * percent / 100)
