"""UDPRoutes whose listener no Envoy has accepted. A datagram that arrives too early is lost and not repeated, so a
UDPRoute is accepted only once an Envoy has the listener with the route.
"""

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import http_route as conditions
from headgate.incremental import Read

from ..attachment.routes import ParentResult
from .inputs import StatusInputs


class PendingUDPRoutes:
    """Decides which UDPRoutes are pending. One that was reported as accepted does not become pending again."""

    def __init__(self, inputs: StatusInputs) -> None:
        self._inputs = inputs
        self._reported = inputs.world.engine.map(
            "UDPRoutes reported as accepted", inputs.world.udp_routes, _reported_accepted
        )

    def is_pending(self, read: Read, route: Ref, parent: ParentResult) -> bool:
        """Whether the route is a UDPRoute on a listener whose current version no Envoy has accepted."""
        if route.kind != "UDPRoute" or parent.ref in (read(self._reported, route.key) or ()):
            return False
        inputs = self._inputs
        by_name = {listener.name: listener for listener in read(inputs.listeners.validated, parent.gateway) or ()}
        for attachment in parent.attachments:
            validated = by_name.get(attachment.listener)
            if validated is None or validated.listener is None:
                continue
            version = read(inputs.versions, (parent.gateway, *validated.port))
            fact = read(inputs.facts.listeners, (parent.gateway, version[0])) if version else None
            if version is None or fact is None or fact.acked != version[1]:
                return True
        return False


def _reported_accepted(_read: Read, _key: Key, route: api.UDPRoute) -> frozenset[api.ParentReference]:
    """The parents that the status of the route reports as accepting it."""
    return frozenset(
        entry.parent_ref
        for entry in route.status.parents
        if any(condition.type == conditions.ACCEPTED and condition.status == "True" for condition in entry.conditions)
    )
