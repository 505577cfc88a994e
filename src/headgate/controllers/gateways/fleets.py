"""Keeps the Envoys of every Gateway as `headgate.fleet` says, and tells the world what became of them."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from headgate import fleet, pki
from headgate.api import apps, core
from headgate.api.meta import Key, Object
from headgate.controllers.work import WorkQueue
from headgate.fleet import pods
from headgate.fleet.names import CONTROLLER_ANNOTATION, GATEWAY_LABEL, label_value
from headgate.ir.routing import Binding
from headgate.kube import apply
from headgate.kube.client import ApiError, Client
from headgate.world import EnvoyFleetSpec, EnvoyFleetStatus, Outputs, World
from headgate.world.objects import SETTINGS

from .identity import envoy_files

_log = structlog.get_logger("headgate.controllers.gateways")

#: How many Gateways' objects are looked at at the same time.
KEEPERS = 4
#: What we watch of our own.
SELECTOR = "app.kubernetes.io/managed-by=headgate,app.kubernetes.io/component=envoy"
#: Reasons of a waiting container that will not go away by themselves.
_STUCK = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CrashLoopBackOff", "CreateContainerConfigError")


class FleetKeeper:
    """One queue of Gateways; `Settings` are the same for all.

    Args:
        authority: the one that signs now; asked whenever a certificate is looked at.
        holding: whether we may write.
        changed: called after the world was told something.
    """

    def __init__(
        self,
        client: Client,
        world: World,
        outputs: Outputs,
        settings: fleet.Settings,
        authority: Callable[[], pki.Authority],
        holding: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._world = world
        self._outputs = outputs
        self._settings = settings
        self._authority = authority
        self._holding = holding
        self._changed = changed
        self._services: dict[Key, core.Service] = {}
        self._pods: dict[Key, core.Pod] = {}
        #: Gateways that own something of ours, whether or not they need it.
        self._owners: set[Key] = set()
        self._begun = False
        self.queue: WorkQueue[Key] = WorkQueue("fleet", self._keep, workers=KEEPERS)

    # ── what we see ──────────────────────────────────────────────────────────

    def see(self, key: Key, found: Object | None, before: Object | None) -> None:
        """An object of ours came, changed or went."""
        seen = found if found is not None else before
        if isinstance(seen, core.Pod):
            self._see_pod(key, found, seen)
            return
        if isinstance(seen, core.Service):
            if isinstance(found, core.Service):
                self._services[key] = found
            else:
                self._services.pop(key, None)
        gateway = _owner(seen) if seen is not None else None
        if gateway is not None:
            self._owners.add(gateway)
            self._tell(gateway)
            self.queue.add(gateway)

    def _see_pod(self, key: Key, found: Object | None, seen: core.Pod) -> None:
        if isinstance(found, core.Pod):
            self._pods[key] = found
        else:
            self._pods.pop(key, None)
        label = seen.metadata.labels.get(GATEWAY_LABEL)
        for gateway, needs in list(self._outputs.fleet_specs.items()):
            if gateway.namespace == key.namespace and label_value(gateway.name) == label:
                self._tell(gateway)
                if isinstance(found, core.Pod) and _pod_patch(gateway, needs, found) is not None:
                    self.queue.add(gateway)

    def tell_all(self) -> None:
        """The needs of all Gateways are known: tell the world about each, and have all objects looked at.

        Before the first call nothing is written. A Gateway whose class was not listed yet seems to need no Envoys, and
        those that an earlier run of ours left serving for it must not be taken away for that.
        """
        self._begun = True
        for gateway, _ in list(self._outputs.fleet_specs.items()):
            self.need(gateway)
        for gateway in self._owners:
            self.queue.add(gateway)

    def need(self, gateway: Key) -> None:
        """A Gateway's needs have changed, or came."""
        self._tell(gateway)
        self.queue.add(gateway)

    def _tell(self, gateway: Key) -> None:
        needs = self._outputs.fleet_specs.get(gateway)
        if needs is None:
            self._world.fleet_statuses.delete(gateway)
        else:
            service = self._services.get(fleet.name(gateway, needs.class_name))
            ingress = service.status.load_balancer.ingress if service is not None else ()
            found = EnvoyFleetStatus(
                service=fleet.name(gateway, needs.class_name).name,
                addresses=tuple(each.ip or each.hostname for each in ingress),
                reason_unavailable=self._trouble(gateway),
                cluster_ip=_cluster_ip(service),
            )
            self._world.fleet_statuses.set(gateway, found)
            if (binding := self._world.bindings.get(gateway)) is not None:
                self._world.bindings.set(gateway, bound(binding, found))
        self._changed()

    def _trouble(self, gateway: Key) -> str:
        there = self._pods_of(gateway)
        if any(status.ready for pod in there for status in pod.status.container_statuses):
            return ""
        for pod in there:
            for status in pod.status.container_statuses:
                waiting = status.state.waiting
                if waiting is not None and waiting.reason in _STUCK:
                    return f"Pod {pod.metadata.name}: {waiting.reason}: {waiting.message}"
        return ""

    def _pods_of(self, gateway: Key) -> list[core.Pod]:
        label = label_value(gateway.name)
        return [
            pod
            for key, pod in sorted(self._pods.items())
            if key.namespace == gateway.namespace and pod.metadata.labels.get(GATEWAY_LABEL) == label
        ]

    # ── what we write ────────────────────────────────────────────────────────

    async def _keep(self, gateway: Key) -> None:
        if not (self._begun and self._holding()):
            return  # tell_all calls again
        needs = self._outputs.fleet_specs.get(gateway)
        found = self._world.gateways.get(gateway)
        if found is None or found.metadata.deletion_timestamp:
            self._owners.discard(gateway)  # its objects are owned by it and go with it
            return
        if needs is None and self._outputs.gateway_statuses.get(gateway) is not None:
            return  # ours, and refused as it is now: what serves goes on serving, and its address is not given away
        standing = await self._remove_others(gateway, fleet.name(gateway, needs.class_name).name if needs else "")
        a_class = self._world.gateway_classes.get(Key("", needs.class_name)) if needs is not None else None
        if needs is None or a_class is None:
            return
        envoys = fleet.Envoys(
            gateway=gateway,
            uid=needs.uid,
            api_version=found.api_version,
            class_name=needs.class_name,
            controller=a_class.spec.controller_name,
            ports=needs.ports,
            labels=needs.labels,
            annotations=needs.annotations,
            addresses=needs.addresses,
            internal=needs.internal,
        )
        files, renewal = envoy_files(
            self._authority(), gateway, await self._identity(gateway, needs.class_name), time.time()
        )
        workload = fleet.objects(envoys, self._settings, files, standing)
        for each in (workload.secret, workload.service_account, workload.service, workload.deployment):
            if each is not None and self._holding():
                await apply.ensure(self._client, each)
        for pod in self._pods_of(gateway):
            await self._label(pod, _pod_patch(gateway, needs, pod))
        self.queue.add_after(gateway, max(1.0, renewal - time.time()))

    async def _label(self, pod: core.Pod, patch: dict[str, Any] | None) -> None:
        if patch is None or not self._holding():
            return
        try:
            await self._client.merge_patch(core.Pod, pod.metadata.name, pod.metadata.namespace, patch)
        except ApiError as error:
            if error.status not in (404, 409):  # it has gone, or another one has its name
                raise

    async def _identity(self, gateway: Key, class_name: str) -> dict[str, str]:
        where = fleet.name(gateway, class_name)
        try:
            return (await self._client.get(core.Secret, where.name, where.namespace)).data
        except ApiError as error:
            if error.status == 404:
                return {}
            raise

    async def _remove_others(self, gateway: Key, keep: str) -> apps.Deployment | None:
        """What we made for this Gateway under another class goes; what another controller made is not ours to judge.

        The Deployment that stays.
        """
        listing = await self._client.list(
            apps.Deployment,
            gateway.namespace,
            label_selector=f"{SELECTOR},{GATEWAY_LABEL}={label_value(gateway.name)}",
        )
        for deployment in listing.items:
            name = deployment.metadata.name
            maker = deployment.metadata.annotations.get(CONTROLLER_ANNOTATION)
            if name == keep or _owner(deployment) != gateway or not self._is_us(maker):
                continue
            for cls in (apps.Deployment, core.Service, core.ServiceAccount, core.Secret):
                try:
                    await self._client.delete(cls, name, gateway.namespace)
                except ApiError as error:
                    if error.status != 404:
                        raise
            _log.info("removed the Envoys of another class", gateway=str(gateway), name=name)
        return next((each for each in listing.items if each.metadata.name == keep), None)

    def _is_us(self, controller_name: str | None) -> bool:
        settings = self._world.settings.get(SETTINGS)
        return settings is not None and controller_name in settings.controller_names


def _pod_patch(gateway: Key, needs: EnvoyFleetSpec, pod: core.Pod) -> dict[str, Any] | None:
    return pods.patch(pod, pods.metadata(gateway, needs.labels, needs.annotations))


def bound(binding: Binding, found: EnvoyFleetStatus | None) -> Binding:
    """Where Envoys bind that bind their Service's address: it may have changed since they were started."""
    if binding.bind != "service" or found is None or not found.addresses or binding.address in found.addresses:
        return binding
    return msgspec.structs.replace(binding, address=found.addresses[0])


def _owner(found: Object) -> Key | None:
    """The Gateway that controls an object."""
    for owner in found.metadata.owner_references:
        if owner.controller and owner.kind == "Gateway":
            return Key(found.metadata.namespace, owner.name)
    return None


def _cluster_ip(service: core.Service | None) -> str:
    """Its address within the cluster; empty: none, or none yet."""
    found = service.spec.cluster_ip if service is not None else ""
    return "" if found == "None" else found
