"""Filters of routes. One file per type holds all about it: parsing, rendering, simulation, order, documentation.

To add a filter, add one file to this folder with

* `TYPE`, the value of `spec.rules[].filters[].type`;
* a frozen class that extends `HTTPFilter` (see there for what it declares and implements);
* `parse(filter, context)`, which makes one from the field, or raises `Invalid`.

The file is found by being in the folder. `request_header_modifier.py` is the one to copy. A filter that needs an HTTP
filter of Envoy also needs a constructor in `headgate.envoy.http_filters`; `external_auth.py` shows that.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as conditions

from .base import HTTPFilter, ParseContext, Scope, check_combination, sorted_by_phase

__all__ = ["KNOWN", "HTTPFilter", "ParseContext", "Scope", "check_combination", "parse", "sorted_by_phase"]


def _modules() -> Mapping[str, ModuleType]:
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return MappingProxyType({module.TYPE: module for module in modules if hasattr(module, "TYPE")})


#: Every filter type that is implemented, with its module.
KNOWN = _modules()


def parse(declared: HTTPRouteFilter, context: ParseContext) -> HTTPFilter:
    """A filter of a route as a value; raises `Invalid`, also for a type that is not implemented."""
    module = KNOWN.get(declared.type)
    if module is None:
        raise conditions.unsupported_value(
            f"{context.path}.type", declared.type, f"use one of {', '.join(sorted(KNOWN))}"
        )
    parsed: HTTPFilter = module.parse(declared, context)
    if context.scope not in parsed.SCOPES:
        places = " and ".join(scope.value for scope in parsed.SCOPES)
        raise conditions.unsupported_value(
            f"{context.path}.type", declared.type, f"use it on a {places}, not on a {context.scope.value}"
        )
    return parsed
