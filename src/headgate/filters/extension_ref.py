"""ExtensionRef: a filter of a kind of its own (`HTTPRouteFilter.extensionRef`, support: implementation-specific).

There are no such kinds yet. A reference that does not lead anywhere must not be skipped: the requests of its rule, or
of its backendRef, are answered with 500, and the route says why; a listener with one is refused.

    filters:
    - type: ExtensionRef
      extensionRef: {group: example.com, kind: RateLimit, name: slow}
"""

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as conditions

from .base import HTTPFilter, ParseContext, Scope

TYPE = "ExtensionRef"


def parse(found: HTTPRouteFilter, context: ParseContext) -> HTTPFilter:
    """Reads `extensionRef`; always raises `Invalid`."""
    if context.scope is Scope.LISTENER:
        raise conditions.unsupported_value(f"{context.path}.type", TYPE, "use ExternalAuth")
    field, asked = f"{context.path}.extensionRef", found.extension_ref
    if asked is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    raise conditions.unsupported_extension_ref(field, asked.group, asked.kind, asked.name)
