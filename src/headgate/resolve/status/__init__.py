"""Statuses of every kind, one module per kind. The only core package that may read what Envoys accepted or rejected
(`headgate.world.facts`).

A condition that was reported stays as it is while the fact behind it is missing: after a restart of the controller no
condition turns False only because no Envoy has connected.
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
    """Per object: conditions without time, with the generation that they observe."""

    classes: Collection[Key, api.GatewayClassStatus]
    gateways: Collection[Key, api.GatewayStatus]
    listener_sets: Collection[Key, api.ListenerSetStatus]
    routes: Collection[Ref, tuple[api.RouteParentStatus, ...]]


def declare(inputs: StatusInputs) -> Statuses:
    """Declare the statuses of every kind."""
    listener_statuses = listeners.declare(inputs)
    return Statuses(
        classes=classes.declare(inputs),
        gateways=gateways.declare(inputs, listener_statuses),
        listener_sets=listener_sets.declare(inputs, listener_statuses),
        routes=routes.declare(inputs),
    )
