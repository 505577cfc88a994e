"""Keeps the Envoys of every Gateway as `headgate.fleet` describes them, and reports their status to the world."""

import time
from collections.abc import Callable
from typing import Any

import structlog

from headgate import fleet, pki
from headgate.api import apps, core
from headgate.api.meta import Key, Object
from headgate.controllers.work_queue import WorkQueue
from headgate.fleet import pods
from headgate.fleet.names import CONTROLLER_ANNOTATION, GATEWAY_LABEL, label_value
from headgate.kube import apply
from headgate.kube.client import ApiError, Client
from headgate.world import EnvoyFleetSpec, Outputs, World
from headgate.world.fleets import current_binding
from headgate.world.objects import SETTINGS

from .fleet_objects import SELECTOR, FleetObjects, is_pod_of
from .identity import envoy_files

_log = structlog.get_logger("headgate.controllers.gateways")

#: How many Gateways are reconciled at the same time.
_WORKERS = 4


class FleetReconciler:
    """A queue of Gateways whose Envoys are reconciled.

    Args:
        settings: the same for all Gateways.
        ca: the CA that signs now; asked whenever a certificate is looked at.
        is_leader: whether this replica may write.
        world_changed: called after a status was set in the world.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        outputs: Outputs,
        settings: fleet.Settings,
        *,
        ca: Callable[[], pki.CertificateAuthority],
        is_leader: Callable[[], bool],
        world_changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._world = world
        self._outputs = outputs
        self._settings = settings
        self._ca = ca
        self._is_leader = is_leader
        self._world_changed = world_changed
        self._objects = FleetObjects()
        self._started = False
        self.queue: WorkQueue[Key] = WorkQueue("fleet", self._reconcile, workers=_WORKERS)

    # ── reading ──────────────────────────────────────────────────────────────

    def observe(self, cls: type[Object], key: Key, new: Object | None) -> None:
        """An object of a fleet came, changed or (None) was deleted."""
        last = self._objects.set(cls, key, new)
        if isinstance(last, core.Pod):
            self._observe_pod(last, deleted=new is None)
            return
        gateway = fleet.owner(last) if last is not None else None
        if gateway is not None:
            self.enqueue(gateway)

    def _observe_pod(self, pod: core.Pod, *, deleted: bool) -> None:
        for gateway, spec in list(self._outputs.fleet_specs.items()):
            if is_pod_of(pod, gateway):
                self._report(gateway)
                if not deleted and _pod_patch(gateway, spec, pod) is not None:
                    self.queue.add(gateway)

    def reconcile_all(self) -> None:
        """Report and reconcile every Gateway, now that the specs of all are known, or that this replica leads.

        Nothing is written before the first call. A Gateway whose class was not listed yet seems to need no Envoys, and
        those that an earlier run left serving for it must not be deleted for that.
        """
        self._started = True
        for gateway, _ in list(self._outputs.fleet_specs.items()):
            self.enqueue(gateway)
        for gateway in self._objects.owners:
            self.queue.add(gateway)

    def enqueue(self, gateway: Key) -> None:
        """Report and reconcile a Gateway: its spec or its objects changed."""
        self._report(gateway)
        self.queue.add(gateway)

    def _report(self, gateway: Key) -> None:
        """Set the status of a fleet in the world, and the address that its Envoys bind."""
        spec = self._outputs.fleet_specs.get(gateway)
        if spec is None:
            self._world.fleet_statuses.delete(gateway)
        else:
            service = self._objects.service(fleet.name(gateway, spec.class_name))
            status = fleet.fleet_status(gateway, spec, service, self._objects.pods(gateway))
            self._world.fleet_statuses.set(gateway, status)
            if (binding := self._world.bindings.get(gateway)) is not None:
                self._world.bindings.set(gateway, current_binding(binding, status))
        self._world_changed()

    # ── writing ──────────────────────────────────────────────────────────────

    async def _reconcile(self, gateway: Key) -> None:
        if not (self._started and self._is_leader()):
            return  # `start` adds all again
        spec = self._outputs.fleet_specs.get(gateway)
        owner = self._world.gateways.get(gateway)
        if owner is None or owner.metadata.deletion_timestamp:
            self._objects.owners.discard(gateway)  # Kubernetes deletes what it owns
            return
        if spec is None and self._outputs.gateway_statuses.get(gateway) is not None:
            return  # of a class of ours, but not valid now: its Envoys serve on, and its address is not released
        name = fleet.name(gateway, spec.class_name).name if spec is not None else ""
        present = await self._remove_others(gateway, name)
        gateway_class = self._world.gateway_classes.get(Key("", spec.class_name)) if spec is not None else None
        if spec is None or gateway_class is None:
            return
        envoys = fleet.Envoys.of(
            gateway, spec, api_version=owner.api_version, controller=gateway_class.spec.controller_name
        )
        secret = await self._identity(gateway, spec.class_name)
        files, renewal = envoy_files(self._ca(), gateway, secret, time.time())
        workload = fleet.objects(envoys, self._settings, files, present)
        for wanted in (workload.secret, workload.service_account, workload.service, workload.deployment):
            if wanted is not None and self._is_leader():
                await apply.create_or_patch(self._client, wanted)
        for pod in self._objects.pods(gateway):
            await self._label(pod, _pod_patch(gateway, spec, pod))
        self.queue.add_after(gateway, max(1.0, renewal - time.time()))

    async def _label(self, pod: core.Pod, patch: dict[str, Any] | None) -> None:
        if patch is None or not self._is_leader():
            return
        try:
            await self._client.merge_patch(core.Pod, pod.metadata.name, pod.metadata.namespace, patch)
        except ApiError as error:
            if error.status not in (404, 409):  # it was deleted, or another pod has its name now
                raise

    async def _identity(self, gateway: Key, class_name: str) -> dict[str, str]:
        """The data of the Secret with the certificate of a Gateway's Envoys; empty if there is none."""
        where = fleet.name(gateway, class_name)
        try:
            return (await self._client.get(core.Secret, where.name, where.namespace)).data
        except ApiError as error:
            if error.status == 404:
                return {}
            raise

    async def _remove_others(self, gateway: Key, keep: str) -> apps.Deployment | None:
        """Delete what this controller made for the Gateway under another class. Returns the Deployment named `keep`.

        What another controller made for the Gateway stays.
        """
        listing = await self._client.list(
            apps.Deployment,
            gateway.namespace,
            label_selector=f"{SELECTOR},{GATEWAY_LABEL}={label_value(gateway.name)}",
        )
        for deployment in listing.items:
            name = deployment.metadata.name
            made_by = deployment.metadata.annotations.get(CONTROLLER_ANNOTATION)
            if name == keep or fleet.owner(deployment) != gateway or not self._is_ours(made_by):
                continue
            for cls in (apps.Deployment, core.Service, core.ServiceAccount, core.Secret):
                try:
                    await self._client.delete(cls, name, gateway.namespace)
                except ApiError as error:
                    if error.status != 404:
                        raise
            _log.info("removed the Envoys of another class", gateway=str(gateway), name=name)
        return next((deployment for deployment in listing.items if deployment.metadata.name == keep), None)

    def _is_ours(self, controller_name: str | None) -> bool:
        settings = self._world.settings.get(SETTINGS)
        return settings is not None and controller_name in settings.controller_names


def _pod_patch(gateway: Key, spec: EnvoyFleetSpec, pod: core.Pod) -> dict[str, Any] | None:
    return pods.patch(pod, pods.metadata(gateway, spec.labels, spec.annotations))
