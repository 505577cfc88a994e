"""Filters of a listener, which requests pass before a route is selected (GEP-5224)."""

from headgate import filters
from headgate.api import gateway as api
from headgate.conditions import Invalid, Problem
from headgate.conditions import listener as conditions

from ..references.resolver import Resolver
from .merged_listeners import ListenerEntry

_WITH_REQUESTS = ("HTTP", "HTTPS")


def filters_of(resolver: Resolver, entry: ListenerEntry) -> tuple[list[filters.HTTPFilter], list[Problem]]:
    """The filters of a listener, and their problems. An invalid filter is never skipped: without it the listener would
    admit requests that the filter denies, so the listener is not served.
    """
    listener, parsed, problems = entry.listener, list[filters.HTTPFilter](), list[Problem]()
    for index, declared in enumerate(listener.filters.requests if listener.filters else ()):
        path = f"{entry.path}.filters.requests[{index}]"
        if listener.protocol not in _WITH_REQUESTS:
            problems.append(conditions.invalid_listener_filter(path, listener.protocol))
            continue
        as_route_filter = api.HTTPRouteFilter(
            type=declared.type, external_auth=declared.external_auth, extension_ref=declared.extension_ref
        )
        where = filters.ParseContext(path, filters.Scope.LISTENER, False, resolver.backend)
        try:
            filter_ = filters.parse(as_route_filter, where)
        except Invalid as error:
            problems.append(conditions.as_listener_filter(error.problem))
            continue
        parsed.append(filter_)
        problems += map(conditions.as_listener_filter, filter_.problems)
    return parsed, problems
