"""The node: registers itself, binds pods, runs them, gives load balancers their addresses.

It is a client of any Kubernetes API. All that it does follows from watches: of the pods that are bound to it, with
`--schedule` of those without a node, and of all Services.
"""

import asyncio
import contextlib
import ipaddress
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Never, cast

import msgspec
import structlog

from headgate.api import core
from headgate.api.core import Pod, Service
from headgate.api.meta import Key
from headgate.host.files import private_folder, write_durably
from headgate.host.processes import Processes
from headgate.host.socket_paths import short_path
from headgate.kube.backoff import Backoff
from headgate.kube.client import ApiError, Client
from headgate.kube.events import EventRecorder
from headgate.kube.watch import Batch, follow

from . import registration
from .binding import Binder
from .context import NodeContext, PodContext
from .environment import PodNetwork
from .images.catalog import Catalog, Image, UnknownImageError
from .kubelet import ContainerLog, KubeletServer
from .load_balancers import LoadBalancerAddresses
from .network_namespaces import NetworkNamespace, NetworkNamespaces
from .object_watches import ObjectWatches
from .orphans import end_orphans
from .pod_addresses import AddressesExhaustedError, Network, PodAddresses
from .pods import PodWorker
from .service_directory import WatchedServices
from .status import is_terminal

_log = structlog.get_logger("headgate.node")

#: Seconds between two heartbeats.
_HEARTBEAT_INTERVAL = 20.0
#: The grace period of pods when the node itself ends, in seconds.
_SHUTDOWN_GRACE = 2.0
#: Seconds until a pod whose task failed (which is a bug) is tried again.
_POD_RETRY = 5.0
#: Seconds until a pod that found no free address, or that could not be deleted, is tried again.
_ADDRESS_RETRY, _DELETE_RETRY = 2.0, 1.0
_REGISTER_BACKOFF = Backoff(first=0.2, limit=5.0)


class NodeSettings(msgspec.Struct, frozen=True):
    """How a node is started; `headgate node --help` describes the flags.

    Attributes:
        pods: the addresses of pods.
        load_balancers: the addresses of Services of type LoadBalancer; None: the node assigns none.
        schedule: whether it binds pods without a node.
        address: where its log server listens, and the address of the Node object.
        client_ca: with it, logs are shown to clients with a certificate of that CA.
    """

    name: str
    pods: Network
    load_balancers: Network | None
    data: Path
    images: dict[str, Image]
    schedule: bool = False
    pod_network: Literal["shared", "namespace"] = "shared"
    address: str = "127.0.0.1"
    port: int = 0
    client_ca: Path | None = None


