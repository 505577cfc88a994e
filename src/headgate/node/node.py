"""The node: registers itself, binds pods, runs them, gives load balancers their addresses.

It is a client of a Kubernetes API, of whichever. What it does follows from watches alone: of the pods that are bound to
it, with `--schedule` of those that wait for a node, of all Services.
"""

import asyncio
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
from headgate.host.files import private_folder, write_atomically
from headgate.host.processes import Processes
from headgate.host.socket_paths import short_path
from headgate.kube.client import ApiError, Client
from headgate.kube.events import EventRecorder
from headgate.kube.watch import Batch, follow

from . import registration
from .binding import Binder
from .containers import BackOff, Machine
from .environment import PodNetwork
from .images.catalog import Catalog, Image, UnknownImageError
from .kubelet import KubeletServer
from .load_balancers import LoadBalancerAddresses
from .network_namespaces import NetworkNamespace, NetworkNamespaces
from .object_watches import ObjectWatches
from .orphans import end_orphans
from .pod_addresses import AddressesExhaustedError, Network, PodAddresses
from .pods import PodRun
from .service_directory import WatchedServices
from .status import is_terminal

_log = structlog.get_logger("headgate.node")

#: Seconds between two heartbeats.
_HEARTBEAT = 20.0
#: Seconds that pods get when the node itself is ended.
_LAST_GRACE = 2.0
#: Seconds until a pod whose task failed (which is a bug) is tried again.
_AGAIN = 5.0


class NodeSettings(msgspec.Struct, frozen=True):
    """How a node is started."""

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
    back_off: BackOff = BackOff()


