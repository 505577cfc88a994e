"""The program: objects and facts in, everything that a Gateway needs out, as one graph of remembered functions.

The graph is declared once. After that, the cost of a change does not depend on the number of routes (see
`headgate.incremental`). `resolve` and `translate` do not import each other; this module connects them with
`world.Routing`.
"""

from collections.abc import Sequence
from typing import Any

from headgate import policies, resolve, translate
from headgate.policies import PolicyKind
from headgate.resolve import status
from headgate.world import Outputs, World
from headgate.world.facts import Facts


def program(world: World, facts: Facts, policy_kinds: Sequence[PolicyKind[Any]] = policies.KINDS) -> Outputs:
    """Declare the graph over the sources. To use it: set sources, call `Engine.run`, and collect what changed."""
    resolved = resolve.declare(world, policy_kinds)
    translated = translate.declare(world, resolved.routing)
    statuses = status.declare(
        status.StatusInputs(
            world=world,
            facts=facts,
            gateways=resolved.gateways,
            merged_listeners=resolved.merged_listeners,
            listeners=resolved.listeners,
            attached=resolved.attached,
            rules=resolved.rules,
            client_certificates=resolved.client_certificates,
            versions=translated.listener_versions,
        )
    )
    return Outputs(
        routing=resolved.routing,
        problems=resolved.problems,
        gateway_class_statuses=statuses.classes,
        gateway_statuses=statuses.gateways,
        listener_set_statuses=statuses.listener_sets,
        route_statuses=statuses.routes,
        policy_statuses=resolved.policy_statuses,
        pod_selections=resolved.pod_selections,
        fleet_specs=resolved.fleet_specs,
        resources=translated.resources,
        configurations=translated.configurations,
        hosts=translated.hosts,
        weights=translated.weights,
    )
