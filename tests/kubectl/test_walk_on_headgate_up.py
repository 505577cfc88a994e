"""The walk on `headgate up`: the class is another implementation's, and the manifests are those of a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.local_cluster import LocalCluster

pytest.register_assert_rewrite("support.walk", "support.walk_filters")

from support.walk import Walk, WalkTests  # noqa: E402 - its assertions are those of these tests
from support.walk_filters import FilterTests  # noqa: E402 - as above


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("walk")
    with LocalCluster(folder) as cluster:
        stage = Walk(cluster.kubectl(), folder, controller="gateway.envoyproxy.io/gatewayclass-controller")
        try:
            stage.set_up()
        except BaseException:
            print(cluster.logs())
            raise
        yield stage


class TestWalk(WalkTests):
    """Every claim of the walk."""


class TestFilters(FilterTests):
    """Every claim of the filters."""
