"""The real kubectl, as a function."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from support import tools


class KubectlError(AssertionError):
    """kubectl ended with an exit code other than 0; carries its output."""

    def __init__(self, arguments: tuple[str, ...], returncode: int, stdout: str, stderr: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)}: exit code {returncode}\n{stdout}{stderr}")
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr


class Kubectl:
    """kubectl with one kubeconfig: `kubectl("get", "pods", "-A")` returns what it prints."""

    def __init__(self, kubeconfig: Path, *, binary: Path | None = None) -> None:
        """`binary` is the pinned kubectl of `make tools` unless told."""
        self.kubeconfig = kubeconfig
        self.binary = binary or tools.path("kubectl")

    def run(self, *arguments: str, stdin: str = "", timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run it whatever the exit code; for tests that look at stderr or the exit code."""
        # A cache folder of our own beside the kubeconfig: discovery of another test's API must never be believed.
        return subprocess.run(
            [self.binary, f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.kubeconfig}.cache", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str = "", timeout: float = 60.0) -> str:
        """Run it, want exit code 0, return stdout."""
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        if done.returncode != 0:
            raise KubectlError(arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The answer of a verb that takes `-o json`."""
        return json.loads(self(*arguments, "-o", "json"))

    def apply(self, manifests: str, *arguments: str) -> str:
        """`kubectl apply -f -` with these manifests."""
        return self("apply", "-f", "-", *arguments, stdin=manifests)
