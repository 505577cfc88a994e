"""The series that the rollout controller exports, with Flagger's names and labels, so that dashboards and alerts work.

Unlike Flagger's, a Canary in flight (also one that waits or is promoted) is not reported as successful, and the series
of a deleted Canary are removed.
"""

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from headgate.api.delivery import Canary
from headgate.rollout import strategies
from headgate.rollout.effects import CountRollout, ObserveMetric

RUNNING, SUCCEEDED, FAILED = 0, 1, 2

_STATUS = {"Initialized": SUCCEEDED, "Succeeded": SUCCEEDED, "Failed": FAILED}


class RolloutMetrics:
    """The exported series of one controller."""

    def __init__(self, registry: CollectorRegistry) -> None:
        target = ["name", "namespace"]
        ended = [*target, "deployment_strategy", "analysis_status"]
        self.info = Gauge("flagger_info", "Version and provider", ["version", "mesh_provider"], registry=registry)
        self.total = Gauge("flagger_canary_total", "Canaries", ["namespace"], registry=registry)
        self.status = Gauge(
            "flagger_canary_status", "Last outcome: 0 running, 1 successful, 2 failed", target, registry=registry
        )
        self.weight = Gauge(
            "flagger_canary_weight", "Weight of a workload", ["workload", "namespace"], registry=registry
        )
        self.duration = Histogram(
            "flagger_canary_duration_seconds", "Seconds that one look at a canary took", target, registry=registry
        )
        self.analysis = Gauge(
            "flagger_canary_metric_analysis", "Last value of a metric", [*target, "metric"], registry=registry
        )
        self.successes = Counter("flagger_canary_successes", "Promoted releases", ended, registry=registry)
        self.failures = Counter("flagger_canary_failures", "Failed releases", ended, registry=registry)

    def started(self, provider: str) -> None:
        """Export that the controller runs."""
        self.info.labels(version("headgate"), provider).set(1)

    def observe(self, canary: Canary) -> None:
        """Export the state of a Canary. In an A/B test the weight is that of the requests that meet a condition."""
        target, namespace, status = canary.spec.target_ref.name, canary.metadata.namespace, canary.status
        split = strategies.split_at(canary, strategies.progress(status))
        weight = round(100 * split.canary)
        self.status.labels(target, namespace).set(_STATUS.get(status.phase, RUNNING))
        self.weight.labels(f"{target}-primary", namespace).set(100 - weight)
        self.weight.labels(target, namespace).set(weight)

    def forget(self, canary: Canary) -> None:
        """Remove the series of a deleted Canary."""
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

    def count_rollout(self, canary: Canary, effect: CountRollout) -> None:
        """Count the end of a rollout."""
        counter = self.successes if effect.outcome == "success" else self.failures
        counter.labels(canary.spec.target_ref.name, canary.metadata.namespace, effect.strategy, effect.analysis).inc()

    def observe_metric(self, canary: Canary, effect: ObserveMetric) -> None:
        """Export the value of a metric of the analysis."""
        labels = canary.spec.target_ref.name, canary.metadata.namespace, effect.metric
        self.analysis.labels(*labels).set(effect.value)
