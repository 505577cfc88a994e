"""`headgate up` for tests: a cluster in a home of its own, which is ended afterwards."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from support.kubectl import Kubectl
from support.processes import Program
from support.waiting import until

HEADGATE = (sys.executable, "-P", "-m", "headgate")


class LocalCluster:
    """A running `headgate up`: ready when the block begins, ended with all its processes when it ends."""

    def __init__(self, folder: Path, *arguments: str, name: str = "") -> None:
        """`folder` holds its home and its data; `arguments` are further arguments of `headgate up`."""
        self.name = name or f"test-{os.getpid()}"
        self.folder = folder
        self.data = folder / "data"
        self.environment = {"XDG_STATE_HOME": str(folder / "home")}
        self.arguments = arguments
        self.up: Program

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig, whose path `headgate kubeconfig` prints."""
        return self.data / "kubeconfig"

    def kubectl(self) -> Kubectl:
        """The pinned kubectl with this cluster's kubeconfig."""
        return Kubectl(self.kubeconfig)

    def log(self, component: str) -> str:
        """The log of a component."""
        file = self.data / "logs" / f"{component}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def logs(self, lines: int = 15) -> str:
        """The last lines of all logs, for the message of a failure."""
        names = ("api", "workloads", "node", "controller")
        return "\n".join(f"--- {name}\n" + "\n".join(self.log(name).splitlines()[-lines:]) for name in names)

    def start(self) -> None:
        """Start `headgate up` and wait until it prints Ready."""
        self.up = Program(
            [*HEADGATE, "up", "--name", self.name, "--data", str(self.data), *self.arguments],
            log=self.folder / "up.log",
            name="headgate up",
            env=self.environment,
            grace=60.0,
        )
        start = len(self.up.output())
        try:
            until(lambda: "\nReady:" in self.up.output()[start:], what="Ready", deadline=90, running=self.up)
        except BaseException:
            self.up.stop()
            raise

    def stop(self) -> int:
        """Send SIGTERM; the exit code."""
        return self.up.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
