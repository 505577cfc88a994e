"""The local API as a process, for what only a real server can show."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import Program
from support.waiting import until


@pytest.fixture(scope="session")
def local_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a `headgate api` of this test run."""
    folder = tmp_path_factory.mktemp("api")
    kubeconfig = folder / "kubeconfig"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "headgate",
        "api",
        "--data",
        folder / "data",
        "--kubeconfig-out",
        kubeconfig,
    ]
    with Program(command, log=folder / "api.log") as api:
        until(kubeconfig.exists, what="the kubeconfig of the API", running=api)
        yield kubeconfig
