"""Processes of pods: started, watched, ended as whole groups, and written down for whoever comes after us.

Each is the leader of a session of its own (`start_new_session`, never `preexec_fn`: that once hung before exec in a
process with gRPC threads). Its pid and start time stand in a file until the group is gone; what a `kill -9` of the node
left is found there by the next one, see `leftovers`.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from . import identity
from .files import private_folder, write_atomically

#: In the environment of every process of a node: finds those that were started, but not yet written down.
MARK = "HEADGATE_NODE"


class StartError(Exception):
    """The program could not be started; the text says why."""


class Spec(msgspec.Struct, frozen=True):
    """What to start. `environment` is the whole of it, and is not shown: it may hold secrets."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    log: Path

    def __repr__(self) -> str:
        return f"Spec({self.argv[0]!r}, …, folder={str(self.folder)!r})"


class Process:
    """A running program and everything that it started."""

    def __init__(self, popen: subprocess.Popen[bytes], record: Path) -> None:
        self._popen = popen
        self._record = record
        self._ended = asyncio.get_running_loop().create_future()
        self._watch = asyncio.get_running_loop().create_task(self._wait())

    @property
    def pid(self) -> int:
        """The pid, which is the number of the group as well."""
        return self._popen.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the whole group; nothing happens if it is gone."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def wait(self) -> int:
        """The exit code; negative: ended by that signal."""
        code: int = await asyncio.shield(self._ended)
        return code

    async def end(self, grace: float) -> int:
        """SIGTERM, and SIGKILL after the grace."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(max(grace, 0.0)):
                return await self.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.wait()

    async def _wait(self) -> None:
        await _exited(self._popen)
        # The leader is dead, but not yet reaped: its number still stands for its group and for nobody else's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._popen.wait()
        self._record.unlink(missing_ok=True)
        if not self._ended.done():
            self._ended.set_result(code)


class Processes:
    """Starts processes; `records` is the folder where they are written down."""

    def __init__(self, records: Path) -> None:
        self._records = private_folder(records)

    def start(self, spec: Spec) -> Process:
        """Starts a program; its output is appended to the log. Raises `StartError`.

        Must be called from the thread of the event loop.
        """
        try:
            with _log(spec.log) as log:
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
        record = self._records / f"{popen.pid}.json"
        about = {"pid": popen.pid, "started": identity.started(popen.pid), "program": spec.argv[0]}
        write_atomically(record, json.dumps(about).encode())
        return Process(popen, record)


async def run(
    argv: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float, *, log: Path | None = None
) -> tuple[int | None, str]:
    """Runs a short program (a probe, a hook): its exit code, None when time ran out, and the end of its output."""
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
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        return None, f"command timed out: {' '.join(argv)!r} timed out after {timeout:g}s"
    if log is not None and output:
        with _log(log) as file:
            file.write(output)
    return process.returncode, output[-1000:].decode(errors="replace").strip()


def _log(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


async def _exited(popen: subprocess.Popen[bytes]) -> None:
    """Until the process has ended; it is not reaped."""
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
