"""Headgate as its users have it: the chart on a real API, its controller in a pod with its own rights."""

from __future__ import annotations

import httpx

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
    pods = until(pods_behind_the_service, what="an endpoint of Service headgate")
    assert [pod for pod in pods if pod in holder["spec"]["holderIdentity"]] == pods


def test_the_log_of_the_controller_can_be_read_with_kubectl(installed: Installed) -> None:
    assert "headgate" in installed.controller_log()


def test_the_controller_was_refused_nothing_by_the_api(installed: Installed) -> None:
    # "forbidden: User …" is RBAC's; what ends in a namespace that is being deleted is forbidden as well.
    assert "forbidden: User" not in installed.controller_log()


SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: thread}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, namespace: thread}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec: {containers: [{name: echo, image: "headgate-echo:v7", ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: thread}
spec: {selector: {app: echo}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: thread}
spec: {gatewayClassName: headgate, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo, namespace: thread}
spec: {parentRefs: [{name: front}], rules: [{backendRefs: [{name: echo, port: 80}]}]}
"""


def test_a_request_to_the_address_of_a_gateway_is_answered_by_the_pod_behind_its_route(
    installed: Installed, kubernetes: ControlPlane
) -> None:
    kubectl = kubernetes.kubectl
    kubectl.apply(SHOP)
    kubectl("wait", "--for=condition=Programmed", "gateway/front", "--namespace=thread", "--timeout=60s")
    address = kubectl("get", "gateway", "front", "--namespace=thread", "-o", "jsonpath={.status.addresses[0].value}")
    answer = until(lambda: get(f"http://{address}/version"), what="200 through the Gateway", running=installed.node)
    assert "v7" in answer
    assert "cannot be read" not in installed.controller_log()
    kubectl("delete", "namespace", "thread", "--wait=false")


def get(url: str) -> str:
    """The body of a 200, else nothing."""
    try:
        answer = httpx.get(url, trust_env=False)
    except httpx.TransportError:
        return ""
    return answer.text if answer.status_code == httpx.codes.OK else ""
