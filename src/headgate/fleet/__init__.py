"""The Envoys of a Gateway as Kubernetes objects, the same on every cluster.

`objects` is pure: a Gateway's needs in, Deployment, Service, ServiceAccount and Secret out. They live in the Gateway's
namespace, are owned by it (so they go with it) and named after it and its class (GEP-1762).
"""

from .objects import ENVOY_IMAGE, Envoys, Settings, Workload, labels, name, objects
from .pods import selector

__all__ = ["ENVOY_IMAGE", "Envoys", "Settings", "Workload", "labels", "name", "objects", "selector"]
