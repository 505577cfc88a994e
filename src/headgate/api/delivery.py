"""Kinds of the group `flagger.app/v1beta1`: Canary, MetricTemplate, AlertProvider, with the fields of Flagger 1.44.

Schema details that a type alone cannot say (enumerations, patterns, `oneOf`) stand as
`Annotated[..., Meta(extra_json_schema=...)]` at the field: the generated CustomResourceDefinition carries them,
decoding ignores them, because a value that this version does not know must become a condition and not a decoding
error.
The columns that `kubectl get` prints are `PRINTER_COLUMNS`.

Numbers: the schema says `number` where Flagger's does, our attributes are integers where only integers make sense.
"""

from typing import Annotated, Any

from msgspec import Meta, field

from .meta import Object, Value

GROUP = "flagger.app"

#: kind -> (column, type, JSON path, priority); priority 1 is shown by `kubectl get -o wide` only.
PRINTER_COLUMNS: dict[str, tuple[tuple[str, str, str, int], ...]] = {
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
    "MetricTemplate": (("Provider", "string", ".spec.provider.type", 0),),
    "AlertProvider": (("Type", "string", ".spec.type", 0),),
}


def _enum(*values: str) -> Meta:
    return Meta(extra_json_schema={"enum": list(values)})


def _kinds(*values: str) -> Meta:
    return Meta(extra_json_schema={"properties": {"kind": {"type": "string", "enum": list(values)}}})


def _one_of(*fields: str) -> list[dict[str, Any]]:
    return [{"required": [name]} for name in fields]


def _at_most_one_of(*fields: str) -> Meta:
    return Meta(extra_json_schema={"oneOf": [{"not": {"anyOf": _one_of(*fields)}}, *_one_of(*fields)]})


_Number = Annotated[int, Meta(extra_json_schema={"type": "number"})]
_Interval = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9]+(m|s)"})]
_DateTime = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
_Free = Annotated[dict[str, Any], Meta(extra_json_schema={"x-kubernetes-preserve-unknown-fields": True})]
_Positive = Annotated[int, Meta(extra_json_schema={"minimum": 1})]
_DNSName = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_DNSSubdomain = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_GroupName = Annotated[
    str,
    Meta(
        extra_json_schema={
            "maxLength": 253,
            "pattern": r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        }
    ),
]
_KindName = Annotated[
    str, Meta(extra_json_schema={"minLength": 1, "maxLength": 63, "pattern": "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"})
]
_ObjectName = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": 253})]
_NamespaceName = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": 63, "pattern": _DNSName})]
_SectionName = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": 253, "pattern": _DNSSubdomain})]
_PortNumber = Annotated[int, Meta(extra_json_schema={"format": "int32", "minimum": 1, "maximum": 65535})]


class TargetRef(Value):
    """The workload, scaler or route that a Canary refers to, in its own namespace."""

    api_version: str
    kind: str
    name: str


class ScalerReplicas(Value):
    """Bounds of the primary's autoscaler, when they differ from the target's."""

    min_replicas: _Positive | None = None
    max_replicas: _Positive | None = None


class AutoscalerRef(TargetRef):
    """The autoscaler of the target, which is cloned for the primary."""

    primary_scaler_queries: dict[str, str] = {}
    primary_scaler_replicas: ScalerReplicas | None = None


class UpstreamRef(TargetRef):
    """A Gloo Upstream (not used with the Gateway API)."""

    namespace: str | None = None


class StringMatch(Value):
    """A string condition: one of exact, prefix, suffix (A/B headers only) and regex."""

    exact: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    regex: str | None = None


_ServiceMatch = Annotated[StringMatch, _at_most_one_of("exact", "prefix", "regex")]
_HeaderMatch = Annotated[StringMatch, Meta(extra_json_schema={"oneOf": _one_of("exact", "prefix", "suffix", "regex")})]
_OriginMatch = Annotated[StringMatch, Meta(extra_json_schema={"oneOf": _one_of("exact", "prefix", "regex")})]


class HTTPMatchRequest(Value):
    """A condition on requests in the words of Istio's VirtualService; the Gateway API knows some of them."""

    name: str | None = None
    uri: _ServiceMatch | None = None
    scheme: _ServiceMatch | None = None
    method: _ServiceMatch | None = None
    authority: _ServiceMatch | None = None
    headers: dict[str, _ServiceMatch] = {}
    query_params: dict[str, _ServiceMatch] = {}
    without_headers: dict[str, _ServiceMatch] = {}
    ignore_uri_case: bool | None = None
    port: int | None = None
    gateways: tuple[str, ...] = ()
    source_labels: dict[str, str] = {}
    source_namespace: str | None = None


