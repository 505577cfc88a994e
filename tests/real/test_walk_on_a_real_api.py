"""The walk on a real kube-apiserver with its kube-controller-manager: the very claims that hold on `headgate up`.

The class is another implementation's, which the chart's controller was told to serve.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.control_plane import ControlPlane
from support.installed import ENVOY_GATEWAY, Installed

pytest.register_assert_rewrite("support.walk", "support.walk_filters")

from support.walk import INFRA, TEAM, Walk, WalkTests  # noqa: E402 - its assertions are those of these tests
from support.walk_filters import FilterTests  # noqa: E402 - as above


@pytest.fixture(scope="module")
def walk(installed: Installed, kubernetes: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    stage = Walk(kubernetes.kubectl, tmp_path_factory.mktemp("walk"), controller=ENVOY_GATEWAY)
    try:
        stage.set_up()
    except BaseException:
        print(installed.controller_log(), installed.node.tail(50), sep="\n--- node\n")
        raise
    yield stage
    kubernetes.kubectl("delete", "namespace", INFRA, TEAM, "--wait=false")
    kubernetes.kubectl("delete", "gatewayclass", stage.class_name)


class TestWalk(WalkTests):
    """Every claim of the walk."""


class TestFilters(FilterTests):
    """Every claim of the filters."""
