"""Tests beside a real kube-apiserver: one control plane for all of them, in the namespace that `netns` makes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import pytest

from support.control_plane import LOAD_BALANCER_NETWORK, POD_NETWORK, ControlPlane
from support.installed import ENVOY_GATEWAY, OWN_CLASS, Installed


@pytest.fixture(scope="session")
def local_networks() -> None:
    """Pods and load balancers have addresses that this machine can bind."""
    for network in (POD_NETWORK, LOAD_BALANCER_NETWORK):
        address = ipaddress.ip_network(network)[259]
        with socket.socket() as probe:
            try:
                probe.bind((str(address), 0))
            except OSError as error:
                raise RuntimeError(f"{network} is not local here ({error}): run `tests/real/netns pytest …`") from error


@pytest.fixture(scope="session")
def kubernetes(local_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd, kube-apiserver and kube-controller-manager with the CRDs of Gateway API v1.7.0 and Flagger."""
    with ControlPlane(tmp_path_factory.mktemp("kubernetes")) as plane:
        plane.apply_crds()
        yield plane


@pytest.fixture(scope="session")
def installed(kubernetes: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The chart applied by Helm, with `headgate node` in place of kubelets and scheduler."""
    classes = tuple(f"--controller-name={name}" for name in (OWN_CLASS, ENVOY_GATEWAY))
    with Installed(kubernetes, tmp_path_factory.mktemp("installed"), arguments=classes) as headgate:
        yield headgate
