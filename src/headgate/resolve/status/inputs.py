"""What statuses are made from."""

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

#: Name and version of the Envoy resource that serves a port of a Gateway; none while no Envoy ever connected.
Versions = Collection[tuple[Key, Transport, int], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class StatusInputs:
    """Everything that was resolved, what was sent of it, and what Envoys answered."""

    world: World
    facts: Facts
    gateways: ManagedGateways
    merged_listeners: MergedListeners
    listeners: Listeners
    attached: AttachedRoutes
    rules: Rules
    client_certificates: Collection[Key, ClientCertificate]
    versions: Versions
