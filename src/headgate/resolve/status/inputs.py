"""Inputs of the statuses."""

from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.incremental import Collection
from headgate.ir.routing import Transport
from headgate.world import World
from headgate.world.facts import Facts

from ..attachment.listeners import Listeners
from ..attachment.merged_listeners import MergedListeners
from ..attachment.routes import AttachedRoutes
from ..gateways.client_certificates import ClientCertificate
from ..gateways.managed import ManagedGateways
from ..routing.rules import Rules

#: Name and version of the Envoy listener that serves a port of a Gateway; absent while no Envoy has ever connected.
Versions = Collection[tuple[Key, Transport, int], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class StatusInputs:
    """What was resolved, the versions that were sent, and what Envoys accepted or rejected."""

    world: World
    facts: Facts
    gateways: ManagedGateways
    merged_listeners: MergedListeners
    listeners: Listeners
    attached: AttachedRoutes
    rules: Rules
    client_certificates: Collection[Key, ClientCertificate]
    versions: Versions
