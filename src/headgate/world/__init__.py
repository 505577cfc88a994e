"""The objects at an instant: what `resolve` and `translate` are functions of, and what they make.

* `World` – the objects of Kubernetes, and what the shell knows besides them (bindings, fleets);
* `Facts` – what the Envoys said about what they were sent; only `headgate.resolve.status` reads them;
* `Routing` – the IR as collections: `resolve` makes it, `translate` and `simulate` read it;
* `Outputs` – everything that `headgate.program` makes, for the shell to collect.

How the shell uses it:

    engine = Engine()
    world, facts = World.over(engine), Facts.over(engine)
    outputs = program(world, facts)
    changed = engine.collect(outputs.resources)     # once per output
    world.routes.set(route.key, route)              # with every watch event
    engine.run()
    delta = changed.take()
"""

from .facts import Facts, ListenerFact
from .needs import Needs, Selection
from .objects import Fleet, Settings, World
from .outputs import Outputs, Routing

__all__ = ["Facts", "Fleet", "ListenerFact", "Needs", "Outputs", "Routing", "Selection", "Settings", "World"]
