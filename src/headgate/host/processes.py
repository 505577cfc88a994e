"""Starts programs as process groups, waits for their end, and records them until the group is gone.

Each program leads a session of its own (`start_new_session`; never `preexec_fn`, which can hang before exec in a
process with gRPC threads). Its record (`process_records`) stays on disk until the group has ended, so that a later run
can find what a `kill -9` of the supervisor left.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from . import process_records
from .files import private_folder
from .process_records import ProcessRecord

#: Seconds between two looks at a killed group, and how long it is waited for.
_POLL, _KILLED = 0.01, 5.0


class StartError(Exception):
    """A program cannot be started; the text says why."""


class ProcessSpec(msgspec.Struct, frozen=True):
    """A program to start.

    Attributes:
        environment: all of its variables. They may hold secrets, so `repr` leaves them out.
        log: the file that standard output and error are appended to.
        folder: its working directory; None: that of this process.
        owner: what it runs for, for the record.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    folder: Path | None = None
    owner: str = ""

    def __repr__(self) -> str:
        return f"ProcessSpec({self.argv[0]!r}, …, log={str(self.log)!r})"


class Process:
    """A running program and its process group."""

    def __init__(self, popen: subprocess.Popen[bytes], record: ProcessRecord, file: Path) -> None:
        self.record = record
        self._popen = popen
        self._file = file
        self._exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiter = asyncio.get_running_loop().create_task(self._wait())

    @property
    def pid(self) -> int:
        """The process id, which is the id of the group too."""
        return self._popen.pid

    @property
    def has_ended(self) -> bool:
        """Whether the program has ended."""
        return self._exit_code.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; does nothing if it is gone."""
        if not self.has_ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def wait(self) -> int:
        """Wait for the end of the program: its exit code, or the negative number of the signal that ended it."""
        return await asyncio.shield(self._exit_code)

    async def end(self, grace: float) -> int:
        """Send SIGTERM, and SIGKILL after `grace` seconds; the exit code."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(max(grace, 0.0)):
                return await self.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.wait()

    async def _wait(self) -> None:
        await _exited(self._popen)
        # The leader is a zombie until it is reaped, so its id cannot belong to another group yet.
        _kill_group(self.pid)
        ended = await self._group_ended()
        code = self._popen.wait()
        if ended:
            with contextlib.suppress(OSError):  # a record that stays matches no process
                self._file.unlink(missing_ok=True)
        if not self._exit_code.done():
            self._exit_code.set_result(code)

    async def _group_ended(self) -> bool:
        """Whether the killed group is gone. A process ends a moment after SIGKILL; one that is stuck in the kernel may
        stay, and then so does its record.
        """
        deadline = time.monotonic() + _KILLED
        while process_records.is_group_running(self.record):
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL)
        return True


class Processes:
    """Starts processes. `records` is the folder of their records; it is made if it does not exist."""

    def __init__(self, records: Path) -> None:
        self._records = private_folder(records)

    def start(self, spec: ProcessSpec, name: str = "") -> Process:
        """Start a program and record it as `<name>.json` (by default its id).

        Must be called from the thread of the event loop.

        Raises:
            StartError: it cannot be started, or not be recorded: then it is ended again.
        """
        try:
            with _append_to(spec.log) as log:
                popen = subprocess.Popen(
                    spec.argv,
                    env=dict(spec.environment),
                    cwd=spec.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"{spec.argv[0]}: {error.strerror or error}") from None
        except ValueError as error:  # a null byte in an argument
            raise StartError(f"{spec.argv[0]}: {error}") from None
        file = self._records / f"{name or popen.pid}.json"
        record = process_records.record_of(popen.pid, spec.argv[0], spec.owner)
        try:
            process_records.write(file, record)
        except OSError as error:
            _kill_group(popen.pid)
            popen.wait()
            raise StartError(f"{spec.argv[0]}: its record {file} cannot be written: {error.strerror}") from None
        return Process(popen, record, file)


async def run(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float, *, log: Path | None = None
) -> tuple[int | None, str]:
    """Run a short program, such as a probe or a hook.

    Returns:
        The exit code (None if it did not end within `timeout` seconds) and the last 1,000 bytes of its output.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return 127, f"{argv[0]}: {error.strerror}"
    try:
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate()
    except (TimeoutError, asyncio.CancelledError) as error:
        _kill_group(process.pid)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        return None, f"command timed out: {' '.join(argv)!r} timed out after {timeout:g}s"
    if log is not None and output:
        with _append_to(log) as file:
            file.write(output)
    return process.returncode, output[-1000:].decode(errors="replace").strip()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _append_to(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


async def _exited(popen: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process without reaping it."""
    try:
        descriptor = os.pidfd_open(popen.pid)
    except (AttributeError, OSError):  # not Linux, or a kernel without it
        await asyncio.to_thread(os.waitid, os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
