"""Pages run on two APIs: ours, and the real kube-apiserver, so that neither page nor API can be wrong alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.control_plane import ControlPlane
from support.local_api import LocalApi


@pytest.fixture(scope="session", params=["headgate api", "kube-apiserver"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of an API."""
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as running:
        if request.param == "headgate api":
            yield running.enter_context(LocalApi(folder)).kubeconfig
        else:
            plane = running.enter_context(ControlPlane(folder))
            plane.apply_crds()
            yield plane.kubeconfig


@pytest.fixture
def kubeconfig(cluster: Path, tmp_path: Path) -> Path:
    """A kubeconfig of this test's own, which it may change."""
    own = tmp_path / "kubeconfig"
    shutil.copy(cluster, own)
    return own
