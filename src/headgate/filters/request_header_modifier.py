"""RequestHeaderModifier: changes request headers (`HTTPHeaderFilter`, support: core).

`set` replaces all values of a header, `add` adds one, `remove` removes all. They apply in this order. Names are
case-insensitive. Of several entries with one name in a list, the first is used. On a rule the changes apply to every
backend, on a backendRef to that backend only. Those of a backendRef apply after those of the rule.

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
        """Header changes of the route or of the weighted cluster."""
        return msgspec.structs.replace(into, request_headers=headers.rendered(self.changes))

    def simulate(self, exchange: Exchange) -> Exchange:
        """What the backend sees."""
        request = exchange.request
        changed = msgspec.structs.replace(request, headers=self.changes.apply(request.headers))
        return msgspec.structs.replace(exchange, request=changed)


def parse(declared: HTTPRouteFilter, context: ParseContext) -> RequestHeaderModifier:
    """Reads `requestHeaderModifier`."""
    return RequestHeaderModifier(
        headers.changes(f"{context.path}.requestHeaderModifier", TYPE, declared.request_header_modifier)
    )
