"""MetricTemplate and AlertProvider: the systems that a Canary queries and informs."""

from typing import Annotated

from msgspec import Meta

from ..meta import Object, Value
from .schema import Column, enum

#: The columns that `kubectl get` prints; they are Flagger's.
PRINTER_COLUMNS: dict[str, tuple[Column, ...]] = {
    "MetricTemplate": (("Provider", "string", ".spec.provider.type", 0),),
    "AlertProvider": (("Type", "string", ".spec.type", 0),),
}


class SecretRef(Value):
    """A Secret in the namespace of the object that refers to it."""

    name: str


class MetricProvider(Value):
    """A metrics provider: its type, its address, and how it is queried."""

    type: Annotated[
        str,
        enum(
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

    type: Annotated[str, enum("slack", "msteams", "discord", "rocket", "gchat")]
    channel: str | None = None
    username: str | None = None
    address: str | None = None
    proxy: str | None = None
    secret_ref: SecretRef | None = None


class AlertProvider(Object, kw_only=True):
    """A system that receives alerts."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "AlertProvider"
    spec: Annotated[
        AlertProviderSpec,
        Meta(extra_json_schema={"oneOf": [{"required": ["type", "address"]}, {"required": ["type", "secretRef"]}]}),
    ]