class AnalysisMatch(Value):
    """Which requests go to the canary in an A/B test."""

    headers: dict[str, _HeaderMatch] = {}
    query_params: dict[str, _ServiceMatch] = {}
    source_labels: dict[str, str] = {}


class HTTPRewrite(Value):
    """A new path (type ReplacePrefixMatch, else the full path is replaced) or host."""

    uri: str | None = None
    authority: str | None = None
    type: str | None = None


class HTTPRetry(Value):
    """When a request is tried again (Istio's words)."""

    attempts: Annotated[int, Meta(extra_json_schema={"format": "int32"})] | None = None
    per_try_timeout: str | None = None
    retry_on: str | None = None


class HeaderOperations(Value):
    """Headers to add, set and remove."""

    add: dict[str, str] = {}
    set: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class Headers(Value):
    """Operations on the headers of requests and of responses."""

    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


class MirrorBackendRef(Value):
    """The Service that gets a copy of every request."""

    name: _ObjectName
    group: Annotated[_GroupName, Meta(extra_json_schema={"default": ""})] = ""
    kind: _KindName = "Service"
    namespace: _NamespaceName | None = None
    port: _PortNumber | None = None


class Mirror(Value):
    """A permanent mirror of the traffic."""

    backend_ref: Annotated[
        MirrorBackendRef,
        Meta(
            extra_json_schema={
                "x-kubernetes-validations": [
                    {
                        "message": "Must have port for Service reference",
                        "rule": "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
                    }
                ]
            }
        ),
    ]


class GatewayRef(Value):
    """A parent of the HTTPRoute."""

    name: _ObjectName
    group: _GroupName = "gateway.networking.k8s.io"
    kind: _KindName = "Gateway"
    namespace: _NamespaceName | None = None
    section_name: _SectionName | None = None
    port: _PortNumber | None = None


