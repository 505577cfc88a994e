"""The scenario on a real kube-apiserver that has the definitions of an older Gateway API: the same claims hold.

The oldest has no ListenerSet, no TLSRoute, and ReferenceGrant as v1beta1 only.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.control_plane import ControlPlane
from support.installed import ENVOY_GATEWAY, OWN_CLASS, Installed

pytest.register_assert_rewrite("support.gateway_scenario")

from support.gateway_scenario import GatewayScenario, GatewayScenarioTests  # noqa: E402 - its assertions are those of these tests

#: Beside the node of other tests, which has the lower halves first.
PODS, LOAD_BALANCERS = "10.244.128.0/17", "10.245.128.0/17"


@pytest.fixture(scope="module", params=["1.3.0", "1.6.3"])
def scenario(
    request: pytest.FixtureRequest, local_networks: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayScenario]:
    folder = tmp_path_factory.mktemp("definitions")
    classes = tuple(f"--controller-name={name}" for name in (OWN_CLASS, ENVOY_GATEWAY))
    node = (f"--pod-cidr={PODS}", f"--load-balancer-cidr={LOAD_BALANCERS}")
    with ControlPlane(folder / "kubernetes") as plane:
        plane.apply_crds(f"gateway-api-v{request.param}/standard", "flagger-v1.44.0")
        with Installed(plane, folder / "headgate", arguments=classes, node=node) as headgate:
            stage = GatewayScenario(plane.kubectl, folder, controller=ENVOY_GATEWAY)
            try:
                stage.set_up()
            except BaseException:
                print(headgate.controller_log(), headgate.node.tail(50), sep="\n--- node\n")
                raise
            yield stage


class TestGatewayScenario(GatewayScenarioTests):
    """Every claim of the scenario."""
