"""The node: registers itself, binds pods, runs them, gives load balancers their addresses.

It is a client of a Kubernetes API, of whichever. What it does follows from watches alone: of the pods that are bound to
it, with `--schedule` of those that wait for a node, of all Services.
"""

import asyncio
import contextlib
import ipaddress
import shutil
import time
import uuid
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Never, cast

import msgspec
import structlog

from headgate.api import core
from headgate.api.core import Pod, Service
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import Key
from headgate.kube import resolve_names
from headgate.kube.client import ApiError, Client
from headgate.kube.events import EventRecorder
from headgate.kube.watch import Batch, follow

from . import registration, scheduling
from .addresses import Addresses, Network, NoAddressError
from .containers import BackOff, Machine
from .environment import Place
from .files import private_folder, write_atomically
from .images.catalog import Catalog, Image, NotYetError
from .interests import Interests
from .kubelet import Kubelet
from .leftovers import end_leftovers
from .pods import PodRun
from .processes import Processes
from .status import is_over

_log = structlog.get_logger("headgate.node")

#: Seconds between two heartbeats.
_HEARTBEAT = 20.0
#: Seconds that pods get when the node itself is ended.
_LAST_GRACE = 2.0


class Settings(msgspec.Struct, frozen=True):
    """How a node is started."""

    name: str
    pods: Network
    load_balancers: Network | None
    data: Path
    images: dict[str, Image]
    schedule: bool = False
    address: str = "127.0.0.1"
    port: int = 0
    client_ca: Path | None = None
    back_off: BackOff = BackOff()


