"""World to IR and statuses. Pure, remembered per key; one file per question:

* `gateways` – which classes and Gateways are ours?
* `asked` – which listeners are asked for, by a Gateway and its ListenerSets?
* `conflicts` – which of them want the same?
* `listeners` – which listeners are valid, with which certificates?
* `attach` – which route stands on which listener, for which hostnames?
* `refs` – does a reference lead somewhere, and may it?
* `rules` – what does a rule ask for?
* `hosts` – which routes answer for a hostname, in which order?
* `backends` – who serves?
* `status` – what is everybody told? (the only one that reads what Envoys answered)
"""

from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.incremental import Collection
from headgate.world import Facts, Needs, Routing, World

from . import asked, attach, backends, gateways, hosts, listeners, refs, rules, status
from .status import Statuses

__all__ = ["Resolved", "Statuses", "declare", "statuses"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything but the statuses."""

    routing: Routing
    needs: Collection[Key, Needs]
    gateways: gateways.Gateways
    asked: asked.Asked
    listeners: listeners.Listeners
    attached: attach.Attached
    rules: rules.Rules


def declare(world: World) -> Resolved:
    """Declare the collections, in the order in which they depend on each other."""
    references = refs.declare(world)
    owned = gateways.declare(world)
    wanted = asked.declare(world, owned)
    judged = listeners.declare(world, references, owned, wanted)
    attached = attach.declare(world, wanted, judged)
    ruled = rules.declare(world, references, attached)
    hosted = hosts.declare(world, judged, attached, ruled)
    served = backends.declare(world, references, attached, ruled)
    return Resolved(
        routing=Routing(
            ports=judged.ports,
            hosts=hosted,
            shares=ruled.shares,
            backends=served.backends,
            endpoints=served.endpoints,
        ),
        needs=gateways.needs(world, owned, judged.wanted_ports),
        gateways=owned,
        asked=wanted,
        listeners=judged,
        attached=attached,
        rules=ruled,
    )


def statuses(world: World, facts: Facts, resolved: Resolved, versions: status.Versions) -> Statuses:
    """Declare the statuses: over everything that was resolved, what was sent of it, and what Envoys answered."""
    return status.declare(
        status.Grounds(
            world,
            facts,
            resolved.gateways,
            resolved.asked,
            resolved.listeners,
            resolved.attached,
            resolved.rules,
            versions,
        )
    )
