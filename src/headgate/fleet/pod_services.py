"""The headless Service that finds the pods of an XBackend (GEP-4894). Pure.

EndpointSlices of that Service then name the pods, so that the controller need not read the pods of every namespace.
"""

from headgate.api import core, gateway_x
from headgate.api.meta import Key, ObjectMeta, OwnerReference
from headgate.world import PodSelection

_KIND = gateway_x.XBackend.__name__
_LABELS = {"app.kubernetes.io/managed-by": "headgate", "app.kubernetes.io/component": "backend"}


def pod_service(backend: Key, selection: PodSelection) -> core.Service:
    """The Service of an XBackend, owned by it and in its namespace."""
    owner = OwnerReference(
        api_version=f"{gateway_x.GROUP}/v1alpha1",
        kind=_KIND,
        name=backend.name,
        uid=selection.uid,
        controller=True,
        block_owner_deletion=False,
    )
    return core.Service(
        metadata=ObjectMeta(
            name=selection.service, namespace=backend.namespace, labels=_LABELS, owner_references=(owner,)
        ),
        spec=core.ServiceSpec(
            cluster_ip="None",
            selector=selection.labels,
            ports=(core.ServicePort(name="backend", port=selection.port, target_port=selection.port),),
        ),
    )


def is_pod_service(service: core.Service, backend: Key) -> bool:
    """Whether a Service was made for this XBackend."""
    return any(owner.kind == _KIND and owner.name == backend.name for owner in service.metadata.owner_references)
