"""The definitions of the experimental channel on a real API: pods behind an XBackend, found with the chart's rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support import scenario_manifests
from support.control_plane import ControlPlane
from support.installed import APART, Installed
from support.waiting import until

NAMESPACE, HOST = "outside", "outside.example.com"

MANIFESTS = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: {NAMESPACE}}}
spec:
  gatewayClassName: headgate
  listeners: [{{name: http, protocol: HTTP, port: 80}}]
---
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackend
metadata: {{name: pods, namespace: {NAMESPACE}}}
spec:
  type: EndpointSelector
  endpointSelector: {{matchLabels: {{app: one}}}}
  port: {{number: 8080}}
"""
ROUTE = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: app, namespace: {NAMESPACE}}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: [{HOST}]
  rules: [{{backendRefs: [{{group: gateway.networking.x-k8s.io, kind: XBackend, name: pods}}]}}]
"""


@pytest.fixture(scope="module")
def cluster(local_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with the experimental channel, Headgate on it, and an application."""
    with ControlPlane(tmp_path_factory.mktemp("experimental")) as plane:
        plane.apply_crds("gateway-api-v1.7.0/experimental", "flagger-v1.44.0")
        with Installed(plane, tmp_path_factory.mktemp("installed-experimental"), node=APART):
            plane.kubectl("create", "namespace", NAMESPACE)
            plane.kubectl.apply(f"{scenario_manifests.application('one', NAMESPACE, '1')}---{MANIFESTS}")
            plane.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/one", "--timeout=60s", timeout=90)
            plane.kubectl("-n", NAMESPACE, "wait", "gateway/edge", "--for=condition=Programmed", "--timeout=60s")
            yield plane


def status(cluster: ControlPlane) -> int:
    """What the Gateway answers."""
    gateway = cluster.kubectl.json("-n", NAMESPACE, "get", "gateway", "edge")
    address = gateway["status"]["addresses"][0]["value"]
    return httpx.get(f"http://{address}/", headers={"host": HOST}, trust_env=False).status_code


def services(cluster: ControlPlane) -> dict[str, Any]:
    found = cluster.kubectl.json("-n", NAMESPACE, "get", "services")["items"]
    return {each["metadata"]["name"]: each for each in found}


def test_pods_behind_an_x_backend_serve_while_a_route_names_it(cluster: ControlPlane) -> None:
    assert "pods-xbackend" not in services(cluster)
    cluster.kubectl.apply(ROUTE)
    until(lambda: status(cluster) == 200, what="the pods serve", tolerate=(OSError, httpx.HTTPError))
    made = services(cluster)["pods-xbackend"]
    assert made["spec"]["selector"] == {"app": "one"}
    assert [(each["kind"], each["name"]) for each in made["metadata"]["ownerReferences"]] == [("XBackend", "pods")]

    def conditions() -> list[tuple[str, str]]:
        found = cluster.kubectl.json("-n", NAMESPACE, "get", "xbackend", "pods")
        entries = found.get("status", {}).get("ancestors", ())
        return [(each["type"], each["status"]) for entry in entries for each in entry["conditions"]]

    until(lambda: conditions() == [("Accepted", "True")], what="the XBackend is accepted")
    cluster.kubectl("-n", NAMESPACE, "delete", "httproute", "app")
    until(lambda: "pods-xbackend" not in services(cluster), what="its Service is gone")


def test_a_gateway_for_the_cluster_alone_has_no_load_balancer(cluster: ControlPlane) -> None:
    inside = MANIFESTS.split("---", maxsplit=1)[0].replace("name: edge", "name: inside").rstrip()

    def type_of_service() -> str:
        return str(services(cluster).get("inside-headgate", {}).get("spec", {}).get("type", ""))

    cluster.kubectl.apply(f"{inside}\n")
    until(lambda: type_of_service() == "LoadBalancer", what="anybody may reach it")
    cluster.kubectl.apply(f"{inside}\n  addresses: [{{routability: Cluster}}]\n")
    until(lambda: type_of_service() == "ClusterIP", what="nobody outside may")


def test_every_address_says_from_where_it_is_reached(cluster: ControlPlane) -> None:
    found = cluster.kubectl.json("-n", NAMESPACE, "get", "gateway", "edge")["status"]["addresses"]
    assert [each["routability"] for each in found] == [""]
