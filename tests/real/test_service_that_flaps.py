"""A Service whose endpoints come and go as fast as the API takes it: no request is lost while one of them is ready."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import httpx
import pytest

from headgate.traffic import Target
from support import scenario_manifests
from support.control_plane import ADMIN_TOKEN, ControlPlane
from support.installed import Installed
from support.steady_traffic import SteadyTraffic
from support.waiting import until

NAMESPACE, HOST = "flapping", "flapping.example.com"
FLIPS = 300

MANIFESTS = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: {NAMESPACE}}}
spec:
  gatewayClassName: headgate
  listeners: [{{name: http, protocol: HTTP, port: 80}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: app, namespace: {NAMESPACE}}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: [{HOST}]
  rules: [{{backendRefs: [{{name: flapping, port: 80}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: flapping, namespace: {NAMESPACE}}}
spec:
  ports: [{{name: http, port: 80, targetPort: 8080}}]
"""


class Flapping:
    """A Service without a selector: whether its two endpoints are ready is what the test says."""

    def __init__(self, kubernetes: ControlPlane, endpoints: list[str]) -> None:
        self.kubernetes = kubernetes
        self.endpoints = endpoints
        self.api = httpx.Client(
            base_url=kubernetes.server,
            headers={"authorization": f"Bearer {ADMIN_TOKEN}"},
            verify=False,  # the certificate of a test
            trust_env=False,
            timeout=30,
        )

    def create(self) -> None:
        """The slice, with both ready."""
        labels = {"kubernetes.io/service-name": "flapping", "endpointslice.kubernetes.io/managed-by": "a-test"}
        slice_ = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "flapping-1", "namespace": NAMESPACE, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in self.endpoints],
        }
        self.kubernetes.kubectl.apply(json.dumps(slice_))

    def ready(self, *are: bool) -> None:
        """One write that says of each endpoint whether it is ready."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/flapping-1"
        operations = [
            {"op": "replace", "path": f"/endpoints/{at}/conditions/ready", "value": value}
            for at, value in enumerate(are)
        ]
        answer = self.api.patch(
            path, content=json.dumps(operations), headers={"content-type": "application/json-patch+json"}
        )
        assert answer.status_code == httpx.codes.OK, answer.text

    def target(self) -> Target:
        gateway = self.kubernetes.kubectl.json("-n", NAMESPACE, "get", "gateway", "edge")
        return Target(gateway["status"]["addresses"][0]["value"], 80, host=HOST)

    def serves(self) -> bool:
        """Whether a request is answered."""
        target = self.target()
        return httpx.get(f"http://{target.address}/", headers={"host": HOST}, trust_env=False).is_success


@pytest.fixture(scope="module")
def flapping(installed: Installed, kubernetes: ControlPlane) -> Iterator[Flapping]:
    kubectl = kubernetes.kubectl
    kubectl("create", "namespace", NAMESPACE)
    applications = [scenario_manifests.application(name, NAMESPACE, "1") for name in ("one", "two")]
    kubectl.apply("---".join([*applications, MANIFESTS]))
    for name in ("one", "two"):
        kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=60s", timeout=90)
    kubectl("-n", NAMESPACE, "wait", "gateway/edge", "--for=condition=Programmed", "--timeout=60s")
    pods = [kubectl.json("-n", NAMESPACE, "get", "pods", "-l", f"app={name}")["items"][0] for name in ("one", "two")]
    made = Flapping(kubernetes, [pod["status"]["podIP"] for pod in pods])
    made.create()
    until(made.serves, what="it serves", tolerate=(OSError, httpx.HTTPError, KeyError, IndexError))
    with made.api:
        yield made
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_one_that_flaps_beside_one_that_is_ready_loses_no_request(flapping: Flapping) -> None:
    with SteadyTraffic(flapping.target(), kept=200, fresh=20) as steady:
        for flip in range(FLIPS):
            flapping.ready(True, flip % 2 == 1)
        steady.more(100)
    assert steady.answers.keys() == {"200"}, steady.answers
    assert set(steady.bodies) == {"one 1", "two 1"}


def test_two_that_take_turns_lose_no_request(flapping: Flapping) -> None:
    turns = itertools.cycle(((True, True), (True, False), (True, True), (False, True)))
    with SteadyTraffic(flapping.target(), kept=200, fresh=20) as steady:
        for ready in itertools.islice(turns, FLIPS):
            flapping.ready(*ready)
        flapping.ready(True, True)
        steady.more(100)
    assert steady.answers.keys() == {"200"}, steady.answers
    assert set(steady.bodies) == {"one 1", "two 1"}


def test_after_a_time_without_any_every_request_is_answered_again(flapping: Flapping) -> None:
    for _ in range(20):
        flapping.ready(False, False)
        flapping.ready(False, True)
    until(flapping.serves, what="it serves again")
    with SteadyTraffic(flapping.target(), kept=200, fresh=20) as steady:
        steady.more(300)
    assert steady.answers.keys() == {"200"}, steady.answers
    assert set(steady.bodies) == {"two 1"}
