"""URLRewrite: another host or path for the backend (`HTTPURLRewriteFilter`, support: extended).

The client sees nothing of it. May not stand beside RequestRedirect.

    filters:
    - type: URLRewrite
      urlRewrite:
        hostname: internal.example.com
        path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2}
"""

from typing import ClassVar

import msgspec

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as say
from headgate.ir.http import Exchange

from .base import HTTPFilter, Rendering, Scope, Where, hostname
from .paths import NewPath, new_path

TYPE = "URLRewrite"


class URLRewrite(HTTPFilter, frozen=True):
    """Another host, another path."""

    PHASE: ClassVar[int] = 50
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.RULE,)

    hostname: str = ""
    path: NewPath | None = None

    def render(self, into: Rendering) -> Rendering:
        """Options of the Envoy route."""
        path = self.path.rewrite(into.prefix) if self.path else None
        return msgspec.structs.replace(into, host=self.hostname, path=path)

    def simulate(self, exchange: Exchange) -> Exchange:
        """What the backend sees."""
        request = exchange.request
        target = request.target
        if self.path is not None:
            _, mark, query = target.partition("?")
            target = self.path.of(request.path, exchange.matched_prefix) + mark + query
        changed = msgspec.structs.replace(request, host=self.hostname or request.host, target=target)
        return msgspec.structs.replace(exchange, request=changed)


def parse(found: HTTPRouteFilter, where: Where) -> URLRewrite:
    """Reads `urlRewrite`."""
    field, asked = f"{where.path}.urlRewrite", found.url_rewrite
    if asked is None:
        raise say.bad_value(field, "nothing", f"a filter of type {TYPE} needs this field")
    return URLRewrite(hostname(f"{field}.hostname", asked.hostname), new_path(f"{field}.path", asked.path, where))
