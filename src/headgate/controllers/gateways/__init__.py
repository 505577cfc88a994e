"""The gateway controller.

* `loop` – the controller, built from the parts below;
* `watches` – watches of every kind in the world; `reference_barrier` holds objects back until what they reference
  arrived;
* `pipeline` – one pass: the program over the world, what changed for Envoys to xDS;
* `statuses`, `fleets`, `pod_selections` – queues that write statuses, the objects of Envoys, and Services of XBackends;
* `fleet_objects` – the objects of Envoys as watched;
* `identity` – the CA and the certificates that it signs;
* `memory` – returns memory that only the start needed.
"""

from .loop import GatewayController, Settings, gateway_api_kinds

__all__ = ["GatewayController", "Settings", "gateway_api_kinds"]
