"""Keeps commands running: starts them in order, starts a dead one again with back-off, stops them in reverse order.

Each command leads a process group of its own (a Ctrl-C at the terminal reaches the supervisor only, which then stops
the others in order) and is recorded on disk before anything else happens, see `processes`.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headgate.cluster import logfiles, processes
from headgate.cluster.errors import ClusterError
from headgate.cluster.probes import Probe


@dataclass(frozen=True)
class Component:
    """A command to keep running.

    Args:
        name: what people call it; the name of its log.
        command: program and arguments.
        ready: how to know that it works.
        needs: names of components that must be ready before this one starts.
        grace: seconds that it gets between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    ready: Probe
    needs: tuple[str, ...] = ()
    grace: float = 10.0


@dataclass(frozen=True)
class Happening:
    """Something to tell people: `what` is starting, ready, ended or stopped."""

    what: str
    component: str
    detail: str = ""


@dataclass(frozen=True)
class Pace:
    """The supervisor's times in seconds."""

    #: From the start until everything is ready.
    ready_deadline: float = 90.0
    poll: float = 0.05
    #: How often a command may end while the cluster starts.
    attempts: int = 4
    first_pause: float = 0.2
    longest_pause: float = 30.0
    #: A command that ran this long starts again without a longer pause.
    good_run: float = 30.0
    rotation: float = 5.0


@dataclass
class _Running:
    component: Component
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    log_start: int = 0
    crashes: int = 0
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Runs components until stopped. One use: `start()`, `watch()`, `stop()`."""

    def __init__(
        self,
        components: Sequence[Component],
        *,
        records: Path,
        log: Callable[[str], Path],
        tell: Callable[[Happening], None],
        environment: Mapping[str, str] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._all = {component.name: _Running(component) for component in components}
        self._records = records
        self._log = log
        self._tell = tell
        self._environment = dict(os.environ) | dict(environment or {})
        self._pace = pace or Pace()
        self._starting = True

    async def start(self) -> None:
        """Start everything and wait until all of it is ready.

        Raises:
            ClusterError: a component ended or did not become ready in time; call `stop()` then.
        """
        for running in self._all.values():
            running.task = asyncio.create_task(self._keep(running), name=f"keep {running.component.name}")
        everything = asyncio.create_task(self._all_ready())
        keepers = [running.task for running in self._all.values() if running.task]
        try:
            deadline = self._pace.ready_deadline
            done, _ = await asyncio.wait([everything, *keepers], timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise self._late()
            for keeper in done:
                keeper.result()
        finally:
            everything.cancel()
        self._starting = False

    async def _all_ready(self) -> None:
        for running in self._all.values():
            await running.ready.wait()

    async def watch(self) -> None:
        """Until cancelled: rotate the logs while the components are kept running."""
        while True:
            await asyncio.sleep(self._pace.rotation)
            for name in self._all:
                await asyncio.to_thread(logfiles.rotate, self._log(name))

    async def stop(self) -> None:
        """End all components, the last one first; returns when no process of theirs is left."""
        for running in reversed(self._all.values()):
            if running.task is not None:
                running.task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ClusterError):
                    await running.task

    async def _keep(self, running: _Running) -> None:
        component = running.component
        for need in component.needs:
            await self._all[need].ready.wait()
        pause = self._pace.first_pause
        while True:
            began = time.monotonic()
            ending = await self._run_once(running)
            running.crashes += 1
            if self._starting and running.crashes >= self._pace.attempts:
                raise ClusterError(
                    f"`{component.name}` ended {running.crashes} times while the cluster started, the last time it "
                    f"{ending}; its log is {self._log(component.name)}"
                )
            if time.monotonic() - began >= self._pace.good_run:
                pause = self._pace.first_pause
            self._tell(Happening("ended", component.name, f"{ending}, starts again in {pause:g} s"))
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._pace.longest_pause)

    async def _run_once(self, running: _Running) -> str:
        """Start the command, wait for readiness and for its end, and say how it ended; when cancelled, end it.

        Raises:
            ClusterError: while the cluster starts, a command that says that the environment is bad (exit code 2).
        """
        component = running.component
        try:
            process = await self._spawn(running)
        except OSError as error:
            if self._starting:
                raise ClusterError(f"{component.command[0]} cannot be started: {error.strerror}") from None
            return f"cannot be started: {error.strerror}"
        record = processes.write(self._record(component), process.pid)
        self._tell(Happening("starting", component.name, f"process {process.pid}"))
        try:
            await self._until_ready(running, process)
            code = await process.wait()
        finally:
            running.ready.clear()
            await _end(process, component.grace)
            await asyncio.to_thread(processes.end, (record,), grace=0.0)  # what it left in its group
            self._record(component).unlink(missing_ok=True)
            self._tell(Happening("stopped", component.name))
        said = self._last_words(running)
        if self._starting and code == 2:
            raise ClusterError(said.removeprefix("headgate: "))
        return f"{_ending(code)} ({said})"

    async def _spawn(self, running: _Running) -> asyncio.subprocess.Process:
        component = running.component
        file = self._log(component.name)
        with file.open("ab") as log:
            running.log_start = log.tell()
            return await asyncio.create_subprocess_exec(
                *component.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self._environment,
            )

    async def _until_ready(self, running: _Running, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            if await running.component.ready.ready():
                running.ready.set()
                self._tell(Happening("ready", running.component.name))
                return
            await asyncio.sleep(self._pace.poll)

    def _late(self) -> ClusterError:
        running = next(each for each in self._all.values() if not each.ready.is_set())
        name = running.component.name
        return ClusterError(
            f"`{name}` was not ready within {self._pace.ready_deadline:g} s; its log is {self._log(name)} and ends: "
            f"{self._last_words(running)}"
        )

    def _last_words(self, running: _Running) -> str:
        lines = logfiles.last_lines(self._log(running.component.name), since=running.log_start)
        return lines[0] if lines else "its log is empty"

    def _record(self, component: Component) -> Path:
        return self._records / f"{component.name}.json"


async def _end(process: asyncio.subprocess.Process, grace: float) -> None:
    """SIGTERM, and SIGKILL to the group after `grace`; shielded, so a second cancellation changes nothing."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    waiting = asyncio.ensure_future(process.wait())
    try:
        async with asyncio.timeout(grace):
            await asyncio.shield(waiting)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await waiting


def _ending(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
