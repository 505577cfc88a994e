"""A controller with the chart's rights on a real API whose definitions are installed, replaced and deleted under it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.addresses import free_port
from support.control_plane import ControlPlane
from support.installed import CHART
from support.kubectl import Kubectl
from support.processes import Program
from support.waiting import until

HOME = "headgate-system"
OURS = "headgate.dev/gateway-controller"
GROUP = "gateway.networking.k8s.io"

CLASS_AND_GATEWAY = f"""
apiVersion: {GROUP}/v1
kind: GatewayClass
metadata: {{name: headgate}}
spec: {{controllerName: {OURS}}}
---
apiVersion: {GROUP}/v1
kind: Gateway
metadata: {{name: front, namespace: default}}
spec:
  gatewayClassName: headgate
  listeners: [{{name: http, port: 80, protocol: HTTP}}]
"""

#: To a Service of another namespace, which permits it in the one version that every release serves.
ROUTE = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: other}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: other}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: {GROUP}/v1beta1
kind: ReferenceGrant
metadata: {{name: routes, namespace: other}}
spec:
  from: [{{group: {GROUP}, kind: HTTPRoute, namespace: default}}]
  to: [{{group: "", kind: Service}}]
---
apiVersion: {GROUP}/v1
kind: HTTPRoute
metadata: {{name: shop, namespace: default}}
spec:
  parentRefs: [{{name: front}}]
  rules: [{{backendRefs: [{{name: shop, namespace: other, port: 80}}]}}]
"""

LISTENER_SET = f"""
apiVersion: {GROUP}/v1
kind: ListenerSet
metadata: {{name: more, namespace: default}}
spec:
  parentRef: {{name: front}}
  listeners: [{{name: second, port: 8080, protocol: HTTP}}]
"""


@dataclass
class Cluster:
    """A control plane and the controller beside it."""

    kubernetes: ControlPlane
    controller: Program

    @property
    def kubectl(self) -> Kubectl:
        return self.kubernetes.kubectl

    def install(self, release: str) -> None:
        """The official definitions of a release, as its users install them."""
        self.kubernetes.apply_crds(f"gateway-api-{release}/standard")

    def get(self, *arguments: str) -> Any:
        return self.kubectl.json("get", *arguments)

    def features(self) -> list[str]:
        return [each["name"] for each in self.get("gatewayclass", "headgate")["status"].get("supportedFeatures", ())]

    def conditions(self, *arguments: str) -> dict[str, str]:
        """Type -> reason of the conditions that speak of the object as it is."""
        found = self.get(*arguments)
        status = found.get("status", {})
        every = status.get("conditions") or [
            each for entry in status.get("parents", ()) for each in entry["conditions"]
        ]
        generation = found["metadata"]["generation"]
        return {each["type"]: each["reason"] for each in every if each.get("observedGeneration") == generation}

    def attached(self) -> int | None:
        listeners = self.get("gateway", "front").get("status", {}).get("listeners") or [{}]
        count: int | None = listeners[0].get("attachedRoutes")
        return count

    def watches(self, kind: str, version: str) -> None:
        self.says(f'{{"kind": "{kind}", "version": "{GROUP}/{version}", "event": "watched"')

    def says(self, text: str) -> None:
        until(lambda: text in self.controller.output(), what=text, running=self.controller)


