"""Kinds of the group `flagger.app/v1beta1`: Canary, MetricTemplate, AlertProvider, with Flagger 1.44's fields."""

from typing import Any

from .meta import Object, Value


class CanarySpec(Value):
    """Placeholder until the rollout room is furnished."""


class Canary(Object):
    """A release of a workload."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "Canary"
    spec: CanarySpec = CanarySpec()


class MetricTemplate(Object):
    """A query to a metrics provider."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "MetricTemplate"
    spec: dict[str, Any] = {}


class AlertProvider(Object):
    """Where alerts go."""

    api_version: str = "flagger.app/v1beta1"
    kind: str = "AlertProvider"
    spec: dict[str, Any] = {}
