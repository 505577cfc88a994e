"""Keeps commands running: starts them in order, restarts them with back-off, stops them in reverse order.

Each command leads a process group of its own, so a Ctrl-C at the terminal reaches only the supervisor, which then stops
the commands in order. Each is recorded on disk as soon as it runs, see `headgate.host.process_records`.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headgate.cluster import log_files
from headgate.cluster.errors import ClusterError
from headgate.cluster.probes import Probe
from headgate.host import process_records
from headgate.host.processes import Process, Processes, ProcessSpec, StartError
from headgate.kube.backoff import Backoff


@dataclass(frozen=True)
class Component:
    """A command to keep running.

    Args:
        name: its name for users; also the name of its log and its record.
        command: program and arguments.
        readiness: how to know that it works.
        depends_on: names of components that must be ready before this one starts.
        grace: seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    readiness: Probe
    depends_on: tuple[str, ...] = ()
    grace: float = 10.0


@dataclass(frozen=True)
class ComponentEvent:
    """A change of a component, to be shown to the user."""

    type: Literal["starting", "ready", "ended", "stopped"]
    component: str
    detail: str = ""


#: Delays before a command that ended is started again.
RESTART_BACKOFF = Backoff(first=0.2, limit=30.0)


@dataclass(frozen=True)
class Timings:
    """The supervisor's times in seconds."""

    #: From the start until everything is ready.
    ready_deadline: float = 90.0
    poll: float = 0.05
    #: How often a command may end while the cluster starts.
    attempts: int = 4
    backoff: Backoff = RESTART_BACKOFF
    #: A command that ran this long begins with the first back-off again.
    backoff_reset: float = 30.0
    log_rotation: float = 5.0


@dataclass
class _ComponentState:
    component: Component
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    #: Size of the log when the command was started.
    log_start: int = 0
    #: How often it has ended, and how often in a row after a short run.
    exits: int = 0
    crashes: int = 0
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Runs components until stopped. One use: `start()`, `watch()`, `stop()`.

    Args:
        records: the folder of the commands' process records.
        log: the log file of a component.
        on_event: receives each change of a component.
        environment: variables that are added to those of this process.
    """

    def __init__(
        self,
        components: Sequence[Component],
        *,
        records: Path,
        log: Callable[[str], Path],
        on_event: Callable[[ComponentEvent], None],
        environment: Mapping[str, str] | None = None,
        timings: Timings | None = None,
    ) -> None:
        self._states = {component.name: _ComponentState(component) for component in components}
        self._processes = Processes(records)
        self._log = log
        self._on_event = on_event
        self._environment = dict(os.environ) | dict(environment or {})
        self._timings = timings or Timings()
        self._starting = True

    async def start(self) -> None:
        """Start all components and wait until they are ready.

        Raises:
            ClusterError: a component ended or did not become ready in time; call `stop()` then.
        """
        for state in self._states.values():
            state.task = asyncio.create_task(self._keep_running(state), name=f"keep {state.component.name} running")
        all_ready = asyncio.create_task(self._all_ready())
        keepers = [state.task for state in self._states.values() if state.task]
        try:
            deadline = self._timings.ready_deadline
            done, _ = await asyncio.wait([all_ready, *keepers], timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise self._not_ready()
            for keeper in done:
                keeper.result()
        finally:
            all_ready.cancel()
        self._starting = False

    async def _all_ready(self) -> None:
        for state in self._states.values():
            await state.ready.wait()

    async def watch(self) -> None:
        """Until cancelled; raises if a component is no longer kept running, which is a bug."""
        rotation = asyncio.create_task(self._rotate_logs())
        keepers = [state.task for state in self._states.values() if state.task]
        try:
            done, _ = await asyncio.wait([rotation, *keepers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            rotation.cancel()

    async def _rotate_logs(self) -> None:
        while True:
            await asyncio.sleep(self._timings.log_rotation)
            for name in self._states:
                with contextlib.suppress(OSError):  # the disk is full: the next rotation tries again
                    await asyncio.to_thread(log_files.rotate, self._log(name))

    async def stop(self) -> None:
        """End all components, the last one first; returns when none of their processes is left."""
        for state in reversed(self._states.values()):
            if state.task is not None:
                state.task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ClusterError):
                    await state.task

    async def _keep_running(self, state: _ComponentState) -> None:
        component, timings = state.component, self._timings
        for name in component.depends_on:
            await self._states[name].ready.wait()
        while True:
            began = time.monotonic()
            ending = await self._run_once(state)
            state.exits += 1
            if self._starting and state.exits >= timings.attempts:
                raise ClusterError(
                    f"`{component.name}` ended {state.exits} times while the cluster started, the last time it "
                    f"{ending}; its log is {self._log(component.name)}"
                )
            state.crashes = 1 if time.monotonic() - began >= timings.backoff_reset else state.crashes + 1
            delay = timings.backoff.delay(state.crashes)
            self._on_event(ComponentEvent("ended", component.name, f"{ending}, restarts in {delay:g} s"))
            await asyncio.sleep(delay)

    async def _run_once(self, state: _ComponentState) -> str:
        """Start the command and wait for its end; when cancelled, end it.

        Returns:
            How it ended.

        Raises:
            ClusterError: while the cluster starts, it cannot be started or refuses the environment (exit code 2).
        """
        component = state.component
        try:
            process = self._start_process(state)
        except StartError as error:
            if self._starting:
                raise ClusterError(f"`{component.name}` cannot be started: {error}") from None
            return f"cannot be started: {error}"
        self._on_event(ComponentEvent("starting", component.name, f"process {process.pid}"))
        try:
            await self._wait_for_readiness(state, process)
            exit_code = await process.wait()
        finally:
            state.ready.clear()
            await process.end(component.grace)
            # Its children must have ended too before it starts again: they may hold its port.
            await asyncio.to_thread(process_records.end, (process.record,), grace=0.0)
            self._on_event(ComponentEvent("stopped", component.name))
        last_line = self._last_log_line(state)
        if self._starting and exit_code == 2:
            raise ClusterError(last_line.removeprefix("headgate: "))
        return f"{_describe_exit(exit_code)} ({last_line})"

    def _start_process(self, state: _ComponentState) -> Process:
        component = state.component
        log = self._log(component.name)
        state.log_start = log.stat().st_size if log.exists() else 0
        return self._processes.start(ProcessSpec(component.command, self._environment, log), component.name)

    async def _wait_for_readiness(self, state: _ComponentState, process: Process) -> None:
        while not process.has_ended:
            if await state.component.readiness.is_ready():
                state.ready.set()
                self._on_event(ComponentEvent("ready", state.component.name))
                return
            await asyncio.sleep(self._timings.poll)

    def _not_ready(self) -> ClusterError:
        state = next(state for state in self._states.values() if not state.ready.is_set())
        name = state.component.name
        return ClusterError(
            f"`{name}` was not ready within {self._timings.ready_deadline:g} s; its log is {self._log(name)} and ends: "
            f"{self._last_log_line(state)}"
        )

    def _last_log_line(self, state: _ComponentState) -> str:
        lines = log_files.last_lines(self._log(state.component.name), since=state.log_start)
        return lines[0] if lines else "its log is empty"


def _describe_exit(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
