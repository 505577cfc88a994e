"""What stands in the way of a rollout and needs a human: a field that asks for something we do not do, or that
contradicts itself. Each problem names the field, what is there and what would work; it becomes an event and the
condition `Accepted` (status False) on the Canary, never silence.
"""

from collections.abc import Iterator

import msgspec

from headgate.api.delivery import Canary

from . import go
from .settings import Settings

#: Providers whose Canaries are ours; all others belong to another controller and are left alone.
OURS = frozenset({"gatewayapi:v1", "gatewayapi:v1beta1"})


class Problem(msgspec.Struct, frozen=True):
    """A field that keeps a Canary from being released, and why."""

    path: str
    message: str
    reason: str = "Unsupported"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class RefusedError(ValueError):
    """Raised by the leaves that read a field they cannot follow; `problem` says which and why."""

    def __init__(self, path: str, message: str, reason: str = "Invalid") -> None:
        self.problem = Problem(path, message, reason)
        super().__init__(str(self.problem))


def is_ours(canary: Canary, settings: Settings) -> bool:
    """Whether this controller releases the Canary at all."""
    return (canary.spec.provider or settings.mesh_provider) in OURS


def problems(canary: Canary, settings: Settings) -> tuple[Problem, ...]:
    """Everything in the spec that we cannot do."""
    return (*_unsupported(canary), *_contradictions(canary, settings))


def _unsupported(canary: Canary) -> Iterator[Problem]:
    spec, analysis = canary.spec, canary.spec.analysis
    later = "is not supported yet; remove it"
    if spec.target_ref.kind != "Deployment":
        yield Problem("spec.targetRef.kind", f"{spec.target_ref.kind} {later} or name a Deployment")
    if spec.autoscaler_ref:
        yield Problem("spec.autoscalerRef", f"{spec.autoscaler_ref.kind} {later}")
    if analysis.iterations > 0:
        strategy = "A/B testing" if analysis.match else "blue/green"
        yield Problem("spec.analysis.iterations", f"{strategy} {later} and set stepWeight or stepWeights")
    elif analysis.match:
        yield Problem("spec.analysis.match", f"A/B testing {later}")
    if analysis.mirror:
        yield Problem("spec.analysis.mirror", f"mirroring {later}")
    if analysis.session_affinity:
        yield Problem("spec.analysis.sessionAffinity", f"session affinity {later}")
    for index, webhook in enumerate(analysis.webhooks):
        yield Problem(f"spec.analysis.webhooks[{index}]", f"webhook {webhook.name!r} {later}")
    for index, alert in enumerate(analysis.alerts):
        yield Problem(f"spec.analysis.alerts[{index}]", f"alert {alert.name!r} {later}")
    if spec.service and spec.service.retries:
        yield Problem("spec.service.retries", f"retries in Istio's words {later}, or set `retry` on the HTTPRoute")


def _contradictions(canary: Canary, settings: Settings) -> Iterator[Problem]:
    spec, analysis = canary.spec, canary.spec.analysis
    if spec.service is None:
        yield Problem("spec.service", "is missing; set at least service.port", "Invalid")
    if not spec.skip_analysis and analysis.iterations <= 0:
        if not analysis.step_weights and analysis.step_weight <= 0:
            message = f"is {analysis.step_weight}; a positive step, or stepWeights, is needed to ever finish"
            yield Problem("spec.analysis.stepWeight", message, "Invalid")
        elif analysis.step_weight <= 0 and not any(weight > 0 for weight in analysis.step_weights):
            yield Problem("spec.analysis.stepWeights", "has no positive weight; [10, 50] would work", "Invalid")
    for index, metric in enumerate(analysis.metrics):
        path = f"spec.analysis.metrics[{index}]"
        if metric.interval:
            try:
                go.seconds(metric.interval)
            except ValueError as error:
                yield Problem(f"{path}.interval", str(error), "Invalid")
        template = metric.template_ref
        if (
            settings.no_cross_namespace_refs
            and template
            and template.namespace
            not in (
                None,
                canary.metadata.namespace,
            )
        ):
            message = f"{template.namespace!r}: references to other namespaces are switched off here"
            yield Problem(f"{path}.templateRef.namespace", message, "RefNotPermitted")
