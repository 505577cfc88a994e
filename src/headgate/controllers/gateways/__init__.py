"""The gateway controller: watches feed the world, the program runs, changed resources and statuses go out.

* `loop` – joins the parts;
* `watches` – turns watched objects into sources of the world;
* `pipeline` – runs the program and hands changed resources to xDS;
* `statuses`, `fleets` – write to the API;
* `identity` – keeps the certificates of the controller and of the Envoys.
"""

from .loop import Settings, run

__all__ = ["Settings", "run"]
