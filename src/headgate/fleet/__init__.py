"""The Envoys of a Gateway as Kubernetes objects, the same on every cluster.

`objects` is pure: a Gateway's needs in, Deployment, Service, ServiceAccount and Secret out. They live in the Gateway's
namespace, are owned by it (so they go with it) and named after it and its class (GEP-1762).
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
