"""The objects at one moment, and what the program makes of them.

* `World` – the objects of Kubernetes, and what the shell knows besides them (bindings, fleets);
* `world.facts.Facts` – the ACKs and NACKs of the Envoys; `headgate.resolve.status` alone reads them;
* `Routing` – the IR as collections: `resolve` makes it, `translate` and `simulate` read it;
* `Outputs` – everything that `headgate.program` makes, for the shell to collect.

How the shell uses it:

    engine = Engine()
    world, facts = World(engine), facts.Facts(engine)
    outputs = program(world, facts)
    changed = engine.collect(outputs.resources)     # once per output
    world.http_routes.set(route.key, route)              # with every watch event
    engine.run()
    delta = changed.take()
"""

from .fleets import EnvoyFleetSpec, EnvoyFleetStatus, PodSelection
from .objects import Settings, World
from .outputs import Outputs, Routing

__all__ = ["EnvoyFleetSpec", "EnvoyFleetStatus", "Outputs", "PodSelection", "Routing", "Settings", "World"]
