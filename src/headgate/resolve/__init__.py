"""World to IR and statuses. Pure, remembered per key. One package per subject:

* `gateways` – GatewayClasses and Gateways of this controller;
* `attachment` – listeners of Gateways and ListenerSets, and the routes that attach to them;
* `references` – references to Services, Secrets, CA certificates and XBackends;
* `routing` – rules, virtual hosts, backends and endpoints;
* `policies` – which policy takes effect on a target, and the statuses of policies;
* `status` – statuses of every kind. The only package of the core that may read what Envoys answered.
"""

from dataclasses import dataclass
from typing import Any

from headgate.api.gateway import PolicyAncestorStatus
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection
from headgate.world import EnvoyFleetSpec, PodSelection, Routing, World

from .attachment import listeners, merged_listeners, routes
from .gateways import client_certificates, managed
from .policies import hierarchy as policy_hierarchy
from .policies import statuses as policy_statuses
from .policies import tracing, xbackend_status
from .policies.attachment import AttachedPolicies
from .references import resolver
from .routing import backends, rules, streams, virtual_hosts

__all__ = ["Resolved", "declare"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything but the statuses."""

    routing: Routing
    fleet_specs: Collection[Key, EnvoyFleetSpec]
    gateways: managed.ManagedGateways
    merged_listeners: merged_listeners.MergedListeners
    listeners: listeners.Listeners
    attached: routes.AttachedRoutes
    rules: rules.Rules
    client_certificates: Collection[Key, client_certificates.ClientCertificate]
    policy_statuses: Collection[Ref, tuple[PolicyAncestorStatus, ...]]
    pod_selections: Collection[Key, PodSelection]


def declare(world: World) -> Resolved:
    """Declare the collections, in the order in which they depend on each other."""
    references = resolver.declare(world)
    owned = managed.declare(world)
    wanted = merged_listeners.declare(world, owned)
    judged = listeners.declare(world, references, owned, wanted)
    attached = routes.declare(world, owned, wanted, judged)
    streamed = streams.declare(world, references, judged, attached)
    ruled = rules.declare(world, references, attached, streamed.problems)
    hosted = virtual_hosts.declare(world, judged, attached, ruled)
    traced = tracing.declare(world, references, owned)
    served = backends.declare(world, references, attached, ruled, streamed, traced.tracing, judged.backends)
    shown = client_certificates.declare(world, references, owned)
    xbackends = xbackend_status.declare(world, references, owned, attached, traced.tracing)
    policies: tuple[AttachedPolicies[Any], ...] = (*references.backend_policies.kinds, *traced.kinds)
    hierarchy = policy_hierarchy.declare(
        world,
        [each.kind for each in policies],
        gateways=owned.managed,
        listener_sets=wanted.listener_sets,
        attached=attached,
        shapes=ruled.unweighted,
        services=references.services,
        used=served.used,
    )
    return Resolved(
        routing=Routing(
            ports=judged.ports,
            hosts=hosted,
            shares=ruled.shares,
            backends=served.backends,
            used=served.used,
            endpoints=served.endpoints,
            streams=streamed.streams,
            weighted_backends=streamed.pools,
            client_certificates=client_certificates.valid(world, shown),
            tracing=traced.tracing,
        ),
        fleet_specs=managed.fleet_specs(world, owned, judged.accepted_ports),
        gateways=owned,
        merged_listeners=wanted,
        listeners=judged,
        attached=attached,
        rules=ruled,
        client_certificates=shown,
        policy_statuses=world.engine.union(
            "statuses of policies and backends",
            *(policy_statuses.declare(world.engine, owned, each, hierarchy) for each in policies),
            xbackends.statuses,
        ),
        pod_selections=xbackends.selections,
    )
