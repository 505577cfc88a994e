"""The Gateway scenario on a real kube-apiserver with its kube-controller-manager.

The chart's controller serves the class of another implementation.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.control_plane import ControlPlane
from support.installed import ENVOY_GATEWAY, Installed

pytest.register_assert_rewrite("support.gateway_scenario", "support.filter_scenario")

from support.filter_scenario import FilterScenarioTests  # noqa: E402 - as above
from support.gateway_scenario import INFRA, TEAM, GatewayScenario, GatewayScenarioTests  # noqa: E402 - its assertions are those of these tests


@pytest.fixture(scope="module")
def scenario(
    installed: Installed, kubernetes: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayScenario]:
    stage = GatewayScenario(kubernetes.kubectl, tmp_path_factory.mktemp("scenario"), controller=ENVOY_GATEWAY)
    try:
        stage.set_up()
    except BaseException:
        print(installed.controller_log(), installed.node.tail(50), sep="\n--- node\n")
        raise
    yield stage
    kubernetes.kubectl("delete", "namespace", INFRA, TEAM, "--wait=false")
    kubernetes.kubectl("delete", "gatewayclass", stage.class_name)


class TestGatewayScenario(GatewayScenarioTests):
    """Every claim of the scenario."""


class TestFilters(FilterScenarioTests):
    """Every claim of the filters."""
