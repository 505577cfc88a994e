"""What statuses are made from."""

from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.incremental import Collection
from headgate.ir.routing import Transport
from headgate.world import Facts, World

from ..asked import Asked
from ..attach import Attached
from ..client_certificates import Shown
from ..gateways import Gateways
from ..listeners import Listeners
from ..rules import Rules

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
