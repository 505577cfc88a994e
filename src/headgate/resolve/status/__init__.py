"""What everybody is told. The one room of the core that reads what Envoys answered (`headgate.world.facts`).

One file per kind. A condition that was reported stays as it is while the fact that it came from is missing: after a
restart of the controller nothing turns False only because no Envoy has spoken yet.
"""

from dataclasses import dataclass

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection

from . import classes, gateways, listener_sets, listeners, routes
from .inputs import StatusInputs, Versions

__all__ = ["StatusInputs", "Statuses", "Versions", "declare"]


@dataclass(frozen=True, slots=True)
class Statuses:
    """Per object; conditions without time, stamped with the generation that they judge."""

    classes: Collection[Key, api.GatewayClassStatus]
    gateways: Collection[Key, api.GatewayStatus]
    listener_sets: Collection[Key, api.ListenerSetStatus]
    routes: Collection[Ref, tuple[api.RouteParentStatus, ...]]


def declare(grounds: StatusInputs) -> Statuses:
    """Declare the statuses over everything else."""
    told = listeners.declare(grounds)
    return Statuses(
        classes=classes.declare(grounds),
        gateways=gateways.declare(grounds, told),
        listener_sets=listener_sets.declare(grounds, told),
        routes=routes.declare(grounds),
    )