class CorsPolicy(Value):
    """Cross-origin rules in Istio's words; `max_age` is a duration."""

    allow_origin: tuple[str, ...] = ()
    allow_origins: tuple[_OriginMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool | None = None
    max_age: str | None = None


class CustomMetadata(Value):
    """Labels and annotations for one of the generated Services."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class UnmanagedMetadata(Value):
    """Keys on the generated Services that the controller must not touch."""

    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


class CanaryService(Value):
    """The Services and the HTTPRoute of a Canary."""

    port: _Number
    name: str | None = None
    port_name: str | None = None
    target_port: Annotated[int | str, Meta(extra_json_schema={"x-kubernetes-int-or-string": True})] | None = None
    app_protocol: str | None = None
    traffic_distribution: Annotated[str, _enum("PreferClose", "PreferSameZone", "PreferSameNode")] | None = None
    port_discovery: bool | None = None
    headless: bool | None = None
    timeout: str | None = None
    backend_timeout: str | None = None
    gateways: tuple[str, ...] = ()
    gateway_refs: Annotated[tuple[GatewayRef, ...], Meta(extra_json_schema={"maxItems": 32})] = ()
    hosts: tuple[str, ...] = ()
    delegation: bool | None = None
    traffic_policy: _Free | None = None
    match: tuple[HTTPMatchRequest, ...] = ()
    rewrite: HTTPRewrite | None = None
    retries: HTTPRetry | None = None
    headers: Headers | None = None
    mirror: tuple[Mirror, ...] = ()
    cors_policy: CorsPolicy | None = None
    mesh_name: str | None = None
    backends: tuple[str, ...] = ()
    apex: CustomMetadata | None = None
    primary: CustomMetadata | None = None
    canary: CustomMetadata | None = None
    unmanaged_metadata: UnmanagedMetadata | None = None


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
    interval: _Interval | None = None
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
    severity: Annotated[str, _enum("", "info", "warn", "error")] | None = None


class CanaryWebhook(Value):
    """A check, gate or notification over HTTP."""

    name: str
    url: Annotated[str, Meta(extra_json_schema={"format": "url"})]
    type: (
        Annotated[
            str,
            _enum(
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
    timeout: _Interval | None = None
    retries: _Number | None = None
    disable_tls: bool | None = field(default=None, name="disableTLS")
    metadata: dict[str, str] = {}


class SessionAffinity(Value):
    """Cookies that keep a client on the version that it saw first."""

    cookie_name: str
    primary_cookie_name: str | None = None
    domain: str | None = None
    http_only: bool | None = None
    max_age: _Number = 86400
    partitioned: bool | None = None
    path: str | None = None
    same_site: Annotated[str, _enum("Strict", "Lax", "None")] | None = None
    secure: bool | None = None


class CanaryAnalysis(Value):
    """How a new revision is judged and how fast it gets traffic."""

    interval: _Interval = ""
    threshold: _Number = 0
    iterations: _Number = 0
    max_weight: _Number = 0
    step_weight: _Number = 0
    step_weights: tuple[_Number, ...] = ()
    step_weight_promotion: _Number = 0
    mirror: bool = False
    mirror_weight: _Number | None = None
    primary_ready_threshold: _Number | None = None
    canary_ready_threshold: _Number | None = None
    match: tuple[AnalysisMatch, ...] = ()
    metrics: tuple[CanaryMetric, ...] = ()
    alerts: tuple[CanaryAlert, ...] = ()
    webhooks: tuple[CanaryWebhook, ...] = ()
    session_affinity: SessionAffinity | None = None


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

    target_ref: Annotated[TargetRef, _kinds("DaemonSet", "Deployment", "Service")]
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
    provider: Annotated[str, _enum(*PROVIDERS)] | None = None
    metrics_server: str | None = None
    progress_deadline_seconds: _Number | None = None
    autoscaler_ref: Annotated[AutoscalerRef, _kinds("HorizontalPodAutoscaler", "ScaledObject")] | None = None
    ingress_ref: Annotated[TargetRef, _kinds("Ingress")] | None = None
    route_ref: Annotated[TargetRef, _kinds("ApisixRoute")] | None = None
    upstream_ref: Annotated[UpstreamRef, _kinds("Upstream")] | None = None
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
    last_update_time: _DateTime | None = None
    last_transition_time: _DateTime | None = None


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
    """Where a release stands. `canary_weight` is the weight that the route has, or is about to get."""

    phase: Annotated[str, _enum(*PHASES)] = ""
    failed_checks: _Number = 0
    canary_weight: _Number = 0
    iterations: _Number = 0
    tracked_configs: dict[str, str] | None = None
    last_applied_spec: str = ""
    last_promoted_spec: str = ""
    last_transition_time: _DateTime | None = None
    session_affinity_cookie: str | None = None
    primary_session_affinity_cookie: str | None = None
    previous_session_affinity_cookie: str | None = None
    conditions: tuple[CanaryCondition, ...] = ()


class Canary(Object, kw_only=True):
    """A release of a workload, step by step."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "Canary"
    spec: CanarySpec
    status: CanaryStatus = CanaryStatus()


class SecretRef(Value):
    """A Secret in the namespace of the object that refers to it."""

    name: str


class MetricProvider(Value):
    """Which metrics backend, where, and how it is asked."""

    type: Annotated[
        str,
        _enum(
            "prometheus",
            "influxdb",
            "datadog",
            "externalmetrics",
            "stackdriver",
            "cloudwatch",
            "newrelic",
            "graphite",
            "dynatrace",
            "keptn",
            "splunk",
        ),
    ]
    address: str | None = None
    headers: dict[str, tuple[str, ...]] = {}
    secret_ref: SecretRef | None = None
    region: str | None = None
    insecure_skip_verify: bool = False


class MetricTemplateSpec(Value):
    """A provider and a query with placeholders such as `{{ namespace }}`."""

    provider: MetricProvider
    query: str


class MetricTemplate(Object, kw_only=True):
    """A query to a metrics provider."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "MetricTemplate"
    spec: MetricTemplateSpec


class AlertProviderSpec(Value):
    """Where alerts go: an address, or a Secret with the keys `address` and `token`."""

    type: Annotated[str, _enum("slack", "msteams", "discord", "rocket", "gchat")]
    channel: str | None = None
    username: str | None = None
    address: str | None = None
    proxy: str | None = None
    secret_ref: SecretRef | None = None


class AlertProvider(Object, kw_only=True):
    """Where alerts go."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "AlertProvider"
    spec: Annotated[
        AlertProviderSpec,
        Meta(extra_json_schema={"oneOf": [{"required": ["type", "address"]}, {"required": ["type", "secretRef"]}]}),
    ]