@pytest.fixture(scope="module")
def cluster(local_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The controller is ready on an API without a single custom kind."""
    folder = tmp_path_factory.mktemp("definitions")
    with ControlPlane(folder) as kubernetes:
        kubernetes.helm(
            "install",
            "headgate",
            str(CHART),
            f"--namespace={HOME}",
            "--create-namespace",
            "--set=replicas=0",
            "--set=gatewayClass.create=false",
        )
        account = kubernetes.service_account_kubeconfig(HOME, "headgate")
        command = [
            sys.executable,
            "-m",
            "headgate",
            "controller",
            f"--kubeconfig={account}",
            f"--namespace={HOME}",
            "--no-lease",
            f"--xds-port={free_port()}",
            f"--health-port={free_port()}",
        ]
        with Program(command, log=folder / "controller.log", name="headgate controller") as controller:
            made = Cluster(kubernetes, controller)
            made.says("synced")
            yield made
            assert "Forbidden" not in controller.output(), controller.tail()


@pytest.fixture(scope="module")
def with_the_oldest(cluster: Cluster) -> Cluster:
    """The definitions of v1.3.0 were installed while the controller ran, and used."""
    cluster.install("v1.3.0")
    cluster.kubectl.apply(CLASS_AND_GATEWAY)
    cluster.kubectl.apply(ROUTE)
    until(lambda: cluster.attached() == 1, what="an attached route", running=cluster.controller)
    return cluster


@pytest.fixture(scope="module")
def with_the_newer(with_the_oldest: Cluster) -> Cluster:
    """Those of v1.6.3 have replaced them."""
    with_the_oldest.install("v1.6.3")
    until(with_the_oldest.features, what="features, which the older definition had no field for")
    return with_the_oldest


@pytest.fixture(scope="module")
def with_the_newest(with_the_newer: Cluster) -> Cluster:
    """Those of v1.7.0 have replaced them."""
    with_the_newer.install("v1.7.0")
    return with_the_newer


def test_kinds_of_an_old_release_are_taken_up_when_they_are_installed(with_the_oldest: Cluster) -> None:
    assert with_the_oldest.conditions("gatewayclass", "headgate") == {
        "Accepted": "Accepted",
        "SupportedVersion": "SupportedVersion",
    }
    assert with_the_oldest.conditions("httproute", "shop")["Accepted"] == "Accepted"


def test_a_grant_counts_where_it_is_served_in_an_older_version_only(with_the_oldest: Cluster) -> None:
    assert with_the_oldest.conditions("httproute", "shop")["ResolvedRefs"] == "ResolvedRefs"
    with_the_oldest.watches("ReferenceGrant", "v1beta1")


def test_a_field_that_the_definition_lacks_is_not_written_again_and_again(with_the_oldest: Cluster) -> None:
    before = with_the_oldest.get("gatewayclass", "headgate")
    with_the_oldest.kubectl("annotate", "gatewayclass", "headgate", "example.com/touched=once")
    with_the_oldest.kubectl("annotate", "gateway", "front", "example.com/touched=once")
    with_the_oldest.kubectl("delete", "httproute", "shop")
    until(lambda: with_the_oldest.attached() == 0, what="that the route has gone")
    with_the_oldest.kubectl.apply(ROUTE)
    until(lambda: with_the_oldest.attached() == 1, what="that the route is back")
    assert with_the_oldest.get("gatewayclass", "headgate")["status"] == before["status"]


def test_a_newer_release_brings_its_features_and_not_those_of_the_next(with_the_newer: Cluster) -> None:
    found = with_the_newer.features()
    assert {"Gateway", "HTTPRoute", "HTTPRouteNamedRouteRule", "ReferenceGrant"} <= set(found)
    assert found == sorted(found)
    assert [name for name in found if name.startswith("HTTPRouteRetry")] == []


def test_a_new_kind_of_a_newer_release_is_served(with_the_newer: Cluster) -> None:
    with_the_newer.kubectl.apply(LISTENER_SET)
    until(lambda: "Accepted" in with_the_newer.conditions("listenerset", "more"), what="a status of the ListenerSet")


def test_what_was_served_before_is_served_with_the_newest_release(with_the_newest: Cluster) -> None:
    assert with_the_newest.conditions("httproute", "shop") == {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs"}
    with_the_newest.watches("ReferenceGrant", "v1")


def test_a_kind_whose_definition_is_deleted_counts_no_more_and_is_taken_up_again(with_the_newest: Cluster) -> None:
    with_the_newest.kubectl("delete", "crd", f"httproutes.{GROUP}")
    until(lambda: with_the_newest.attached() == 0, what="that no route is attached", running=with_the_newest.controller)
    until(lambda: "HTTPRoute" not in with_the_newest.features(), what="features without HTTPRoute")
    with_the_newest.install("v1.7.0")
    with_the_newest.kubectl.apply(ROUTE)
    until(lambda: with_the_newest.attached() == 1, what="an attached route", running=with_the_newest.controller)
    assert "HTTPRoute" in with_the_newest.features()
