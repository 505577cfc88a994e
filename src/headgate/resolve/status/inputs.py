"""What statuses are made from."""

from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.incremental import Collection
from headgate.ir.routing import Transport
from headgate.world import World
from headgate.world.facts import Facts

from ..attachment.listeners import Listeners
from ..attachment.merged_listeners import Asked
from ..attachment.routes import Attached
from ..gateways.client_certificates import Shown
from ..gateways.managed import Gateways
from ..routing.rules import Rules

#: Name and version of the Envoy resource that serves a port of a Gateway; none while no Envoy ever connected.
Versions = Collection[tuple[Key, Transport, int], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Grounds:
    """Everything that was resolved, what was sent of it, and what Envoys answered."""

    world: World
    facts: Facts
    gateways: Gateways
    asked: Asked
    listeners: Listeners
    attached: Attached
    rules: Rules
    client_certificates: Collection[Key, Shown]
    versions: Versions
