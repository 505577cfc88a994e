"""Flagger, as released by its own project, beside a real Kubernetes API: it judges by what Prometheus says."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support import tools
from support.addresses import free_port
from support.control_plane import ControlPlane
from support.processes import Program
from support.prometheus import Prometheus
from support.shop import Json
from support.waiting import until

#: Flagger's own queries for an Envoy-based gateway, whose clusters are named `<namespace>_<service>_<port>`.
_CANARY = 'envoy_cluster_name=~"{{ namespace }}_{{ service }}-canary_[0-9a-zA-Z-]+"'
ERROR_RATE = f"""
100 - sum(rate(envoy_cluster_upstream_rq{{{_CANARY}, envoy_response_code!~"5.*"}}[{{{{ interval }}}}]))
/ sum(rate(envoy_cluster_upstream_rq{{{_CANARY}}}[{{{{ interval }}}}])) * 100
"""
LATENCY = f"""
histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{{{_CANARY}}}[{{{{ interval }}}}])) by (le))
"""


class Flagger:
    """Flagger and the Prometheus that it asks; both run on entering and are ended on leaving."""

    def __init__(self, kubernetes: ControlPlane, folder: Path) -> None:
        self._kubernetes = kubernetes
        self._folder = folder
        self.prometheus = Prometheus(folder / "prometheus")
        self.program: Program

    def template(self, namespace: str, name: str, query: str) -> Json:
        """A MetricTemplate that asks this Prometheus."""
        return {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "MetricTemplate",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"provider": {"type": "prometheus", "address": self.prometheus.url}, "query": query},
        }

    def __enter__(self) -> Self:
        self.prometheus.__enter__()
        port = free_port()
        self.program = Program(
            [
                tools.path("flagger"),
                f"-kubeconfig={self._kubernetes.kubeconfig}",
                "-mesh-provider=gatewayapi:v1",
                f"-metrics-server={self.prometheus.url}",
                f"-port={port}",
                "-log-level=info",
            ],
            log=self._folder / "flagger.log",
        )
        try:
            until(lambda: "Started operator workers" in self.program.output(), what="Flagger", running=self.program)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.program.stop()
        self.prometheus.__exit__(kind, error, trace)


def analysis(**fields: Any) -> Json:
    """An analysis at the fastest pace that Flagger takes, judged by the two templates; `fields` replace some of it."""
    return {
        "interval": "10s",
        "threshold": 1,
        "stepWeight": 25,
        "maxWeight": 50,
        "metrics": [
            {
                "name": "error-rate",
                "templateRef": {"name": "error-rate"},
                "interval": "10s",
                "thresholdRange": {"max": 5},
            },
            {"name": "latency", "templateRef": {"name": "latency"}, "interval": "10s", "thresholdRange": {"max": 500}},
        ],
        **fields,
    }
