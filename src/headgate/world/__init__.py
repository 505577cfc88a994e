"""The objects at one moment, and what the program makes of them.

* `World` – sources of the objects of Kubernetes, and of what the controllers know besides them (bindings, fleets);
* `facts.Facts` – the ACKs and NACKs of the Envoys; `headgate.resolve.status` alone reads them;
* `Routing` – the IR as collections: `resolve` makes it, `translate` and `simulate` read it;
* `Outputs` – everything that `headgate.program` makes, for the controllers to collect.

How a controller uses it:

    engine = Engine()
    world, facts = World(engine), Facts(engine)
    outputs = program(world, facts)
    changed = engine.collect(outputs.resources)     # once per output
    world.http_routes.set(route.key, route)         # with every watch event
    engine.run()
    delta = changed.take()
"""

from .fleets import EnvoyFleetSpec, EnvoyFleetStatus, PodSelection
from .objects import Settings, World
from .outputs import Outputs, Routing

__all__ = ["EnvoyFleetSpec", "EnvoyFleetStatus", "Outputs", "PodSelection", "Routing", "Settings", "World"]
