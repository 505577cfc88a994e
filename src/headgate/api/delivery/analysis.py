"""`spec.analysis` of a Canary: how a new revision is judged and gets traffic."""

from typing import Annotated

from msgspec import Meta, field

from ..meta import Value
from .schema import Interval, Number, enum
from .service import HeaderMatch, ServiceMatch


class AnalysisMatch(Value):
    """Which requests go to the canary in an A/B test."""

    headers: dict[str, HeaderMatch] = {}
    query_params: dict[str, ServiceMatch] = {}
    source_labels: dict[str, str] = {}


class ThresholdRange(Value):
    """The values of a metric that pass, bounds included."""

    min: float | None = None
    max: float | None = None


class TemplateRef(Value):
    """A MetricTemplate; without namespace the Canary's."""

    name: str
    namespace: str | None = None


class CanaryMetric(Value):
    """A check of the analysis: a built-in metric, an inline query, or a MetricTemplate."""

    name: str
    interval: Interval | None = None
    threshold: float | None = None
    threshold_range: ThresholdRange | None = None
    query: str | None = None
    template_ref: TemplateRef | None = None
    template_variables: dict[str, str] = {}


class ProviderRef(Value):
    """An AlertProvider; without namespace the Canary's."""

    name: str
    namespace: str | None = None


class CanaryAlert(Value):
    """Which alerts go to which provider."""

    name: str
    provider_ref: ProviderRef
    severity: Annotated[str, enum("", "info", "warn", "error")] | None = None


class CanaryWebhook(Value):
    """A check, gate or notification over HTTP."""

    name: str
    url: Annotated[str, Meta(extra_json_schema={"format": "url"})]
    type: (
        Annotated[
            str,
            enum(
                "",
                "confirm-rollout",
                "pre-rollout",
                "rollout",
                "confirm-promotion",
                "post-rollout",
                "event",
                "rollback",
                "confirm-traffic-increase",
            ),
        ]
        | None
    ) = None
    mute_alert: bool | None = None
    timeout: Interval | None = None
    retries: Number | None = None
    disable_tls: bool | None = field(default=None, name="disableTLS")
    metadata: dict[str, str] = {}


class SessionAffinity(Value):
    """Cookies that keep a client on the version that it saw first."""

    cookie_name: str
    primary_cookie_name: str | None = None
    domain: str | None = None
    http_only: bool | None = None
    max_age: Number = 86400
    partitioned: bool | None = None
    path: str | None = None
    same_site: Annotated[str, enum("Strict", "Lax", "None")] | None = None
    secure: bool | None = None


class CanaryAnalysis(Value):
    """How a new revision is judged and how fast it gets traffic."""

    interval: Interval = ""
    threshold: Number = 0
    iterations: Number = 0
    max_weight: Number = 0
    step_weight: Number = 0
    step_weights: tuple[Number, ...] = ()
    step_weight_promotion: Number = 0
    mirror: bool = False
    mirror_weight: Number | None = None
    primary_ready_threshold: Number | None = None
    canary_ready_threshold: Number | None = None
    match: tuple[AnalysisMatch, ...] = ()
    metrics: tuple[CanaryMetric, ...] = ()
    alerts: tuple[CanaryAlert, ...] = ()
    webhooks: tuple[CanaryWebhook, ...] = ()
    session_affinity: SessionAffinity | None = None
