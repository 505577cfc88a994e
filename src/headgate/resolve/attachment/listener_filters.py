"""What do requests pass on a listener before a route is chosen (GEP-5224)?"""

from headgate import filters
from headgate.api import gateway as api
from headgate.conditions import Invalid, Problem
from headgate.conditions import listener as conditions
from headgate.incremental import Read
from headgate.ir.routing import Backend

from ..references import resolver
from ..references.resolver import References
from .merged_listeners import ListenerEntry

_WITH_REQUESTS = ("HTTP", "HTTPS")


def filters_of(
    read: Read, references: References, ask: ListenerEntry
) -> tuple[list[filters.HTTPFilter], list[Problem]]:
    """The filters of a listener, and what is wrong with them. None is left out: a listener that skipped one would let
    everything through.
    """
    listener, found, problems = ask.listener, list[filters.HTTPFilter](), list[Problem]()

    def backend(path: str, ref: api.BackendObjectReference) -> Backend:
        return resolver.backend(read, references, path, ref, ask.owner)

    for at, each in enumerate(listener.filters.requests if listener.filters else ()):
        path = f"{ask.path}.filters.requests[{at}]"
        if listener.protocol not in _WITH_REQUESTS:
            problems.append(conditions.invalid_listener_filter(path, listener.protocol))
            continue
        as_of_a_route = api.HTTPRouteFilter(
            type=each.type, external_auth=each.external_auth, extension_ref=each.extension_ref
        )
        try:
            parsed = filters.parse(as_of_a_route, filters.ParseContext(path, filters.Scope.LISTENER, False, backend))
        except Invalid as error:
            problems.append(conditions.as_listener_filter(error.problem))
            continue
        found.append(parsed)
        problems += map(conditions.as_listener_filter, parsed.problems)
    return found, problems
