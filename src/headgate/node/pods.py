"""The life of one pod: address, volumes, init containers, containers, the end.

`PodRun.run` is one task. Changes of the pod, of ConfigMaps and of Secrets are told by `update` and `refresh`; what
becomes of the pod is written to its status by a second task, newest only.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from headgate.api import core
from headgate.api.core import (
    ConfigMap,
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodStatus,
    Secret,
)
from headgate.kube.client import ApiError, Client

from . import log_files, log_times, volumes
from .containers import ContainerRun, Machine, Room
from .environment import ConfigSources, MissingReferenceError, PodNetwork, referenced_objects
from .log_times import LogTimes
from .mounts import mounts_of
from .network_namespaces import NetworkNamespace, NetworkNamespaceError
from .object_watches import ObjectWatches
from .status import is_terminal, pod_status
from .tokens import ServiceAccountTokens

_log = structlog.get_logger("headgate.node")

Say = Callable[[Pod, str, str, str], None]
_PAUSE = 1.0
#: Seconds between two looks at the size of the logs.
_TRIM = 10.0


class ContainerLog:
    """What a container wrote in one of its runs."""

    def __init__(self, pod: "PodRun", run: ContainerRun, number: int) -> None:
        self.path = pod.folder / "logs" / f"{run.container.name}.{number}.log"
        self._pod = pod
        self._run = run
        self._number = number

    def grows(self) -> bool:
        """Whether anything may still be appended: it is the latest run, and neither it nor the pod has ended."""
        latest = self._run.status.restart_count == self._number
        return latest and self._run.status.state.terminated is None and not self._pod.ended

    def since(self, moment: float) -> int:
        """Where in the file begins what was written since then (seconds since 1970)."""
        times = self._pod.log_times.get(self.path.name)
        return times.offset(moment) if times else 0


class PodRun:
    """One pod on this machine."""

    def __init__(
        self,
        pod: Pod,
        *,
        client: Client,
        machine: Machine,
        interests: ObjectWatches,
        place: PodNetwork,
        folder: Path,
        say: Say,
        make_namespace: Callable[[], Awaitable[NetworkNamespace]] | None = None,
    ) -> None:
        self.pod = pod
        self.folder = folder
        self._client = client
        self._machine = machine
        self._interests = interests
        self._place = place
        self._say = say
        self._make_namespace = make_namespace
        self._namespace: NetworkNamespace | None = None
        self._began = machine.clock()
        self._reported: PodStatus = pod.status
        self._dirty = asyncio.Event()
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._told = asyncio.Event()
        self._grace: float | None = None
        self._in_order = True
        self.ended = False
        self.is_removed = False
        self.log_times: dict[str, LogTimes] = {}
        self._volumes = {each.name: volumes.folder_of(each, folder / "volumes") for each in pod.spec.volumes}
        self._tokens = ServiceAccountTokens(client, pod, self._news.set)
        self._room = Room(
            pod=lambda: self.pod,
            place=place,
            sources=self._sources,
            folder=folder,
            entrance=lambda: self._namespace.command_prefix if self._namespace else (),
            say=lambda kind, reason, message: say(self.pod, kind, reason, message),
            changed=self._dirty.set,
        )
        before = {status.name: status for status in pod.status.container_statuses}
        self._init = [self._container(each, None) for each in pod.spec.init_containers]
        self._main = [self._container(each, before.get(each.name)) for each in pod.spec.containers]

    # ── told from outside ────────────────────────────────────────────────────

    def update(self, pod: Pod) -> None:
        """The pod changed in the API: its labels, or it is to be deleted."""
        self.pod = pod
        self._told.set()
        if pod.metadata.deletion_timestamp is not None:
            seconds = pod.metadata.deletion_grace_period_seconds
            self.stop(30.0 if seconds is None else float(seconds))

    def refresh(self) -> None:
        """A ConfigMap or Secret changed."""
        self._news.set()

    def stop(self, grace: float, *, in_order: bool = True) -> None:
        """End all containers within this time; a shorter one wins. Unless `in_order`, hooks are left out."""
        self._grace = grace if self._grace is None else min(grace, self._grace)
        self._in_order = self._in_order and in_order
        self._stop.set()
        self._told.set()
        self._news.set()

    def removed(self) -> None:
        """The pod is gone from the API, by force: nobody waits for a graceful end."""
        self.is_removed = True
        self.stop(1.0)

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""
        return self._stop.is_set()

    def log(self, container: str, *, previous: bool = False) -> "ContainerLog | None":
        """A container's output; None if there is no such container."""
        run = next((run for run in (*self._init, *self._main) if run.container.name == container), None)
        return ContainerLog(self, run, run.status.restart_count - previous) if run else None

    async def told(self) -> None:
        """Until the pod changed in the API, or is to be stopped."""
        self._told.clear()
        await self._told.wait()

    # ── life ─────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """From the first status to the last. Does not delete the pod: that is for who knows why it ended."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config_maps, secrets = referenced_objects(self.pod)
        wanted: list[Any] = [*((ConfigMap, key) for key in config_maps), *((Secret, key) for key in secrets)]
        self._interests.require(self.pod.metadata.uid, wanted)
        reporter = asyncio.ensure_future(self._report())
        self._dirty.set()
        work = asyncio.ensure_future(self._work(wanted))
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                await self._end(work)
            if not work.cancelled():
                await work
        finally:
            for task in (work, stopped, reporter):
                task.cancel()
            await asyncio.gather(work, stopped, reporter, return_exceptions=True)
            self._interests.release(self.pod.metadata.uid)
            if self._namespace is not None:
                self._namespace.close()
            self.ended = True
        await self._write_status()

    async def _work(self, wanted: list[Any]) -> None:
        tokens = asyncio.ensure_future(self._tokens.keep_fresh())
        beside = [tokens]
        try:
            await self._enter()
            await self._prepare(wanted)
            beside += [asyncio.ensure_future(self._keep_volumes()), asyncio.ensure_future(self._keep_logs())]
            for run in self._init:
                if self._stop.is_set():
                    return
                code = await run.run(lambda code: code != 0 and self.pod.spec.restart_policy != "Never")
                if code != 0:
                    return
                run.status = msgspec.structs.replace(run.status, ready=True)
            if self._stop.is_set():
                return
            async with asyncio.TaskGroup() as tasks:
                for run in self._main:
                    if run.status.state.terminated is None:
                        tasks.create_task(run.run(self._again))
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        if not self._stop.is_set():
            self._dirty.set()

    def _again(self, code: int) -> bool:
        policy = self.pod.spec.restart_policy
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    async def _end(self, work: "asyncio.Future[None]") -> None:
        """Stops all containers; what has not begun does not begin."""
        while not work.done():
            grace, everyone = self._grace or 0.0, (*self._init, *self._main)
            await asyncio.gather(*(run.stop(grace, in_order=self._in_order) for run in everyone))
            if not any(run.status.state.running for run in everyone):
                # Nothing runs; what still waits (for a volume, say) is given up.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await asyncio.shield(work)
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
                return

    async def _enter(self) -> None:
        """Until the pod has its network namespace, if it is to have one, or is to be stopped."""
        while self._make_namespace is not None and self._namespace is None and not self._stop.is_set():
            try:
                self._namespace = await self._make_namespace()
            except NetworkNamespaceError as error:
                self._room.say("Warning", "FailedCreatePodSandBox", str(error))
                await asyncio.sleep(_PAUSE)

    # ── volumes ──────────────────────────────────────────────────────────────

    async def _prepare(self, wanted: list[Any]) -> None:
        """Until every volume has its files, or the pod is to be stopped."""
        said = ""
        while not self._stop.is_set():
            self._news.clear()
            missing = None
            if self._interests.are_synced(wanted):
                missing = self._publish()
                if missing is None:
                    return
                if missing != said:
                    said = missing
                    self._room.say("Warning", "FailedMount", missing)
            await self._news_or(10.0)

    async def _keep_volumes(self) -> None:
        """Files follow their ConfigMaps and Secrets; one that vanished leaves its last files."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._publish()

    async def _keep_logs(self) -> None:
        """Notes when they grow, and cuts those that are too long."""
        folder, looks = self.folder / "logs", 0
        while True:
            log_times.look(folder, self.log_times, self._machine.clock())
            await asyncio.sleep(log_times.LOOK)
            looks += 1
            if looks * log_times.LOOK >= _TRIM:
                looks = 0
                await asyncio.to_thread(log_files.trim, folder)

    def _publish(self) -> str | None:
        """Brings the volumes up to date; what is missing, if something is."""
        sources, problem = self._sources(), None
        for volume in self.pod.spec.volumes:
            if volume.host_path is not None:
                continue
            try:
                volumes.publish(self._volumes[volume.name], volumes.files(volume, self.pod, self._place, sources))
            except MissingReferenceError as missing:
                problem = f'MountVolume.SetUp failed for volume "{volume.name}": {missing}'
        return problem

    async def _news_or(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def _sources(self) -> ConfigSources:
        return ConfigSources(self._interests.config_maps(), self._interests.secrets(), self._tokens.tokens)

    # ── status ───────────────────────────────────────────────────────────────

    def _container(self, container: core.Container, before: ContainerStatus | None) -> ContainerRun:
        first = "PodInitializing" if self.pod.spec.init_containers else "ContainerCreating"
        status = ContainerStatus(
            name=container.name,
            image=container.image,
            image_id=container.image,
            state=ContainerState(waiting=ContainerStateWaiting(reason=first)),
            started=False,
        )
        if before is not None and (before.state.running or before.state.terminated or before.restart_count):
            status = _taken_over(status, before, self.pod.spec.restart_policy)
        mounts = mounts_of(container, self._volumes)
        return ContainerRun(container, mounts, self._machine, self._room, status)

    def status(self) -> PodStatus:
        """The pod as it is now."""
        return pod_status(
            self.pod,
            [run.status for run in self._init],
            [run.status for run in self._main],
            address=self._place.pod_ip,
            host=self._place.host_ip,
            started=self._began,
            now=self._machine.clock(),
            before=self._reported,
        )

    async def _report(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if not await self._write_status():
                await asyncio.sleep(_PAUSE)
                self._dirty.set()

    async def _write_status(self) -> bool:
        """Patches the status if it changed; False when it should be tried again."""
        status = self.status()
        if status == self._reported:
            return True
        about = self.pod.metadata
        # The uid makes the API refuse a patch of another pod of the same name.
        patch = {"metadata": {"uid": about.uid}, "status": _complete(status)}
        try:
            await self._client.merge_patch(Pod, about.name, about.namespace, patch, subresource="status")
        except ApiError as error:
            if error.status in (404, 409):
                return True
            _log.warning("status not written", pod=str(self.pod.key), error=str(error))
            return False
        self._reported = status
        return True

    @property
    def is_over(self) -> bool:
        """Whether it ended by itself, for good."""
        return is_terminal(msgspec.structs.replace(self.pod, status=self.status()))


def _taken_over(status: ContainerStatus, before: ContainerStatus, policy: str) -> ContainerStatus:
    """The state of a container that ran under a node which is gone, and its process with it."""
    ended = before.state if before.state.terminated else before.last_state
    if before.state.running:
        gone = ContainerStateTerminated(
            exit_code=137,
            reason="ContainerStatusUnknown",
            message="the node that ran it was ended",
            started_at=before.state.running.started_at,
        )
        ended = ContainerState(terminated=gone)
    code = ended.terminated.exit_code if ended.terminated else 0
    if policy == "Never" or (policy == "OnFailure" and before.state.terminated and code == 0):
        return msgspec.structs.replace(status, restart_count=before.restart_count, state=ended)
    return msgspec.structs.replace(status, restart_count=before.restart_count + 1, last_state=ended)


def _complete(status: PodStatus) -> dict[str, Any]:
    """The status for a merge patch, with the fields that the API requires of each container."""
    plain: dict[str, Any] = msgspec.to_builtins(status)
    for name in ("containerStatuses", "initContainerStatuses"):
        plain[name] = [_complete_container(each) for each in plain.get(name, ())]
    return plain


def _complete_container(status: dict[str, Any]) -> dict[str, Any]:
    for state in (status.get("state"), status.get("lastState")):
        if state and "terminated" in state:
            state["terminated"] = {"exitCode": 0, **state["terminated"]}
    return {"ready": False, "restartCount": 0, "image": "", "imageID": "", "lastState": {}, **status}
