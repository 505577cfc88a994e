"""URLRewrite: changes the host or the path towards the backend (`HTTPURLRewriteFilter`, support: extended).

The client does not see the change. It cannot be combined with RequestRedirect. A rewrite of a backendRef takes
precedence over the rule's, for host and path separately; both apply to the path as the client sent it. Envoy rewrites
paths per route, not per weighted cluster: if one of several backendRefs has a rewrite, each becomes an Envoy route.

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
    """The new host and the new path."""

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


def parse(declared: HTTPRouteFilter, context: ParseContext) -> URLRewrite:
    """Reads `urlRewrite`."""
    field, rewrite = f"{context.path}.urlRewrite", declared.url_rewrite
    if rewrite is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    return URLRewrite(
        read_hostname(f"{field}.hostname", rewrite.hostname), path_modifier(f"{field}.path", rewrite.path, context)
    )
