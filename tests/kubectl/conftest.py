"""Two APIs: ours, and the real kube-apiserver. Pages run on both, so that neither page nor API can be wrong alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import ControlPlane
from support.local_api import LocalApi


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    """`headgate api`."""
    with LocalApi(tmp_path_factory.mktemp("ours")) as api:
        yield api


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real kube-apiserver with its kube-controller-manager and the official definitions."""
    with ControlPlane(tmp_path_factory.mktemp("kubernetes")) as plane:
        plane.apply_crds()
        yield plane


@pytest.fixture(params=["headgate api", "kube-apiserver"])
def kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A kubeconfig of one of the two, which the test may change."""
    api = request.getfixturevalue("ours" if request.param == "headgate api" else "kubernetes")
    own = tmp_path / "kubeconfig"
    shutil.copy(api.kubeconfig, own)
    return own
