"""Releases judged by MetricTemplates: Debian's Prometheus scrapes our Envoys of a local cluster."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.traffic import Load, Plan, Request, Target
from support.kubectl import Kubectl
from support.local_cluster import LocalCluster
from support.prometheus import Prometheus
from support.waiting import until

EXAMPLES = Path(__file__).parents[2] / "examples" / "shop"
HOST = "shop.example.com"

# Written for any Envoy-based gateway whose clusters are named `<namespace>_<service>_<port>`.
TEMPLATE = """
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {{name: error-rate, namespace: shop}}
spec:
  provider: {{type: prometheus, address: "{address}"}}
  query: |
    100 - sum(
      rate(
        envoy_cluster_upstream_rq{{
          envoy_cluster_name=~"{{{{ namespace }}}}_{{{{ service }}}}-canary_[0-9a-zA-Z-]+",
          envoy_response_code!~"5.*"
        }}[{{{{ interval }}}}]
      )
    )
    /
    sum(
      rate(
        envoy_cluster_upstream_rq{{
          envoy_cluster_name=~"{{{{ namespace }}}}_{{{{ service }}}}-canary_[0-9a-zA-Z-]+"
        }}[{{{{ interval }}}}]
      )
    )
    * 100
"""

CANARY = """
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: shop, namespace: shop}
spec:
  provider: gatewayapi:v1
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}
  progressDeadlineSeconds: 60
  service:
    port: 80
    targetPort: 8080
    hosts: [shop.example.com]
    gatewayRefs: [{name: shop}]
  analysis:
    interval: 4s
    threshold: 2
    stepWeight: 50
    maxWeight: 50
    metrics:
      - name: error-rate
        templateRef: {name: error-rate}
        interval: 5s
        thresholdRange: {max: 1}
"""


class Shop:
    """The shop of the examples, released by what Prometheus says, under steady traffic."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl

    def get(self, kind: str, name: str, path: str) -> str:
        return self.kubectl("-n", "shop", "get", kind, name, "-o", f"jsonpath={path}").strip()

    def phase(self) -> str:
        return self.get("canary", "shop", "{.status.phase}")

    def messages(self) -> str:
        return self.kubectl("-n", "shop", "get", "events", "-o", 'jsonpath={range .items[*]}{.message}{"\\n"}{end}')

    def release(self, tag: str, error_rate: str) -> None:
        container = {
            "name": "shop",
            "image": f"ghcr.io/headgate/headgate-echo:{tag}",
            "env": [{"name": "ERROR_RATE", "value": error_rate}],
        }
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self.kubectl("-n", "shop", "patch", "deployment", "shop", "-p", json.dumps(patch))

    def envoys(self) -> list[str]:
        selector = "gateway.networking.k8s.io/gateway-name=shop"
        path = "{range .items[*]}{.status.podIP}{' '}{end}"
        return self.kubectl("-n", "shop", "get", "pods", "-l", selector, "-o", f"jsonpath={path}").split()

    def target(self) -> Target:
        message = self.get("gateway", "shop", '{.status.conditions[?(@.type=="Programmed")].message}')
        return Target(
            self.get("gateway", "shop", "{.status.addresses[0].value}"), 10080 if "10080" in message else 80, host=HOST
        )


@contextlib.contextmanager
def traffic(target: Target) -> Iterator[None]:
    """A steady load until the end of the block."""
    load = Load(target, Plan(rate=100), [Request("/version")])
    thread = threading.Thread(target=lambda: asyncio.run(load.run(lambda _: None)))
    thread.start()
    try:
        yield
    finally:
        load.stop()
        thread.join()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("templates")
    with LocalCluster(folder / "cluster") as cluster:
        kubectl = cluster.kubectl()
        shop = Shop(kubectl)
        for name in ("00-namespace", "10-gateway", "20-deployment"):
            kubectl("apply", "-f", str(EXAMPLES / f"{name}.yaml"))
        kubectl("-n", "shop", "wait", "gateway/shop", "--for=condition=Programmed", "--timeout=60s")
        targets = [f"{address}:19001" for address in until(shop.envoys, what="the Gateway's pods")]
        with Prometheus(folder / "prometheus", targets, metrics_path="/stats/prometheus") as prometheus:
            kubectl.apply(TEMPLATE.format(address=prometheus.url))
            kubectl.apply(CANARY)
            until(lambda: shop.phase() == "Initialized", deadline=60, what="Initialized")
            with traffic(shop.target()):
                yield shop


def test_a_release_without_errors_is_promoted(shop: Shop) -> None:
    shop.release("1.1.0", "0")
    assert until(lambda: shop.phase() in ("Succeeded", "Failed") and shop.phase(), deadline=90) == "Succeeded", (
        shop.messages()
    )


def test_a_release_with_errors_is_rolled_back_for_its_error_rate(shop: Shop) -> None:
    shop.release("1.2.0", "0.5")
    until(lambda: shop.phase() == "Failed", deadline=90, what="Failed")
    assert "Halt shop.shop advancement error-rate" in shop.messages()
