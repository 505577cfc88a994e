"""ResponseHeaderModifier: changes response headers (`HTTPHeaderFilter`, support: extended).

Like RequestHeaderModifier, for responses. The changes of a backendRef apply before those of the rule.

    filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        add: [{name: cache-control, value: no-store}]
"""

from typing import ClassVar

import msgspec

from headgate.api.gateway import HTTPRouteFilter
from headgate.ir.http import Exchange, HeaderChanges
from headgate.rendering import Rendering

from . import headers
from .base import HTTPFilter, ParseContext

TYPE = "ResponseHeaderModifier"


class ResponseHeaderModifier(HTTPFilter, frozen=True):
    """Changes of response headers."""

    PHASE: ClassVar[int] = 60

    changes: HeaderChanges

    def render(self, into: Rendering) -> Rendering:
        """Header changes of the route or of the weighted cluster."""
        return msgspec.structs.replace(into, response_headers=headers.rendered(self.changes))

    def simulate(self, exchange: Exchange) -> Exchange:
        """The changes of the response."""
        return msgspec.structs.replace(exchange, response_changes=(*exchange.response_changes, self.changes))


def parse(declared: HTTPRouteFilter, context: ParseContext) -> ResponseHeaderModifier:
    """Reads `responseHeaderModifier`."""
    return ResponseHeaderModifier(
        headers.changes(f"{context.path}.responseHeaderModifier", TYPE, declared.response_header_modifier)
    )
