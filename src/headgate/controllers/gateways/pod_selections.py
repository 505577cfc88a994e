"""Keeps a headless Service for the pods of every XBackend with a selector that a route references."""

from collections.abc import Callable

from headgate import fleet
from headgate.api import core
from headgate.api.meta import Key
from headgate.controllers.work_queue import WorkQueue
from headgate.kube import apply
from headgate.kube.client import ApiError, Client
from headgate.resolve.references.xbackends import service_name
from headgate.world import Outputs


class PodSelectionReconciler:
    """A queue of XBackends.

    Args:
        is_leader: whether this replica may write.
    """

    def __init__(self, client: Client, outputs: Outputs, *, is_leader: Callable[[], bool]) -> None:
        self._client = client
        self._outputs = outputs
        self._is_leader = is_leader
        self.queue: WorkQueue[Key] = WorkQueue("selection", self._reconcile, workers=2)

    def add_all(self) -> None:
        """Reconcile every XBackend: after the first pass, or when this replica begins to lead."""
        for key, _ in self._outputs.pod_selections.items():
            self.queue.add(key)

    async def _reconcile(self, key: Key) -> None:
        if not self._is_leader():
            return
        selection = self._outputs.pod_selections.get(key)
        if selection is not None:
            await apply.create_or_patch(self._client, fleet.pod_service(key, selection))
        else:
            await self._remove(key)

    async def _remove(self, key: Key) -> None:
        """Delete the Service: no route references the XBackend any more. (If it was deleted, Kubernetes deletes it.)"""
        name = service_name(key.name)
        try:
            service = await self._client.get(core.Service, name, key.namespace)
            if fleet.is_pod_service(service, key):
                await self._client.delete(core.Service, name, key.namespace)
        except ApiError as error:
            if error.status != 404:
                raise
