"""Canary: what is released, how it is reached, how it is judged; and the state of its rollout."""

from typing import Annotated

from msgspec import Meta

from ..meta import Object, Value
from .analysis import CanaryAnalysis
from .schema import Column, DateTime, Number, Positive, enum, kinds
from .service import CanaryService

#: The columns that `kubectl get canaries` prints; they are Flagger's.
PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {
    "Canary": (
        ("Status", "string", ".status.phase", 0),
        ("Weight", "string", ".status.canaryWeight", 0),
        ("Suspended", "boolean", ".spec.suspend", 1),
        ("FailedChecks", "string", ".status.failedChecks", 1),
        ("Interval", "string", ".spec.analysis.interval", 1),
        ("Mirror", "boolean", ".spec.analysis.mirror", 1),
        ("StepWeight", "string", ".spec.analysis.stepWeight", 1),
        ("StepWeights", "string", ".spec.analysis.stepWeights", 1),
        ("MaxWeight", "string", ".spec.analysis.maxWeight", 1),
        ("LastTransitionTime", "string", ".status.lastTransitionTime", 0),
    ),
}


class TargetRef(Value):
    """The workload, scaler or route that a Canary refers to, in its own namespace."""

    api_version: str
    kind: str
    name: str


class ScalerReplicas(Value):
    """Bounds of the primary's autoscaler, when they differ from the target's."""

    min_replicas: Positive | None = None
    max_replicas: Positive | None = None


class AutoscalerRef(TargetRef):
    """The autoscaler of the target, which is cloned for the primary."""

    primary_scaler_queries: dict[str, str] = {}
    primary_scaler_replicas: ScalerReplicas | None = None


class UpstreamRef(TargetRef):
    """A Gloo Upstream (not used with the Gateway API)."""

    namespace: str | None = None


#: Traffic providers of Flagger; Headgate serves the two of the Gateway API.
PROVIDERS = (
    "apisix",
    "appmesh",
    "appmesh:v1beta2",
    "contour",
    "gatewayapi:v1",
    "gatewayapi:v1beta1",
    "gloo",
    "istio",
    "knative",
    "kubernetes",
    "kuma",
    "linkerd",
    "nginx",
    "osm",
    "skipper",
    "smi:v1alpha1",
    "smi:v1alpha2",
    "smi:v1alpha3",
    "traefik",
)


class CanarySpec(Value):
    """What is released, how it is reached, how it is judged."""

    target_ref: Annotated[TargetRef, kinds("DaemonSet", "Deployment", "Service")]
    analysis: Annotated[
        CanaryAnalysis,
        Meta(
            extra_json_schema={
                "oneOf": [
                    {"required": ["interval", "threshold", "iterations"]},
                    {"required": ["interval", "threshold", "stepWeight"]},
                    {"required": ["interval", "threshold", "stepWeights"]},
                ]
            }
        ),
    ]
    provider: Annotated[str, enum(*PROVIDERS)] | None = None
    metrics_server: str | None = None
    progress_deadline_seconds: Number | None = None
    autoscaler_ref: Annotated[AutoscalerRef, kinds("HorizontalPodAutoscaler", "ScaledObject")] | None = None
    ingress_ref: Annotated[TargetRef, kinds("Ingress")] | None = None
    route_ref: Annotated[TargetRef, kinds("ApisixRoute")] | None = None
    upstream_ref: Annotated[UpstreamRef, kinds("Upstream")] | None = None
    service: CanaryService | None = None
    skip_analysis: bool = False
    revert_on_deletion: bool = False
    suspend: bool = False


class CanaryCondition(Value):
    """A condition in Flagger's shape: with `lastUpdateTime`, without `observedGeneration`."""

    type: str
    status: str
    reason: str
    message: str = ""
    last_update_time: DateTime | None = None
    last_transition_time: DateTime | None = None


#: Phases of a Canary.
PHASES = (
    "",
    "Initializing",
    "Initialized",
    "Waiting",
    "Progressing",
    "WaitingPromotion",
    "Promoting",
    "Finalising",
    "Succeeded",
    "Failed",
    "Terminating",
    "Terminated",
)


class CanaryStatus(Value):
    """The state of a rollout. `canary_weight` is the weight that the route has, or is about to get."""

    phase: Annotated[str, enum(*PHASES)] = ""
    failed_checks: Number = 0
    canary_weight: Number = 0
    iterations: Number = 0
    tracked_configs: dict[str, str] | None = None
    last_applied_spec: str = ""
    last_promoted_spec: str = ""
    last_transition_time: DateTime | None = None
    session_affinity_cookie: str | None = None
    primary_session_affinity_cookie: str | None = None
    previous_session_affinity_cookie: str | None = None
    conditions: tuple[CanaryCondition, ...] = ()


class Canary(Object, kw_only=True):
    """Releases new revisions of a workload step by step."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "Canary"
    spec: CanarySpec
    status: CanaryStatus = CanaryStatus()