class Node:
    """One node. `run` works until it is cancelled, and leaves no process behind."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._data = private_folder(settings.data)
        self._mark = _mark(self._data / "node-id")
        self._records = private_folder(self._data / "processes")
        self._addresses = Addresses(settings.pods, self._data / "addresses.json")
        self._machine = Machine(
            processes=Processes(self._records),
            catalog=Catalog(settings.images),
            around=self,
            mark=self._mark,
            back_off=settings.back_off,
        )
        self._interests = Interests(client, self._refresh)
        self._events = EventRecorder(client, "kubelet")
        self._kubelet = Kubelet(self._find_log, self._data)
        self._services: dict[Key, Service] = {}
        self._runs: dict[str, PodRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[Key, Pod] = {}
        self._to_bind: asyncio.Queue[Key] = asyncio.Queue()
        self._services_changed = asyncio.Event()
        self._changes: set[asyncio.Future[None]] = set()
        self.ready = asyncio.Event()

    # ── life ─────────────────────────────────────────────────────────────────

    async def run(self) -> Never:
        """See the class."""
        await asyncio.to_thread(end_leftovers, self._records, self._mark)
        shutil.rmtree(self._data / "pods", ignore_errors=True)
        port = await self._kubelet.start(self._settings.address, self._settings.port, self._settings.client_ca)
        try:
            async with self._events:
                await self._register(port)
                self._kubelet.well = True
                self.ready.set()
                try:
                    await self._work(port)
                finally:
                    await self._end_pods()
        finally:
            self._interests.close()
            await self._kubelet.stop()
        raise AssertionError("watches do not end by themselves")

    async def _work(self, port: int) -> None:
        name = self._settings.name
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(self._client, Service, self._see_services))
            tasks.create_task(follow(self._client, Pod, self._see_pods, field_selector=f"spec.nodeName={name}"))
            if self._settings.schedule:
                tasks.create_task(follow(self._client, Pod, self._see_waiting, field_selector="spec.nodeName="))
                tasks.create_task(self._bind())
            if self._settings.load_balancers is not None:
                tasks.create_task(self._give_addresses(self._settings.load_balancers))
            tasks.create_task(self._heartbeat(port))

    async def _end_pods(self) -> None:
        for run in self._runs.values():
            run.stop(_LAST_GRACE)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_LAST_GRACE + 5.0)
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
                self._since = time.time()
                return

    def _status(self, port: int) -> dict[str, Any]:
        now = time.time()
        since = getattr(self, "_since", now)
        return registration.node_status(self._settings.address, port, now, since, version("headgate"))

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

    def _see_pod(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        if run := self._runs.get(uid):
            run.update(pod)
            return
        if uid in self._tasks or (is_over(pod) and pod.metadata.deletion_timestamp is None):
            return
        self._tasks[uid] = asyncio.get_running_loop().create_task(self._live(pod))
        self._tasks[uid].add_done_callback(lambda task: self._done(uid, task))

    def _done(self, uid: str, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(uid, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a pod's task failed", uid=uid, error=repr(error), exc_info=error)

    async def _live(self, pod: Pod) -> None:
        """A pod from the first look to its removal."""
        uid = pod.metadata.uid
        try:
            address = self._addresses.of(uid)
        except NoAddressError as error:
            self._say(pod, "Warning", "FailedCreatePodSandBox", str(error))
            raise
        place = Place(pod_ip=address, host_ip=self._settings.address)
        folder = self._data / "pods" / uid.replace("-", "")[:12]
        run = self._runs[uid] = PodRun(
            pod,
            client=self._client,
            machine=self._machine,
            interests=self._interests,
            place=place,
            folder=folder,
            say=self._say,
        )
        if pod.metadata.deletion_timestamp is not None:
            run.update(pod)
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
        self._tell_changed()

    def _say(self, pod: Pod, kind: str, reason: str, message: str) -> None:
        self._events.event(pod, cast(Literal["Normal", "Warning"], kind), reason, message)

    def _find_log(self, namespace: str, pod: str, container: str, previous: bool) -> Any:
        run = next((run for run in self._runs.values() if run.pod.key == Key(namespace, pod)), None)
        return run.log(container, previous=previous) if run else None

    # ── scheduling ───────────────────────────────────────────────────────────

    def _see_waiting(self, batch: Batch[Pod]) -> None:
        for change in batch.changes:
            if change.object is not None and scheduling.is_waiting(change.object):
                self._waiting[change.key] = change.object
                self._to_bind.put_nowait(change.key)
            else:
                self._waiting.pop(change.key, None)

    async def _bind(self) -> None:
        while True:
            pod = self._waiting.pop(await self._to_bind.get(), None)
            if pod is None:
                continue
            about = pod.metadata
            body = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": about.name, "namespace": about.namespace, "uid": about.uid},
                "target": {"apiVersion": "v1", "kind": "Node", "name": self._settings.name},
            }
            path = self._client.path(Pod, about.namespace, about.name, "binding")
            try:
                await self._client.request("POST", path, body=msgspec.json.encode(body))
            except ApiError as error:
                if error.status not in (404, 409):
                    _log.warning("pod not bound", pod=str(pod.key), error=str(error))
                    asyncio.get_running_loop().call_later(1.0, self._bind_later, pod)
            else:
                text = f"Successfully assigned {pod.key} to {self._settings.name}"
                self._say(pod, "Normal", "Scheduled", text)

    def _bind_later(self, pod: Pod) -> None:
        self._waiting.setdefault(pod.key, pod)
        self._to_bind.put_nowait(pod.key)

    # ── Services ─────────────────────────────────────────────────────────────

    def _see_services(self, batch: Batch[Service]) -> None:
        for change in batch.changes:
            if change.object is None:
                self._services.pop(change.key, None)
            else:
                self._services[change.key] = change.object
        if batch.synced:
            self._services_changed.set()
        self._tell_changed()

    async def _give_addresses(self, network: Network) -> None:
        """One at a time, so that no two Services get the same address."""
        refused: set[str] = set()
        while True:
            await self._services_changed.wait()
            self._services_changed.clear()
            for service in [s for s in self._services.values() if scheduling.wants_address(s)]:
                in_use = scheduling.addresses_in_use(self._services.values())
                address = scheduling.address_for(service, network, in_use)
                if address is not None:
                    await self._give_address(service, address)
                elif service.metadata.uid not in refused:
                    refused.add(service.metadata.uid)
                    asked = service.spec.load_balancer_ip or "no address"
                    text = (
                        f"{asked} is free in {network}"
                        if not service.spec.load_balancer_ip
                        else (f"spec.loadBalancerIP {asked}: it is taken or not in {network}")
                    )
                    self._events.event(service, "Warning", "SyncLoadBalancerFailed", text)

    async def _give_address(self, service: Service, address: str) -> None:
        about = service.metadata
        patch = {"metadata": {"uid": about.uid}, "status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        try:
            answer = await self._client.merge_patch(Service, about.name, about.namespace, patch, subresource="status")
        except ApiError as error:
            if error.status not in (404, 409):
                _log.warning("no address given", service=str(service.key), error=str(error))
                asyncio.get_running_loop().call_later(1.0, self._services_changed.set)
            return
        self._services[service.key] = msgspec.convert(answer, Service)
        self._tell_changed()
        self._events.event(service, "Normal", "EnsuredLoadBalancer", f"The address is {address}")

    # ── Surroundings, as images see them ─────────────────────────────────────

    def services_of(self, pod: Pod) -> Iterable[Service]:
        """The Services that select a pod."""
        labels = pod.metadata.labels.items()
        for key, service in sorted(self._services.items()):
            if key.namespace == pod.metadata.namespace and service.spec.selector:
                if service.spec.selector.items() <= labels:
                    yield service

    async def addresses(self, host: str, port: int) -> list[tuple[str, int]]:
        """Where a host name of a Service leads now. Raises `NotYetError`."""
        name = resolve_names.parse(host)
        if name is None:
            return [(host, port)]
        what = (EndpointSlice, name.key)
        self._interests.want(f"name {name.key}", [what])
        service = self._services.get(name.key)
        if service is None:
            raise NotYetError(f"there is no Service {name.key}")
        if not self._interests.ready([what]):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.changed(), 1.0)
        try:
            found = resolve_names.addresses_of(service, self._interests.slices(name.key), port)
        except resolve_names.NameUnknownError as error:
            raise NotYetError(str(error)) from None
        if not found:
            raise NotYetError(f"no pod of Service {name.key} is ready")
        return found

    async def changed(self) -> None:
        """Until a Service or an EndpointSlice changed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.add(future)
        try:
            await future
        finally:
            self._changes.discard(future)

    def _tell_changed(self) -> None:
        for future in self._changes:
            if not future.done():
                future.set_result(None)


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
    return end_leftovers(records, _mark(data / "node-id")) if records.is_dir() else 0
