"""The walk on `headgate up --crds`: the same claims hold with the official definitions of every release since v1.3.0.

That one has no ListenerSet, no TLSRoute, and ReferenceGrant as v1beta1 only.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import tools
from support.local_cluster import LocalCluster

pytest.register_assert_rewrite("support.walk")

from support.walk import Walk, WalkTests  # noqa: E402 - its assertions are those of these tests


@pytest.fixture(scope="module", params=["v1.3.0", "v1.6.3", "v1.7.0"])
def walk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("walk")
    crds = tools.crds(f"gateway-api-{request.param}/standard")
    with LocalCluster(folder, f"--crds={crds}") as cluster:
        stage = Walk(cluster.kubectl(), folder, controller="gateway.envoyproxy.io/gatewayclass-controller")
        try:
            stage.set_up()
            assert stage.bundle_version() == request.param
        except BaseException:
            print(cluster.logs())
            raise
        yield stage


class TestWalk(WalkTests):
    """Every claim of the walk."""
