"""World to IR and statuses. Pure, remembered per key; one file per question:

* `gateways` – which classes and Gateways are ours?
* `admission` – from which namespaces may something come?
* `asked` – which listeners are asked for, by a Gateway and its ListenerSets?
* `conflicts` – which of them want the same?
* `before_routing` – what do requests pass on a listener before a route is chosen?
* `listeners` – which listeners are valid, with which certificates?
* `attach` – which route stands on which listener, for which hostnames?
* `refs` – does a reference lead somewhere, and may it?
* `rules` – what does a rule of a route of requests ask for?
* `streams` – which route of TLS, TCP or UDP gets a connection, and whom does it send it to?
* `hosts` – which routes answer for a hostname, in which order?
* `backends` – who serves?
* `backend_traffic` – how are retries to a backend limited?
* `winning` – which of several policies counts?
* `backend_tls` – by which policy is TLS spoken to a backend?
* `client_certificates` – which certificate does a Gateway show to backends?
* `client_validation` – which certificates must clients show?
* `x_backends`, `outside` – what lies outside of Services, and what is it told?
* `policy_statuses`, `ancestors` – what are policies told?
* `telemetry` – what is traced?
* `status` – what is everybody told? (the only one that reads what Envoys answered)
"""

from dataclasses import dataclass

from headgate.api.gateway import PolicyAncestorStatus
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection
from headgate.world import Facts, Needs, Routing, Selection, World

from . import (
    asked,
    attach,
    backends,
    client_certificates,
    gateways,
    hosts,
    listeners,
    outside,
    policy_statuses,
    refs,
    rules,
    status,
    streams,
    telemetry,
)
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
    client_certificates: Collection[Key, client_certificates.Shown]
    policy_statuses: Collection[Ref, tuple[PolicyAncestorStatus, ...]]
    selections: Collection[Key, Selection]


def declare(world: World) -> Resolved:
    """Declare the collections, in the order in which they depend on each other."""
    references = refs.declare(world)
    owned = gateways.declare(world)
    wanted = asked.declare(world, owned)
    judged = listeners.declare(world, references, owned, wanted)
    attached = attach.declare(world, owned, wanted, judged)
    streamed = streams.declare(world, references, judged, attached)
    ruled = rules.declare(world, references, attached, streamed.problems)
    hosted = hosts.declare(world, judged, attached, ruled)
    told = telemetry.declare(world, references, owned)
    served = backends.declare(world, references, attached, ruled, streamed, told.tracing, judged.backends)
    shown = client_certificates.declare(world, references, owned)
    named = outside.declare(world, references, owned, attached, told.tracing)
    return Resolved(
        routing=Routing(
            ports=judged.ports,
            hosts=hosted,
            shares=ruled.shares,
            backends=served.backends,
            used=served.used,
            endpoints=served.endpoints,
            streams=streamed.streams,
            pools=streamed.pools,
            client_certificates=client_certificates.usable(world, shown),
            tracing=told.tracing,
        ),
        needs=gateways.needs(world, owned, judged.wanted_ports),
        gateways=owned,
        asked=wanted,
        listeners=judged,
        attached=attached,
        rules=ruled,
        client_certificates=shown,
        policy_statuses=world.engine.union(
            "statuses of policies and backends",
            policy_statuses.declare(world, references, owned, served.used),
            named.statuses,
            told.statuses,
        ),
        selections=named.selections,
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
            resolved.client_certificates,
            versions,
        )
    )
