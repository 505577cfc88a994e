"""The life of one container: start, probes, end, restart.

Its state is a `ContainerStatus` at every moment. The order is a kubelet's: environment, image, start, postStart; the
startup probe, then liveness and readiness; preStop, SIGTERM, SIGKILL. A container that ended is restarted at once, then
after 10 s, 20 s, … 5 minutes (CrashLoopBackOff), and from the beginning if it ran for 10 minutes.
"""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from headgate.api.core import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    LifecycleHandler,
)
from headgate.api.times import rfc3339
from headgate.host.processes import Process, StartError
from headgate.kube.backoff import Backoff

from . import probe_actions
from .context import PodContext
from .environment import MissingReferenceError
from .images.catalog import UnknownImageError, WaitingError
from .launching import Launcher, PreparedStart
from .prober import Prober

#: Delays of restarts. The first restart after a start is not delayed.
RESTART_BACKOFF = Backoff(first=10.0, limit=300.0)
#: Seconds after which a container that runs is restarted without delay again.
_BACKOFF_RESET = 600.0
#: Seconds until a start that has to wait for something is tried again.
_RETRY = 1.0
#: Seconds that a process gets between SIGTERM and SIGKILL even if its preStop hook took the whole grace period.
_MIN_GRACE = 2.0
_POST_START_TIMEOUT = 600.0


