"""Programs that tests start: each in a process group of its own, with a log file, ended by its process id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class Program:
    """A running program whose output goes to a file; a context manager that ends its whole process group."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        name: str = "",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace: float = 10.0,
    ) -> None:
        """Start `command`; `env` is added to the environment of the test."""
        self.command = tuple(str(part) for part in command)
        self.name = name or Path(self.command[0]).name
        self.log = log
        self.grace = grace
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is the id of its process group too."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs; negative for a signal."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.returncode is None

    def output(self) -> str:
        """Everything that it wrote so far."""
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 20) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.output().splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program itself (not to its group); nothing happens when it has ended."""
        if self.running:
            os.kill(self.pid, number)

    def wait(self, deadline: float = 30.0) -> int:
        """Wait for its end and return the exit code."""
        return self._process.wait(deadline)

    def kill(self) -> int:
        """SIGKILL the process group, as a crash does, and return the exit code."""
        self._signal_group(signal.SIGKILL)
        return self._process.wait()

    def stop(self) -> int:
        """SIGTERM to the program, SIGKILL to what is left of its group after `grace`; return the exit code."""
        self.send(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.grace)
        return self.kill()

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Program {self.name} pid {self.pid} {'running' if self.running else self.returncode}>"
