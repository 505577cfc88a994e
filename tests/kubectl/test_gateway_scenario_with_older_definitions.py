"""The Gateway scenario on `headgate up --crds` with the official definitions of each release since v1.3.0.

v1.3.0 has no ListenerSet, no TLSRoute, and ReferenceGrant as v1beta1 only.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import tools
from support.local_cluster import LocalCluster

pytest.register_assert_rewrite("support.gateway_scenario")

from support.gateway_scenario import GatewayScenario, GatewayScenarioTests  # noqa: E402 - its assertions are those of these tests


@pytest.fixture(scope="module", params=["v1.3.0", "v1.6.3", "v1.7.0"])
def scenario(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayScenario]:
    folder = tmp_path_factory.mktemp("scenario")
    crds = tools.crds(f"gateway-api-{request.param}/standard")
    with LocalCluster(folder, f"--crds={crds}") as cluster:
        stage = GatewayScenario(cluster.kubectl(), folder, controller="gateway.envoyproxy.io/gatewayclass-controller")
        try:
            stage.set_up()
            assert stage.bundle_version() == request.param
        except BaseException:
            print(cluster.logs())
            raise
        yield stage


class TestGatewayScenario(GatewayScenarioTests):
    """Every claim of the scenario."""