class Node:
    """One node. `run` works until it is cancelled, and leaves no process behind."""

    def __init__(self, client: Client, settings: NodeSettings) -> None:
        self._client = client
        self._settings = settings
        self._data = private_folder(settings.data)
        self._mark = _mark(self._data / "node-id")
        self._records = private_folder(self._data / "processes")
        self._addresses = PodAddresses(settings.pods, self._data / "addresses.json")
        self._interests = ObjectWatches(client, self._refresh)
        self._services = WatchedServices(self._interests)
        self._machine = Machine(
            processes=Processes(self._records),
            catalog=Catalog(settings.images),
            services=self._services,
            mark=self._mark,
            server=client.server,
            back_off=settings.back_off,
        )
        self._namespaces = NetworkNamespaces(settings.pods) if settings.pod_network == "namespace" else None
        self._events = EventRecorder(client, "kubelet")
        self._kubelet = KubeletServer(self._find_log, self._data)
        self._runs: dict[str, PodRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._newest: dict[str, Pod] = {}
        self._folder = self._data / "pods"
        self._since = 0.0
        self._synced = False

    # ── life ─────────────────────────────────────────────────────────────────

    async def run(self) -> Never:
        """See the class. Raises `NamespaceError` when pods should have a network stack of their own and cannot."""
        await asyncio.to_thread(end_orphans, self._records, self._mark)
        shutil.rmtree(self._data / "pods", ignore_errors=True)
        if self._namespaces is None:
            await self._run()
        await self._namespaces.start()
        try:
            await self._run()
        finally:
            await self._namespaces.stop()

    async def _run(self) -> Never:
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
                self._interests.close()
                await self._kubelet.stop()
        raise AssertionError("watches do not end by themselves")

    async def _work(self, port: int) -> None:
        client, settings = self._client, self._settings
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(client, Service, self._services.handle_batch))
            tasks.create_task(follow(client, Pod, self._see_pods, field_selector=f"spec.nodeName={settings.name}"))
            if settings.schedule:
                binder = Binder(client, settings.name, self._events)
                tasks.create_task(follow(client, Pod, binder.handle_batch, field_selector="spec.nodeName="))
                tasks.create_task(binder.run())
            if settings.load_balancers is not None:
                balancers = LoadBalancerAddresses(client, self._services, settings.load_balancers, self._events)
                tasks.create_task(balancers.run())
            tasks.create_task(self._heartbeat(port))

    async def _end_pods(self) -> None:
        for run in self._runs.values():
            run.stop(_LAST_GRACE, in_order=False)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_LAST_GRACE + 1.0)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # ── the Node object ──────────────────────────────────────────────────────

    async def _register(self, port: int) -> None:
        pause = 0.2
        while True:
            try:
                await registration.register(
                    self._client, self._settings.name, str(self._settings.pods), self._status(port)
                )
            except ApiError as error:
                if error.status in (401, 403):
                    raise
                _log.warning("not registered yet", error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                return

    def _status(self, port: int) -> dict[str, Any]:
        now = time.time()
        self._since = self._since or now
        return registration.node_status(self._settings.address, port, now, self._since, version("headgate"))

    async def _heartbeat(self, port: int) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT)
            try:
                await self._client.merge_patch(
                    core.Node, self._settings.name, None, {"status": self._status(port)}, subresource="status"
                )
            except ApiError as error:
                _log.warning("no heartbeat", error=str(error))
                if error.status == 404:
                    await self._register(port)

    # ── pods ─────────────────────────────────────────────────────────────────

    def _see_pods(self, batch: Batch[Pod]) -> None:
        for change in batch.changes:
            if change.object is not None:
                self._see_pod(change.object)
            else:
                for run in self._runs.values():
                    if run.pod.key == change.key:
                        run.removed()
        if batch.synced and not self._synced:
            self._synced = True
            self._addresses.keep_only(set(self._newest))

    def _see_pod(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._newest[uid] = pod
        if run := self._runs.get(uid):
            run.update(pod)
            return
        if uid in self._tasks or (is_terminal(pod) and pod.metadata.deletion_timestamp is None):
            return
        self._tasks[uid] = asyncio.get_running_loop().create_task(self._live(uid))
        self._tasks[uid].add_done_callback(lambda task: self._done(uid, task))

    def _done(self, uid: str, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(uid, None)
        pod = self._newest.pop(uid)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a pod's task failed and is tried again", pod=str(pod.key), exc_info=error)
            asyncio.get_running_loop().call_later(_AGAIN, self._see_pod, pod)

    async def _live(self, uid: str) -> None:
        """A pod from the first look to its removal."""
        place = PodNetwork(pod_ip=await self._address(uid), host_ip=self._settings.address)
        folder = self._folder / uid.replace("-", "")[:12]
        run = self._runs[uid] = PodRun(
            self._newest[uid],
            client=self._client,
            machine=self._machine,
            interests=self._interests,
            place=place,
            folder=folder,
            say=self._say,
            make_namespace=self._make_namespace(uid, place.pod_ip),
        )
        run.update(self._newest[uid])
        try:
            await run.run()
            while run.is_over and not run.stopping:
                await run.told()  # its logs stay readable until it is deleted
            if run.pod.metadata.deletion_timestamp is not None:
                await self._remove(run.pod)
                self._addresses.release(uid)
            elif run.is_removed:
                self._addresses.release(uid)
        finally:
            del self._runs[uid]
            shutil.rmtree(folder, ignore_errors=True)

    async def _address(self, uid: str) -> str:
        while True:
            try:
                return self._addresses.allocate(uid)
            except AddressesExhaustedError as error:
                self._say(self._newest[uid], "Warning", "FailedCreatePodSandBox", str(error))
                await asyncio.sleep(2.0)

    def _make_namespace(self, uid: str, address: str) -> Callable[[], Awaitable[NetworkNamespace]] | None:
        """How the pod gets a network stack of its own; None if it runs on the node's."""
        spec = self._newest[uid].spec
        if self._namespaces is None or any(map(self._host_network, (*spec.init_containers, *spec.containers))):
            return None
        return partial(self._namespaces.create, address)

    def _host_network(self, container: core.Container) -> bool:
        try:
            return self._machine.catalog.find(container.image).host_network
        except UnknownImageError:
            return False  # said when it should start

    async def _remove(self, pod: Pod) -> None:
        """Tells the API that nothing of the pod is left."""
        while True:
            try:
                await self._client.delete(
                    Pod, pod.metadata.name, pod.metadata.namespace, grace_period=0, uid=pod.metadata.uid
                )
            except ApiError as error:
                if error.status in (404, 409):
                    return
                _log.warning("pod not removed yet", pod=str(pod.key), error=str(error))
                await asyncio.sleep(1.0)
            else:
                return

    def _refresh(self) -> None:
        for run in self._runs.values():
            run.refresh()
        self._services.notify()

    def _say(self, pod: Pod, kind: str, reason: str, message: str) -> None:
        self._events.event(pod, cast(Literal["Normal", "Warning"], kind), reason, message)

    def _find_log(self, namespace: str, pod: str, container: str, previous: bool) -> Any:
        run = next((run for run in self._runs.values() if run.pod.key == Key(namespace, pod)), None)
        return run.log(container, previous=previous) if run else None


def _mark(file: Path) -> str:
    """This node's own name in the environment of its processes: of the data folder, for as long as that lives."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        mark = uuid.uuid4().hex
        write_atomically(file, mark.encode())
        return mark


def network(text: str) -> Network:
    """An IPv4 network. Raises `ValueError` with what is wrong."""
    return ipaddress.IPv4Network(text)


def end_all(data: Path) -> int:
    """Ends what a killed node of this data folder left; how many processes that were."""
    records = data / "processes"
    return end_orphans(records, _mark(data / "node-id")) if records.is_dir() else 0
