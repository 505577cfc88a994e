"""What the rollout controller exports to Prometheus: Flagger's names and labels, so dashboards and alerts stay valid.

Unlike Flagger's, a Canary on its way (also while waiting or promoting) is not reported as successful, and the series
of a deleted Canary go with it.
"""

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headgate.api.delivery import Canary
from headgate.rollout.effects import Count, Measured

RUNNING, SUCCEEDED, FAILED = 0, 1, 2

_STATUS = {"Initialized": SUCCEEDED, "Succeeded": SUCCEEDED, "Failed": FAILED}


class RolloutMetrics:
    """The exported series of one controller."""

    def __init__(self, registry: CollectorRegistry) -> None:
        named = ["name", "namespace"]
        ended = [*named, "deployment_strategy", "analysis_status"]
        self.info = Gauge("flagger_info", "Version and provider", ["version", "mesh_provider"], registry=registry)
        self.total = Gauge("flagger_canary_total", "Canaries", ["namespace"], registry=registry)
        self.status = Gauge(
            "flagger_canary_status", "Last outcome: 0 running, 1 successful, 2 failed", named, registry=registry
        )
        self.weight = Gauge(
            "flagger_canary_weight", "Weight of a workload", ["workload", "namespace"], registry=registry
        )
        self.duration = Histogram(
            "flagger_canary_duration_seconds", "Seconds that one look at a canary took", named, registry=registry
        )
        self.analysis = Gauge(
            "flagger_canary_metric_analysis", "Last value of a metric", [*named, "metric"], registry=registry
        )
        self.successes = Counter("flagger_canary_successes", "Promoted releases", ended, registry=registry)
        self.failures = Counter("flagger_canary_failures", "Failed releases", ended, registry=registry)

    def started(self, provider: str) -> None:
        """The controller runs."""
        self.info.labels(version("headgate"), provider).set(1)

    def seen(self, canary: Canary) -> None:
        """The state of a Canary."""
        target, namespace, status = canary.spec.target_ref.name, canary.metadata.namespace, canary.status
        self.status.labels(target, namespace).set(_STATUS.get(status.phase, RUNNING))
        self.weight.labels(f"{target}-primary", namespace).set(100 - status.canary_weight)
        self.weight.labels(target, namespace).set(status.canary_weight)

    def gone(self, canary: Canary) -> None:
        """A Canary was deleted."""
        target, namespace = canary.spec.target_ref.name, canary.metadata.namespace
        for gauge, labels in (
            (self.status, (target, namespace)),
            (self.weight, (f"{target}-primary", namespace)),
            (self.weight, (target, namespace)),
            (self.duration, (target, namespace)),
            *((self.analysis, (target, namespace, metric.name)) for metric in canary.spec.analysis.metrics),
        ):
            try:
                gauge.remove(*labels)
            except KeyError:
                continue  # never set

    def counted(self, canary: Canary, count: Count) -> None:
        """A release ended."""
        counter = self.successes if count.outcome == "success" else self.failures
        counter.labels(canary.spec.target_ref.name, canary.metadata.namespace, count.strategy, count.analysis).inc()

    def measured(self, canary: Canary, measured: Measured) -> None:
        """A metric was measured."""
        labels = canary.spec.target_ref.name, canary.metadata.namespace, measured.metric
        self.analysis.labels(*labels).set(measured.value)
