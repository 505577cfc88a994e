"""Resolves the objects of Kubernetes to the IR and to statuses. Pure; results are remembered per key.

One package per subject:

* `gateways` – GatewayClasses and Gateways of this controller;
* `attachment` – listeners of Gateways and ListenerSets, and the routes that attach to them;
* `references` – references to Services, Secrets, CA certificates and XBackends;
* `routing` – rules, virtual hosts, backends and endpoints;
* `policies` – which policy takes effect on a target, and the statuses of policies;
* `problems` – what is wrong with each object;
* `status` – statuses of every kind. The only package of the core that may read what Envoys answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headgate.api.gateway import PolicyAncestorStatus
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection
from headgate.policies import KINDS, PolicyKind
from headgate.world import EnvoyFleetSpec, PodSelection, Routing, World

from . import problems
from .attachment import listeners, merged_listeners, routes
from .gateways import client_certificates, managed
from .policies import listeners as listener_policies
from .policies import resolvers, tracing, xbackend_status
from .policies import routes as route_policies
from .policies import statuses as policy_statuses
from .policies.attachment import AttachedPolicies, ObjectLabels
from .policies.hierarchy import Hierarchy, users
from .references import resolver
from .routing import backends, endpoints, rules, streams, virtual_hosts

__all__ = ["Resolved", "declare"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything but the statuses of Gateways, listeners and routes."""

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
    problems: problems.Problems


def declare(world: World, policy_kinds: Sequence[PolicyKind[Any]] = KINDS) -> Resolved:
    """Declare the collections, in the order in which they depend on each other."""
    references = resolver.declare(world, policy_kinds)
    references_of = resolvers.of_policies(references)
    gateways = managed.declare(world)
    merged = merged_listeners.declare(world, gateways)
    labels = ObjectLabels(world, merged.namespace_labels)
    clients = listener_policies.declare(world, policy_kinds, references_of, labels)
    all_listeners = listeners.declare(world, references, gateways, merged, clients.client_traffic)
    attached = routes.declare(world, gateways, merged, all_listeners)
    secured = route_policies.declare(world, policy_kinds, references_of, labels, attached)
    stream_routes = streams.declare(world, references, all_listeners, attached, secured)
    all_rules = rules.declare(world, references, attached, stream_routes.problems)
    hosts = virtual_hosts.declare(world, all_listeners, attached, all_rules, secured)
    traces = tracing.declare(world, policy_kinds, references_of, labels, gateways)
    uses = (
        backends.of_rules(world, attached, all_rules),
        backends.of_policies(world, secured),
        backends.of_tracing(world, traces.tracing),
        all_listeners.backends,
    )
    used = backends.declare(world, uses, backends.of_streams(world, stream_routes))
    certificates = client_certificates.declare(world, references, gateways)
    xbackends = xbackend_status.declare(world, references, gateways, attached, traces.tracing)
    policies: tuple[AttachedPolicies[Any], ...] = (
        *references.backend_policies.kinds,
        *clients.kinds,
        *secured.kinds,
        *traces.kinds,
    )
    _check_applied(policy_kinds, policies)
    hierarchy = Hierarchy(
        gateways.managed, merged.listener_sets, attached, references.services, users(world.engine, used.used)
    )
    return Resolved(
        routing=Routing(
            ports=all_listeners.ports,
            hosts=hosts,
            shares=all_rules.shares,
            backends=used.backends,
            used=used.used,
            endpoints=endpoints.declare(world, references, used.all),
            streams=stream_routes.streams,
            weighted_backends=stream_routes.weighted_backends,
            client_certificates=client_certificates.valid(world, certificates),
            tracing=traces.tracing,
        ),
        fleet_specs=managed.fleet_specs(world, gateways, all_listeners.accepted_ports),
        gateways=gateways,
        merged_listeners=merged,
        listeners=all_listeners,
        attached=attached,
        rules=all_rules,
        client_certificates=certificates,
        policy_statuses=world.engine.union(
            "statuses of policies and XBackends",
            *(
                policy_statuses.declare(world.engine, gateways, attached_policies, hierarchy)
                for attached_policies in policies
            ),
            xbackends.statuses,
        ),
        pod_selections=xbackends.selections,
        problems=world.engine.union(
            "problems",
            problems.of_gateways(world, gateways, merged, all_listeners, certificates),
            problems.of_routes(world, attached, all_rules),
            problems.of_policies(world, policies, references.xbackends.backends),
        ),
    )


def _check_applied(kinds: Sequence[PolicyKind[Any]], attached: Sequence[AttachedPolicies[Any]]) -> None:
    """Raises TypeError for a kind with a type of settings that nothing applies: its policies would be ignored."""
    applied = [policies.kind for policies in attached]
    if ignored := [kind for kind in kinds if kind not in applied]:
        raise TypeError(", ".join(f"nothing applies {kind.settings.__name__} of {kind.name}" for kind in ignored))
