"""UDPRoutes that wait: a datagram that comes too early is lost, and nobody says it again, so nobody is told "Accepted"
before an Envoy has taken the listener with the route.
"""

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read

from ..attachment.routes import ParentResult
from .inputs import StatusInputs

#: The Gateways and ListenerSets that a UDPRoute's status says it is accepted by.
Reported = Collection[Key, frozenset[api.ParentReference]]


def reported_accepted(grounds: StatusInputs) -> Reported:
    """What was told before; a fact that is missing takes nothing back."""
    return grounds.world.engine.map(
        "UDP routes that were accepted", grounds.world.udp_routes, lambda _read, _key, found: _accepted(found)
    )


def _accepted(found: api.UDPRoute) -> frozenset[api.ParentReference]:
    return frozenset(
        entry.parent_ref
        for entry in found.status.parents
        if any(each.type == conditions.ACCEPTED and each.status == "True" for each in entry.conditions)
    )


def is_pending(
    read: Read, grounds: StatusInputs, before: Reported, route: Ref, ref: api.ParentReference, parent: ParentResult
) -> bool:
    """Whether a UDPRoute stands on a listener that no Envoy has taken as it is now."""
    if route.kind != "UDPRoute" or ref in (read(before, route.key) or ()):
        return False
    judged = {each.name: each for each in read(grounds.listeners.validated, parent.gateway) or ()}
    for place in parent.attachments:
        listener = judged.get(place.listener)
        if listener is None or listener.listener is None:
            continue
        version = read(grounds.versions, (parent.gateway, *listener.port))
        fact = read(grounds.facts.listeners, (parent.gateway, version[0])) if version else None
        if version is None or fact is None or fact.acked != version[1]:
            return True
    return False
