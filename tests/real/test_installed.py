"""Headgate as its users have it: the chart on a real API, its controller in a pod with its own rights."""

from __future__ import annotations

from support.control_plane import ControlPlane
from support.installed import NAMESPACE, RELEASE, Installed
from support.waiting import until


def test_the_class_of_the_chart_is_accepted(installed: Installed, kubernetes: ControlPlane) -> None:
    kubernetes.kubectl("wait", "--for=condition=Accepted", "gatewayclass/headgate", "--timeout=30s")


def test_the_service_leads_to_the_pod_that_holds_the_lease(installed: Installed, kubernetes: ControlPlane) -> None:
    def pods_behind_the_service() -> list[str]:
        slices = kubernetes.kubectl.json(
            "get", "endpointslices", f"--namespace={NAMESPACE}", f"--selector=kubernetes.io/service-name={RELEASE}"
        )["items"]
        return [endpoint["targetRef"]["name"] for each in slices for endpoint in each.get("endpoints") or ()]

    holder = kubernetes.kubectl.json("get", "lease", "headgate-controller", f"--namespace={NAMESPACE}")
    pods = until(pods_behind_the_service, says="an endpoint of Service headgate")
    assert [pod for pod in pods if pod in holder["spec"]["holderIdentity"]] == pods


def test_the_log_of_the_controller_can_be_read_with_kubectl(installed: Installed) -> None:
    assert "headgate" in installed.controller_log()


def test_the_controller_was_refused_nothing_by_the_api(installed: Installed) -> None:
    assert "orbidden" not in installed.controller_log()
