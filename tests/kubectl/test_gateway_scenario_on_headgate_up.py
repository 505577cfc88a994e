"""The Gateway scenario on `headgate up`, with the class of another implementation and manifests of a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.local_cluster import LocalCluster

pytest.register_assert_rewrite("support.gateway_scenario", "support.filter_scenario")

from support.filter_scenario import FilterScenarioTests  # noqa: E402 - as above
from support.gateway_scenario import GatewayScenario, GatewayScenarioTests  # noqa: E402 - its assertions are those of these tests


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayScenario]:
    folder = tmp_path_factory.mktemp("scenario")
    with LocalCluster(folder) as cluster:
        stage = GatewayScenario(cluster.kubectl(), folder, controller="gateway.envoyproxy.io/gatewayclass-controller")
        try:
            stage.set_up()
        except BaseException:
            print(cluster.logs())
            raise
        yield stage


class TestGatewayScenario(GatewayScenarioTests):
    """Every claim of the scenario."""


class TestFilters(FilterScenarioTests):
    """Every claim of the filters."""
