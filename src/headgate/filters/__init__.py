"""Filters of routes: one file each, with everything about it – parse, render, simulate, order, documentation.

A newcomer adds one file to this folder. It has

* `TYPE`, the word in `spec.rules[].filters[].type`;
* a frozen class that extends `HTTPFilter` (see there what it must say and can do);
* `parse(found, where)`, which makes one from the field, or raises `Invalid`.

Nothing else names the file: it is found by its being here. `request_header_modifier.py` is the one to copy.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from types import MappingProxyType, ModuleType

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as conditions

from .base import (
    ConditionalRoute,
    HTTPFilter,
    ParseContext,
    Rendering,
    Scope,
    backends,
    check_combination,
    sorted_by_phase,
)

__all__ = [
    "KNOWN",
    "ConditionalRoute",
    "HTTPFilter",
    "ParseContext",
    "Rendering",
    "Scope",
    "backends",
    "check_combination",
    "parse",
    "render",
    "sorted_by_phase",
]


def _found() -> Mapping[str, ModuleType]:
    modules = (importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__))
    return MappingProxyType({module.TYPE: module for module in modules if hasattr(module, "TYPE")})


#: Every filter type that Headgate serves.
KNOWN = _found()


def parse(found: HTTPRouteFilter, context: ParseContext) -> HTTPFilter:
    """A filter of a route as a value; raises `Invalid`. A type that is not known is never skipped."""
    module = KNOWN.get(found.type)
    if module is None:
        raise conditions.unsupported_value(f"{context.path}.type", found.type, f"{', '.join(sorted(KNOWN))} are")
    parsed: HTTPFilter = module.parse(found, context)
    if context.scope not in parsed.SCOPES:
        places = " and ".join(each.value for each in parsed.SCOPES)
        raise conditions.unsupported_value(
            f"{context.path}.type", found.type, f"it may stand on a {places}, not on a {context.scope.value}"
        )
    return parsed


def render(filters: Sequence[HTTPFilter], into: Rendering) -> Rendering:
    """What all of them change on an Envoy route."""
    for each in filters:
        into = each.render(into)
    return into
