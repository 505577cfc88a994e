"""The cluster that the suite tests: a real Kubernetes API, our node, the chart's controller with the chart's rights.

The suite's backends are the real ones: echo-basic binds the wildcard address, so its pods have namespaces of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import tools
from support.control_plane import ControlPlane
from support.installed import Installed

CLASS = "headgate"
"""The GatewayClass of the chart."""


@dataclass(frozen=True)
class Cluster:
    """A running one."""

    kubernetes: ControlPlane
    headgate: Installed


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """With the CRDs of the suite's own version, standard channel."""
    with ControlPlane(folder / "kubernetes") as kubernetes:
        kubernetes.apply_crds()
        node = (f"--image=echo-basic={tools.path('echo-basic')}", "--pod-network=namespace")
        with Installed(kubernetes, folder / "headgate", node=node) as headgate:
            yield Cluster(kubernetes, headgate)
