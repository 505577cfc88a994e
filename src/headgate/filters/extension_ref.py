"""ExtensionRef: a filter of a kind of its own (`HTTPRouteFilter.extensionRef`, support: implementation-specific).

No such kinds are implemented. An unresolved reference must not be ignored: the requests of its rule, or of its
backendRef, are answered with 500, and the status of the route has the reason. A listener with one is rejected.

    filters:
    - type: ExtensionRef
      extensionRef: {group: example.com, kind: RateLimit, name: slow}
"""

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as conditions

from .base import HTTPFilter, ParseContext, Scope

TYPE = "ExtensionRef"


def parse(declared: HTTPRouteFilter, context: ParseContext) -> HTTPFilter:
    """Reads `extensionRef`; always raises `Invalid`."""
    if context.scope is Scope.LISTENER:
        raise conditions.unsupported_value(f"{context.path}.type", TYPE, "use ExternalAuth")
    field, reference = f"{context.path}.extensionRef", declared.extension_ref
    if reference is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    raise conditions.unsupported_extension_ref(field, reference.group, reference.kind, reference.name)
