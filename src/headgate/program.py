"""The program: world and facts in, everything that a Gateway needs out, as one graph of remembered functions.

It is declared once; afterwards the price of a change does not depend on how many routes there are (see
`headgate.incremental`). `resolve` and `translate` do not know each other: they meet here, over `world.Routing`.
"""

from headgate import resolve, translate
from headgate.resolve import status
from headgate.world import Outputs, World
from headgate.world.facts import Facts


def program(world: World, facts: Facts) -> Outputs:
    """Declare everything over the sources. Then: set sources, `Engine.run`, take what changed."""
    resolved = resolve.declare(world)
    translated = translate.declare(world, resolved.routing)
    statuses = status.declare(
        status.StatusInputs(
            world,
            facts,
            resolved.gateways,
            resolved.merged_listeners,
            resolved.listeners,
            resolved.attached,
            resolved.rules,
            resolved.client_certificates,
            translated.listener_versions,
        )
    )
    return Outputs(
        routing=resolved.routing,
        class_statuses=statuses.classes,
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
