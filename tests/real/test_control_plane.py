"""The real parts are what they should be before anything of ours runs on them."""

from __future__ import annotations

import json
import socket

from support.control_plane import ControlPlane
from support.kubectl import Kubectl
from support.waiting import until

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, namespace: parts}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec: {containers: [{name: echo, image: headgate-echo:v1}]}
"""


def test_the_api_is_ready_and_says_the_pinned_version(kubernetes: ControlPlane) -> None:
    assert kubernetes.kubectl("get", "--raw", "/readyz") == "ok"
    assert kubernetes.kubectl.json("version")["serverVersion"]["gitVersion"] == "v1.36.3"


def test_the_official_kinds_are_served(kubernetes: ControlPlane) -> None:
    names = kubernetes.kubectl("api-resources", "-o", "name").split()
    assert {"httproutes.gateway.networking.k8s.io", "canaries.flagger.app"} <= set(names)


def test_the_installed_gateway_api_is_version_1_7_0(kubernetes: ControlPlane) -> None:
    crd = kubernetes.kubectl.json("get", "crd", "httproutes.gateway.networking.k8s.io")
    assert crd["metadata"]["annotations"]["gateway.networking.k8s.io/bundle-version"] == "v1.7.0"


def test_a_deployment_becomes_a_replica_set_with_its_pods(kubernetes: ControlPlane) -> None:
    kubernetes.kubectl("create", "namespace", "parts")
    kubernetes.kubectl.apply(DEPLOYMENT)
    until(lambda: owners_of_pods(kubernetes.kubectl) == ["ReplicaSet", "ReplicaSet"], what="two pods of a ReplicaSet")


def owners_of_pods(kubectl: Kubectl) -> list[str]:
    return [
        pod["metadata"]["ownerReferences"][0]["kind"] for pod in kubectl.json("get", "pods", "-n", "parts")["items"]
    ]


def test_a_deleted_namespace_takes_its_objects_with_it(kubernetes: ControlPlane) -> None:
    kubernetes.kubectl("create", "namespace", "short-lived")
    kubernetes.kubectl("create", "configmap", "within", "-n", "short-lived")
    kubernetes.kubectl("delete", "namespace", "short-lived", "--timeout=60s")
    assert "NotFound" in kubernetes.kubectl.run("get", "namespace", "short-lived").stderr


def test_a_service_account_has_its_own_rights_and_no_others(kubernetes: ControlPlane) -> None:
    kubernetes.kubectl("create", "serviceaccount", "nobody", "-n", "default")
    nobody = Kubectl(kubernetes.service_account_kubeconfig("default", "nobody"))
    assert "Forbidden" in nobody.run("get", "secrets").stderr


def test_helm_talks_to_the_api(kubernetes: ControlPlane) -> None:
    assert isinstance(json.loads(kubernetes.helm("list", "-A", "-o", "json")), list)


def test_pods_and_load_balancers_have_addresses_that_can_be_bound(kubernetes: ControlPlane) -> None:
    for address in ("10.244.3.7", "10.245.0.1"):
        with socket.create_server((address, 0)) as server, socket.create_connection(server.getsockname()[:2]):
            pass
