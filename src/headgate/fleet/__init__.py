"""The Envoys of a Gateway as Kubernetes objects, the same on every cluster.

* `objects` – Deployment, Service, ServiceAccount and Secret of a Gateway. They are in the Gateway's namespace, owned by
  it, so that Kubernetes deletes them with it, and named after it and its class (GEP-1762);
* `pods` – labels and annotations of pods, which change without new pods;
* `pod_services` – the headless Services of XBackends;
* `status` – what a fleet's Service and pods report;
* `names` – names and labels.

All functions are pure.
"""

from .objects import ENVOY_IMAGE, Envoys, Settings, Workload, labels, name, objects, owner
from .pod_services import is_pod_service, pod_service
from .pods import selector
from .status import fleet_status

__all__ = [
    "ENVOY_IMAGE",
    "Envoys",
    "Settings",
    "Workload",
    "fleet_status",
    "is_pod_service",
    "labels",
    "name",
    "objects",
    "owner",
    "pod_service",
    "selector",
]
