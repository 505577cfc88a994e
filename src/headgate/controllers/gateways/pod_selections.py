"""Keeps a headless Service for the pods of every XBackend that a route names: EndpointSlices then say who serves."""

from collections.abc import Callable

from headgate.api import core, gateway_x
from headgate.api.meta import Key, ObjectMeta, OwnerReference
from headgate.controllers.work import WorkQueue
from headgate.kube import apply
from headgate.kube.client import ApiError, Client
from headgate.resolve.references.xbackends import KIND, service_name
from headgate.world import Outputs, PodSelection

_LABELS = {"app.kubernetes.io/managed-by": "headgate", "app.kubernetes.io/component": "backend"}


class PodSelectionReconciler:
    """One queue of XBackends.

    Args:
        holding: whether we may write.
    """

    def __init__(self, client: Client, outputs: Outputs, holding: Callable[[], bool]) -> None:
        self._client = client
        self._outputs = outputs
        self._holding = holding
        self.queue: WorkQueue[Key] = WorkQueue("selection", self._keep, workers=2)

    def add_all(self) -> None:
        """Have all looked at: after the first pass, or when the lease has become ours."""
        for key, _ in self._outputs.pod_selections.items():
            self.queue.add(key)

    async def _keep(self, key: Key) -> None:
        if not self._holding():
            return
        selection = self._outputs.pod_selections.get(key)
        if selection is not None:
            await apply.ensure(self._client, service(key, selection))
        else:
            await self._remove(key)

    async def _remove(self, key: Key) -> None:
        """Nobody names the XBackend any more. If it went itself, its Service goes with it."""
        name = service_name(key.name)
        try:
            found = await self._client.get(core.Service, name, key.namespace)
            if any(owner.kind == KIND and owner.name == key.name for owner in found.metadata.owner_references):
                await self._client.delete(core.Service, name, key.namespace)
        except ApiError as error:
            if error.status != 404:
                raise


def service(key: Key, selection: PodSelection) -> core.Service:
    """The Service of an XBackend."""
    owner = OwnerReference(
        api_version=f"{gateway_x.GROUP}/v1alpha1",
        kind=KIND,
        name=key.name,
        uid=selection.uid,
        controller=True,
        block_owner_deletion=False,
    )
    return core.Service(
        metadata=ObjectMeta(name=selection.service, namespace=key.namespace, labels=_LABELS, owner_references=(owner,)),
        spec=core.ServiceSpec(
            cluster_ip="None",
            selector=selection.labels,
            ports=(core.ServicePort(name="backend", port=selection.port, target_port=selection.port),),
        ),
    )