class Node:
    """One node. `run` works until it is cancelled, and leaves no process behind."""

    def __init__(self, client: Client, settings: NodeSettings) -> None:
        self._client = client
        self._settings = settings
        self._data = private_folder(settings.data)
        self._records = private_folder(self._data / "processes")
        self._addresses = PodAddresses(settings.pods, self._data / "addresses.json")
        self._watches = ObjectWatches(client, self._objects_changed)
        self._services = WatchedServices(self._watches)
        self._events = EventRecorder(client, "kubelet")
        self._context = NodeContext(
            client=client,
            processes=Processes(self._records),
            catalog=Catalog(settings.images),
            services=self._services,
            watches=self._watches,
            node_id=_node_id(self._data / "node-id"),
            record_event=self._record_event,
        )
        self._namespaces = NetworkNamespaces(settings.pods) if settings.pod_network == "namespace" else None
        self._kubelet = KubeletServer(self._find_log, self._data)
        #: By uid: pods that run here, the tasks that run them, and their newest versions.
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._pods: dict[str, Pod] = {}
        self._folder = self._data / "pods"
        self._ready_since = 0.0
        self._synced = False

    # ── life ─────────────────────────────────────────────────────────────────

    async def run(self) -> Never:
        """Work until cancelled.

        Raises:
            ListenError: the port of the log server cannot be used.
            NetworkNamespaceError: pods should have a network namespace, and none can be made here.
        """
        await asyncio.to_thread(end_orphans, self._records, self._context.node_id)
        shutil.rmtree(self._data / "pods", ignore_errors=True)
        if self._namespaces is None:
            await self._serve()
        await self._namespaces.start()
        try:
            await self._serve()
        finally:
            await self._namespaces.stop()

    async def _serve(self) -> Never:
        with short_path(self._data / "pods", self._data / "short-path") as self._folder:
            port = await self._kubelet.start(self._settings.address, self._settings.port, self._settings.client_ca)
            try:
                async with self._events:
                    await self._register(port)
                    self._kubelet.healthy = True
                    try:
                        await self._work(port)
                    finally:
                        await self._end_pods()
            finally:
                self._watches.close()
                await self._kubelet.stop()
        raise AssertionError("watches do not end by themselves")

    async def _work(self, port: int) -> None:
        client, settings = self._client, self._settings
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(client, Service, self._services.handle_batch))
            bound_here = f"spec.nodeName={settings.name}"
            tasks.create_task(follow(client, Pod, self._handle_pods, field_selector=bound_here))
            if settings.schedule:
                binder = Binder(client, settings.name, self._events)
                tasks.create_task(follow(client, Pod, binder.handle_batch, field_selector="spec.nodeName="))
                tasks.create_task(binder.run())
            if settings.load_balancers is not None:
                balancers = LoadBalancerAddresses(client, self._services, settings.load_balancers, self._events)
                tasks.create_task(balancers.run())
            tasks.create_task(self._send_heartbeats(port))

    async def _end_pods(self) -> None:
        for worker in self._workers.values():
            worker.stop(_SHUTDOWN_GRACE, with_hooks=False)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_SHUTDOWN_GRACE + 1.0)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # ── the Node object ──────────────────────────────────────────────────────

    async def _register(self, port: int) -> None:
        failures = 0
        while True:
            try:
                await registration.register(
                    self._client, self._settings.name, str(self._settings.pods), self._status(port)
                )
            except ApiError as error:
                if error.status in (401, 403):
                    raise
                _log.warning("node not registered, retrying", error=str(error))
                failures += 1
                await asyncio.sleep(_REGISTER_BACKOFF.delay(failures))
            else:
                return

    def _status(self, port: int) -> dict[str, Any]:
        now = time.time()
        self._ready_since = self._ready_since or now
        return registration.node_status(self._settings.address, port, now, self._ready_since, version("headgate"))

    async def _send_heartbeats(self, port: int) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_INTERVAL)
            try:
                await self._client.merge_patch(
                    core.Node, self._settings.name, None, {"status": self._status(port)}, subresource="status"
                )
            except ApiError as error:
                _log.warning("heartbeat not sent", error=str(error))
                if error.status == 404:
                    await self._register(port)

    # ── pods ─────────────────────────────────────────────────────────────────

    def _handle_pods(self, batch: Batch[Pod]) -> None:
        for change in batch.changes:
            if change.object is not None:
                self._handle_pod(change.object)
            else:
                for worker in self._workers.values():
                    if worker.pod.key == change.key:
                        worker.remove()
        if batch.synced and not self._synced:
            self._synced = True
            self._addresses.keep_only(set(self._pods))

    def _handle_pod(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._pods[uid] = pod
        if worker := self._workers.get(uid):
            worker.update(pod)
            return
        if uid in self._tasks or (is_terminal(pod) and pod.metadata.deletion_timestamp is None):
            return
        self._tasks[uid] = asyncio.get_running_loop().create_task(self._run_pod(uid))
        self._tasks[uid].add_done_callback(lambda task: self._pod_done(uid, task))

    def _pod_done(self, uid: str, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(uid, None)
        pod = self._pods.pop(uid)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task of a pod failed, retrying", pod=str(pod.key), exc_info=error)
            asyncio.get_running_loop().call_later(_POD_RETRY, self._handle_pod, pod)

    async def _run_pod(self, uid: str) -> None:
        """Run a pod until it is removed from the API."""
        network = PodNetwork(pod_ip=await self._allocate_address(uid), host_ip=self._settings.address)
        folder = self._folder / uid.replace("-", "")[:12]
        context = PodContext(self._context, self._pods[uid], network, folder)
        worker = self._workers[uid] = PodWorker(context, self._namespace_of(uid, network.pod_ip))
        worker.update(self._pods[uid])
        try:
            await worker.run()
            while worker.is_terminal and not worker.is_stopping:
                await worker.wait_for_update()  # its logs stay readable until it is deleted
            if worker.pod.metadata.deletion_timestamp is not None:
                await self._delete(worker.pod)
                self._addresses.release(uid)
            elif worker.is_removed:
                self._addresses.release(uid)
        finally:
            del self._workers[uid]
            shutil.rmtree(folder, ignore_errors=True)

    async def _allocate_address(self, uid: str) -> str:
        while True:
            try:
                return self._addresses.allocate(uid)
            except AddressesExhaustedError as error:
                self._record_event(self._pods[uid], "Warning", "FailedCreatePodSandBox", str(error))
                await asyncio.sleep(_ADDRESS_RETRY)

    def _namespace_of(self, uid: str, address: str) -> Callable[[], Awaitable[NetworkNamespace]] | None:
        """How to make the pod's network namespace; None if it runs on the node's network."""
        spec = self._pods[uid].spec
        if self._namespaces is None or any(map(self._needs_host_network, (*spec.init_containers, *spec.containers))):
            return None
        return partial(self._namespaces.create, address)

    def _needs_host_network(self, container: core.Container) -> bool:
        try:
            return self._context.catalog.find(container.image).host_network
        except UnknownImageError:
            return False  # reported when the container starts

    async def _delete(self, pod: Pod) -> None:
        """Confirm the deletion of a pod whose processes have ended."""
        about = pod.metadata
        while True:
            try:
                await self._client.delete(Pod, about.name, about.namespace, grace_period=0, uid=about.uid)
            except ApiError as error:
                if error.status in (404, 409):
                    return
                _log.warning("pod not deleted, retrying", pod=str(pod.key), error=str(error))
                await asyncio.sleep(_DELETE_RETRY)
            else:
                return

    def _objects_changed(self) -> None:
        for worker in self._workers.values():
            worker.refresh()
        self._services.notify()

    def _record_event(self, pod: Pod, event_type: str, reason: str, message: str) -> None:
        self._events.event(pod, cast(Literal["Normal", "Warning"], event_type), reason, message)

    def _find_log(self, namespace: str, pod: str, container: str, previous: bool) -> ContainerLog | None:
        key = Key(namespace, pod)
        worker = next((worker for worker in self._workers.values() if worker.pod.key == key), None)
        return worker.log(container, previous=previous) if worker else None


def _node_id(file: Path) -> str:
    """The id of a node, which marks its processes. It belongs to the data folder; an empty file gets a new one."""
    with contextlib.suppress(FileNotFoundError):
        if node_id := file.read_text().strip():
            return node_id
    node_id = uuid.uuid4().hex
    write_durably(file, node_id.encode())
    return node_id


def network(text: str) -> Network:
    """An IPv4 network in CIDR notation. Raises `ValueError`."""
    return ipaddress.IPv4Network(text)


def end_all(data: Path) -> int:
    """End the processes that a killed node of this data folder left; how many there were."""
    records = data / "processes"
    return end_orphans(records, _node_id(data / "node-id")) if records.is_dir() else 0