class ContainerWorker:
    """Runs one container. `run` returns its exit code when it has ended for good."""

    def __init__(self, context: PodContext, container: Container, launcher: Launcher, status: ContainerStatus) -> None:
        self.container = container
        self.status = status
        self._context = context
        self._launcher = launcher
        self._process: Process | None = None
        self._start: PreparedStart | None = None
        self._stopping = asyncio.Event()
        self._crashes = 0

    # ── life ─────────────────────────────────────────────────────────────────

    async def run(self, should_restart: Callable[[int], bool]) -> int:
        """Run it, and again while `should_restart(exit code)` is true."""
        clock = self._context.node.clock
        while True:
            began = clock()
            code = await self._run_once()
            if self._stopping.is_set() or not should_restart(code):
                return code
            self._crashes = 1 if clock() - began >= _BACKOFF_RESET else self._crashes + 1
            await self._back_off()
            if self._stopping.is_set():
                return code
            self._set(restart_count=self.status.restart_count + 1)

    async def stop(self, grace: float, *, with_hooks: bool = True) -> None:
        """preStop, SIGTERM, and SIGKILL after `grace` seconds; `run` returns then."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        deadline = asyncio.get_running_loop().time() + grace
        self._context.record_event("Normal", "Killing", f"Stopping container {self.container.name}")
        if with_hooks:
            await self._run_pre_stop(grace)
        left = deadline - asyncio.get_running_loop().time()
        await process.end(max(left, min(_MIN_GRACE, grace)))

    async def _run_pre_stop(self, grace: float) -> None:
        """The preStop hook; if there is none or it fails, the image drains itself."""
        lifecycle = self.container.lifecycle
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                if lifecycle and lifecycle.pre_stop:
                    problem = await self._run_hook(lifecycle.pre_stop, grace)
                    if problem is None:
                        return
                    self._context.record_event("Warning", "FailedPreStopHook", f"PreStopHook failed: {problem}")
                if self._start:
                    await self._start.image.drain(self._start.request)

    async def _run_hook(self, hook: LifecycleHandler, timeout: float) -> str | None:
        """Run a hook; None, or why it failed."""
        if hook.sleep is not None:
            await asyncio.sleep(hook.sleep.seconds)
            return None
        assert self._start is not None  # noqa: S101 - hooks run beside a process
        return await probe_actions.run_probe(hook, self._start.target, timeout)

    async def _back_off(self) -> None:
        seconds = RESTART_BACKOFF.delay(self._crashes - 1)
        if not seconds:
            return
        name, pod = self.container.name, self._context.pod.metadata.name
        self._context.record_event("Warning", "BackOff", f"Back-off restarting failed container {name}")
        self._set_waiting("CrashLoopBackOff", f"back-off {seconds:g}s restarting failed container={name} pod={pod}")
        await self._sleep(seconds)
        if self._stopping.is_set():
            self._set(state=self.status.last_state)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, at most until the container is to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    # ── one run ──────────────────────────────────────────────────────────────

    async def _run_once(self) -> int:
        process = await self._start_process()
        if process is None or self._start is None:
            return 128
        began = rfc3339(self._context.node.clock())
        self._process = process
        self._set_running(process, began)
        self._context.record_event("Normal", "Started", f"Started container {self.container.name}")
        beside = [
            asyncio.ensure_future(self._supervise(process, self._start)),
            asyncio.ensure_future(self._start.image.maintain(self._start.request, self._context.node.services)),
        ]
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
        self._set_terminated(code, began)
        return code if code >= 0 else 128 - code

    async def _start_process(self) -> Process | None:
        """The process; None if the container is to stop before it could be started."""
        while not self._stopping.is_set():
            try:
                self._start = await self._launcher.prepare(self.status.restart_count)
                return self._context.node.processes.start(self._start.process)
            except MissingReferenceError as missing:
                self._set_waiting("CreateContainerConfigError", str(missing))
            except UnknownImageError as unknown:
                self._set_waiting("ErrImagePull", str(unknown), "Failed")
            except WaitingError as waiting:
                self._set_waiting("ContainerCreating", str(waiting))
            except StartError as failed:
                self._set_waiting("RunContainerError", str(failed), "Failed")
            await self._sleep(_RETRY)
        return None

    async def _supervise(self, process: Process, start: PreparedStart) -> None:
        """postStart and the probes, until the process ends or a probe ends it."""

        async def restart(reason: str) -> None:
            await self._end_process(process, reason)

        lifecycle = self.container.lifecycle
        if lifecycle and lifecycle.post_start:
            problem = await self._run_hook(lifecycle.post_start, _POST_START_TIMEOUT)
            if problem:
                self._context.record_event("Warning", "FailedPostStartHook", f"PostStartHook failed: {problem}")
                await restart("FailedPostStartHook")
                return
        await Prober(
            self._context,
            self.container,
            start.target,
            stopping=self._stopping,
            set_ready=lambda ready: self._set(ready=ready),
            set_started=lambda: self._set(started=True, ready=self.container.readiness_probe is None),
            restart=restart,
        ).run()

    async def _end_process(self, process: Process, reason: str) -> None:
        self._context.record_event("Normal", "Killing", reason)
        seconds = self._context.pod.spec.termination_grace_period_seconds
        grace = 30.0 if seconds is None else float(seconds)
        await self._run_pre_stop(grace)
        await asyncio.shield(asyncio.ensure_future(process.end(grace)))

    # ── state ────────────────────────────────────────────────────────────────

    def _set_running(self, process: Process, began: str) -> None:
        container = self.container
        self._set(
            state=ContainerState(running=ContainerStateRunning(started_at=began)),
            started=container.startup_probe is None,
            ready=container.readiness_probe is None and container.startup_probe is None,
            container_id=f"process://{process.pid}",
        )

    def _set_terminated(self, code: int, began: str) -> None:
        signal = -code if code < 0 else None
        terminated = ContainerStateTerminated(
            exit_code=128 + signal if signal else code,
            signal=signal,
            reason="Completed" if code == 0 else "Error",
            started_at=began,
            finished_at=rfc3339(self._context.node.clock()),
            container_id=self.status.container_id,
        )
        self._set(state=ContainerState(terminated=terminated), ready=False, started=False)

    def _set_waiting(self, reason: str, message: str, event: str | None = None) -> None:
        waiting = ContainerStateWaiting(reason=reason, message=message)
        if self.status.state.waiting == waiting:
            return
        if event:
            self._context.record_event("Warning", event, message)
        self._set(state=ContainerState(waiting=waiting), ready=False)

    def _set(self, **changes: object) -> None:
        state = changes.get("state")
        if isinstance(state, ContainerState) and state.terminated is None and self.status.state.terminated is not None:
            changes["last_state"] = self.status.state
        status = msgspec.structs.replace(self.status, **changes)
        if status != self.status:
            self.status = status
            self._context.status_changed.set()
