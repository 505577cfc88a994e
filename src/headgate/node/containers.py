"""The life of one container: start, probe, end, start again.

Its state is a `ContainerStatus` at every moment; whoever wants to report it is told of each change. The order of things
is a kubelet's: environment, image, start, postStart; the startup probe first, then liveness and readiness; preStop,
SIGTERM, SIGKILL. A container that ended is started again at once, then after 10 s, 20 s, … 5 minutes
(CrashLoopBackOff), from the beginning when it ran for 10 minutes.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from headgate.api.core import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    LifecycleHandler,
    Pod,
    Probe,
)
from headgate.api.times import rfc3339
from headgate.host.processes import Process, Processes, ProcessSpec, StartError
from headgate.node import account_kubeconfig

from . import probes
from .environment import ConfigSources, MissingReferenceError, PodNetwork, container_environment, expand_all
from .images.catalog import (
    Catalog,
    Image,
    LaunchRequest,
    ServiceDirectory,
    UnknownImageError,
    WaitingError,
    parse_image,
)
from .mounts import MountPaths
from .orphans import MARK
from .probe_thresholds import ProbeState
from .probes import ProbeTarget

#: Variables of the node that programs need to run at all; no others are passed on, they may hold secrets.
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "PYTHONPATH",
)
#: Between two looks at whether something that a container waits for is there.
_RETRY = 1.0
#: A container that has never been ready is probed this often at first: starting is what people wait for.
_EAGER = 0.1
#: Seconds that a process gets between SIGTERM and SIGKILL even when its preStop hook took the whole grace.
_LEAST = 2.0


class BackOff(msgspec.Struct, frozen=True):
    """Seconds between restarts."""

    first: float = 10.0
    most: float = 300.0
    #: After running for this long, a container is no longer one that crashes.
    forgiven: float = 600.0

    def after(self, crashes: int) -> float:
        """The pause after so many ends in a row: none after the first."""
        return 0.0 if crashes <= 1 else min(self.most, self.first * 2.0 ** min(crashes - 2, 16))


class Machine(msgspec.Struct, frozen=True):
    """What all containers of a node share."""

    processes: Processes
    catalog: Catalog
    services: ServiceDirectory
    mark: str
    server: str
    """URL of the API, for programs that ask it"""
    back_off: BackOff = BackOff()
    clock: Callable[[], float] = time.time


class Room(msgspec.Struct, frozen=True):
    """What the containers of one pod share."""

    pod: Callable[[], Pod]
    place: PodNetwork
    sources: Callable[[], ConfigSources]
    folder: Path
    entrance: Callable[[], tuple[str, ...]]
    """what a command begins with to run in the pod's network namespace; nothing on the node's own stack"""
    say: Callable[[str, str, str], None]
    """type, reason, message of an event about the pod"""
    changed: Callable[[], None]


class ContainerRun:
    """One container. `run` returns its exit code when it has ended for good."""

    def __init__(
        self, container: Container, mounts: MountPaths, machine: Machine, room: Room, last: ContainerStatus
    ) -> None:
        self.container = container
        self.status = last
        self._mounts = mounts
        self._machine = machine
        self._room = room
        self._process: Process | None = None
        self._order: LaunchRequest | None = None
        self._image: Image | None = None
        self._target: ProbeTarget | None = None
        self._stopping = asyncio.Event()
        self._crashes = 0

    # ── life ─────────────────────────────────────────────────────────────────

    async def run(self, restart: Callable[[int], bool]) -> int:
        """Runs it, again while `restart(exit code)` says so."""
        while True:
            began = self._machine.clock()
            code = await self._once()
            if self._stopping.is_set() or not restart(code):
                return code
            forgiven = self._machine.clock() - began >= self._machine.back_off.forgiven
            self._crashes = 1 if forgiven else self._crashes + 1
            await self._pause()
            if self._stopping.is_set():
                return code
            self._set(restart_count=self.status.restart_count + 1)

    async def stop(self, grace: float, *, in_order: bool = True) -> None:
        """preStop, SIGTERM, and SIGKILL when the grace is over; `run` returns then."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        end = asyncio.get_running_loop().time() + grace
        self._room.say("Normal", "Killing", f"Stopping container {self.container.name}")
        if in_order:
            await self._before_stop(grace)
        left = end - asyncio.get_running_loop().time()
        await process.end(max(left, min(_LEAST, grace)))

    async def _before_stop(self, grace: float) -> None:
        """The preStop hook; what the image itself needs, where there is none or it fails."""
        lifecycle = self.container.lifecycle
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                if lifecycle and lifecycle.pre_stop:
                    failed = await self._hook(lifecycle.pre_stop, grace)
                    if failed is None:
                        return
                    self._room.say("Warning", "FailedPreStopHook", f"PreStopHook failed: {failed}")
                if self._image and self._order:
                    await self._image.drain(self._order)

    async def _hook(self, hook: LifecycleHandler, timeout: float) -> str | None:
        if hook.sleep is not None:
            await asyncio.sleep(hook.sleep.seconds)
            return None
        assert self._target is not None  # noqa: S101 - hooks run beside a process
        return await probes.run_probe(hook, self._target, timeout)

    async def _pause(self) -> None:
        seconds = self._machine.back_off.after(self._crashes)
        if not seconds:
            return
        pod = self._room.pod()
        text = f"back-off {seconds:g}s restarting failed container={self.container.name} pod={pod.metadata.name}"
        self._room.say("Warning", "BackOff", f"Back-off restarting failed container {self.container.name}")
        self._wait_with("CrashLoopBackOff", text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        if self._stopping.is_set():
            self._set(state=self.status.last_state)

    # ── one run ──────────────────────────────────────────────────────────────

    async def _once(self) -> int:
        process = await self._started()
        if process is None:
            return 128
        began = rfc3339(self._machine.clock())
        self._process = process
        self._set(
            state=ContainerState(running=ContainerStateRunning(started_at=began)),
            started=self.container.startup_probe is None,
            ready=self.container.readiness_probe is None and self.container.startup_probe is None,
            container_id=f"process://{process.pid}",
        )
        self._room.say("Normal", "Started", f"Started container {self.container.name}")
        beside = [asyncio.ensure_future(self._watch_over(process))]
        if self._image and self._order:
            beside.append(asyncio.ensure_future(self._image.maintain(self._order, self._machine.services)))
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await process.end(0.0)
            raise
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self._process = None
        self._over(code, began)
        return code if code >= 0 else 128 - code

    async def _started(self) -> Process | None:
        """The process; None if the container was stopped before there was one."""
        while not self._stopping.is_set():
            try:
                return self._machine.processes.start(await self._spec())
            except MissingReferenceError as missing:
                self._wait_with("CreateContainerConfigError", str(missing))
            except UnknownImageError as unknown:
                self._wait_with("ErrImagePull", str(unknown), "Failed")
            except WaitingError as not_yet:
                self._wait_with("ContainerCreating", str(not_yet))
            except StartError as failed:
                self._wait_with("RunContainerError", str(failed), "Failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY):
                    await self._stopping.wait()
        return None

    async def _spec(self) -> ProcessSpec:
        """Everything about the process to start, from what is known now."""
        pod, container, room = self._room.pod(), self.container, self._room
        folder = room.folder / "containers" / container.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = parse_image(container.image)
        image = self._machine.catalog.find(container.image)
        declared = container_environment(container, pod, room.place, room.sources())
        account = account_kubeconfig.variables(self._mounts, self._machine.server, pod.metadata.namespace, folder)
        given = self._given(pod, name.tag) | account | declared
        variables = given | {key: self._mounts(value) for key, value in declared.items()}
        order = LaunchRequest(
            pod=pod,
            container=container.name,
            image=name,
            command=self._mounts.all(expand_all(container.command, declared)),
            args=self._mounts.all(expand_all(container.args, declared)),
            environment=variables,
            address=room.place.pod_ip,
            folder=folder,
        )
        launch = await image.launch(order, self._machine.services)
        complete = {**launch.extra, **variables} if launch.extra else variables
        self._order, self._image = order, image
        self._target = ProbeTarget(container, room.place.pod_ip, complete, launch.folder or folder, self._placed)
        return ProcessSpec(
            argv=(*room.entrance(), *launch.argv),
            environment=complete,
            log=self._next_log(),
            folder=launch.folder or folder,
            owner=f"{pod.metadata.uid}/{container.name}",
        )

    def _placed(self, words: Sequence[str]) -> tuple[str, ...]:
        """The command of a probe or a hook: in the pod's network, not expanded, as in Kubernetes."""
        return (*self._room.entrance(), *self._mounts.all(words))

    def _given(self, pod: Pod, tag: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {
            **inherited,
            "HOSTNAME": pod.spec.hostname or pod.metadata.name,
            "POD_IP": self._room.place.pod_ip,
            "HEADGATE_IMAGE_TAG": tag,
            MARK: self._machine.mark,
        }

    def _next_log(self) -> Path:
        """The log of this run. Of earlier runs only the last one is kept, as `kubectl logs --previous` shows it."""
        folder = self._room.folder / "logs"
        folder.mkdir(mode=0o700, exist_ok=True)
        number = self.status.restart_count
        for old in folder.glob(f"{self.container.name}.*.log"):
            if old.suffixes[-2:-1] and old.name.split(".")[-2] not in (str(number), str(number - 1)):
                old.unlink(missing_ok=True)
        return folder / f"{self.container.name}.{number}.log"

    def _over(self, code: int, began: str) -> None:
        signal = -code if code < 0 else None
        ended = ContainerStateTerminated(
            exit_code=128 + signal if signal else code,
            signal=signal,
            reason="Completed" if code == 0 else "Error",
            started_at=began,
            finished_at=rfc3339(self._machine.clock()),
            container_id=self.status.container_id,
        )
        self._set(state=ContainerState(terminated=ended), ready=False, started=False)

    # ── probes ───────────────────────────────────────────────────────────────

    async def _watch_over(self, process: Process) -> None:
        """postStart and the probes, until the process ends or a probe ends it."""
        lifecycle = self.container.lifecycle
        if lifecycle and lifecycle.post_start and (failed := await self._hook(lifecycle.post_start, 600.0)):
            self._room.say("Warning", "FailedPostStartHook", f"PostStartHook failed: {failed}")
            await self._end(process, "FailedPostStartHook")
            return
        if startup := self.container.startup_probe:
            if not await self._passes(startup):
                await self._end(process, f"Container {self.container.name} failed startup probe, will be restarted")
                return
            self._set(started=True, ready=self.container.readiness_probe is None)
        async with asyncio.TaskGroup() as tasks:
            if self.container.readiness_probe:
                tasks.create_task(self._keep_ready(self.container.readiness_probe))
            if self.container.liveness_probe:
                tasks.create_task(self._keep_alive(self.container.liveness_probe, process))

    async def _passes(self, probe: Probe) -> bool:
        """Until a startup probe has passed (True) or failed for good."""
        tally = ProbeState(passed=False)
        await asyncio.sleep(probe.initial_delay_seconds)
        while True:
            tally = tally.record(probe, await self._probe("Startup", probe))
            if tally.passed:
                return True
            if tally.failed_for_good(probe):
                return False
            await asyncio.sleep(probe.period_seconds)

    async def _keep_ready(self, probe: Probe) -> None:
        tally = ProbeState(passed=False)
        await asyncio.sleep(probe.initial_delay_seconds)
        pause = _EAGER
        while True:
            tally = tally.record(probe, await self._probe("Readiness", probe, quiet=pause < probe.period_seconds))
            if tally.passed != self.status.ready:
                self._set(ready=tally.passed)
            if tally.passed:
                pause = probe.period_seconds
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, probe.period_seconds)

    async def _keep_alive(self, probe: Probe, process: Process) -> None:
        tally = ProbeState(passed=True)
        await asyncio.sleep(probe.initial_delay_seconds)
        while True:
            tally = tally.record(probe, await self._probe("Liveness", probe))
            if tally.failed_for_good(probe):
                await self._end(process, f"Container {self.container.name} failed liveness probe, will be restarted")
                return
            await asyncio.sleep(probe.period_seconds)

    async def _probe(self, kind: str, probe: Probe, *, quiet: bool = False) -> bool:
        assert self._target is not None  # noqa: S101 - probes run beside a process
        failure = await probes.run_probe(probe, self._target, probe.timeout_seconds)
        if failure is not None and not quiet and not self._stopping.is_set():
            self._room.say("Warning", "Unhealthy", f"{kind} probe failed: {failure}")
        return failure is None

    async def _end(self, process: Process, why: str) -> None:
        self._room.say("Normal", "Killing", why)
        seconds = self._room.pod().spec.termination_grace_period_seconds
        grace = 30.0 if seconds is None else float(seconds)
        await self._before_stop(grace)
        process_end = asyncio.ensure_future(process.end(grace))
        await asyncio.shield(process_end)

    # ── state ────────────────────────────────────────────────────────────────

    def _wait_with(self, reason: str, message: str, event: str | None = None) -> None:
        waiting = ContainerStateWaiting(reason=reason, message=message)
        if self.status.state.waiting == waiting:
            return
        if event:
            self._room.say("Warning", event, message)
        self._set(state=ContainerState(waiting=waiting), ready=False)

    def _set(self, **changes: object) -> None:
        state = changes.get("state")
        if isinstance(state, ContainerState) and state.terminated is None and self.status.state.terminated is not None:
            changes["last_state"] = self.status.state
        status = msgspec.structs.replace(self.status, **changes)
        if status != self.status:
            self.status = status
            self._room.changed()
