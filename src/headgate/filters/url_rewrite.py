"""URLRewrite: another host or path for the backend (`HTTPURLRewriteFilter`, support: extended).

The client sees nothing of it. May not stand beside RequestRedirect. Of a rewrite on a rule and one on a backendRef the
backendRef's counts, for host and path each; both speak of the path as it came in. Envoy rewrites paths per route and
not per weighted cluster: where one of several backendRefs has a rewrite, each is a route of its own.

    filters:
    - type: URLRewrite
      urlRewrite:
        hostname: internal.example.com
        path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2}
"""

from typing import ClassVar

import msgspec

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as conditions
from headgate.ir.http import Exchange
from headgate.rendering import Rendering

from .base import HTTPFilter, ParseContext, read_hostname
from .paths import PathModifier, path_modifier

TYPE = "URLRewrite"


class URLRewrite(HTTPFilter, frozen=True):
    """Another host, another path."""

    PHASE: ClassVar[int] = 50

    hostname: str = ""
    path: PathModifier | None = None

    def render(self, into: Rendering) -> Rendering:
        """Options of the Envoy route."""
        path = self.path.rewrite(into.prefix) if self.path else into.path_rewrite
        return msgspec.structs.replace(into, host_rewrite=self.hostname or into.host_rewrite, path_rewrite=path)

    def simulate(self, exchange: Exchange) -> Exchange:
        """What the backend sees."""
        request = exchange.request
        target = request.target
        if self.path is not None:
            arrived = exchange.original
            _, mark, query = arrived.target.partition("?")
            target = self.path.of(arrived.path, exchange.matched_prefix) + mark + query
        changed = msgspec.structs.replace(request, host=self.hostname or request.host, target=target)
        return msgspec.structs.replace(exchange, request=changed)


def parse(found: HTTPRouteFilter, context: ParseContext) -> URLRewrite:
    """Reads `urlRewrite`."""
    field, asked = f"{context.path}.urlRewrite", found.url_rewrite
    if asked is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    return URLRewrite(
        read_hostname(f"{field}.hostname", asked.hostname), path_modifier(f"{field}.path", asked.path, context)
    )
