"""RequestHeaderModifier: change headers on their way to the backend (`HTTPHeaderFilter`, support: core).

`set` replaces all lines of a header, `add` adds one more, `remove` drops all. They apply in this order. Names are
case-insensitive; of several entries with one name in a list only the first counts. On a rule the changes reach every
backend, on a backendRef that backend only; the backendRef's come after the rule's.

    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: x-tier, value: gold}]
        remove: [x-debug]
"""

from typing import ClassVar

import msgspec

from headgate.api.gateway import HTTPRouteFilter
from headgate.ir.http import Exchange, HeaderChanges
from headgate.rendering import Rendering

from . import headers
from .base import HTTPFilter, ParseContext

TYPE = "RequestHeaderModifier"


class RequestHeaderModifier(HTTPFilter, frozen=True):
    """Changes of request headers."""

    PHASE: ClassVar[int] = 40

    changes: HeaderChanges

    def render(self, into: Rendering) -> Rendering:
        """Envoy changes headers when it has chosen the route, before it sends the request on."""
        return msgspec.structs.replace(into, request_headers=headers.rendered(self.changes))

    def simulate(self, exchange: Exchange) -> Exchange:
        """What the backend sees."""
        request = exchange.request
        changed = msgspec.structs.replace(request, headers=self.changes.apply(request.headers))
        return msgspec.structs.replace(exchange, request=changed)


def parse(found: HTTPRouteFilter, context: ParseContext) -> RequestHeaderModifier:
    """Reads `requestHeaderModifier`."""
    return RequestHeaderModifier(
        headers.changes(f"{context.path}.requestHeaderModifier", TYPE, found.request_header_modifier)
    )
