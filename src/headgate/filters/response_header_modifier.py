"""ResponseHeaderModifier: change headers on their way back to the client (`HTTPHeaderFilter`, support: extended).

As RequestHeaderModifier, in the other direction. A backendRef's changes come before the rule's.

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
        """Envoy changes them when the backend has answered."""
        return msgspec.structs.replace(into, response_headers=headers.rendered(self.changes))

    def simulate(self, exchange: Exchange) -> Exchange:
        """What will be changed on the answer."""
        return msgspec.structs.replace(exchange, response_changes=(*exchange.response_changes, self.changes))


def parse(found: HTTPRouteFilter, context: ParseContext) -> ResponseHeaderModifier:
    """Reads `responseHeaderModifier`."""
    return ResponseHeaderModifier(
        headers.changes(f"{context.path}.responseHeaderModifier", TYPE, found.response_header_modifier)
    )
