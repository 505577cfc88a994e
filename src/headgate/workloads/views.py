"""Deployments and ReplicaSets with an undecoded pod template.

The types in `headgate.api` have only the fields that Headgate reads. A template is copied as a whole: fields that
Headgate does not know belong to the pods too, and a change of them is a new revision.
"""

from typing import Any

from headgate.api import apps
from headgate.api.meta import LabelSelector, Object, Value

Template = dict[str, Any]
"""A pod template, undecoded: `metadata` and `spec`."""


class DeploymentSpec(Value):
    """`apps.DeploymentSpec` with the whole template."""

    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: Template = {}
    strategy: apps.DeploymentStrategy = apps.DeploymentStrategy()
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    paused: bool = False
    progress_deadline_seconds: int = 600


class Deployment(Object):
    """A Deployment with the whole template."""

    api_version: str = "apps/v1"
    kind: str = "Deployment"
    spec: DeploymentSpec = DeploymentSpec()
    status: apps.DeploymentStatus = apps.DeploymentStatus()


class ReplicaSetSpec(Value):
    """`apps.ReplicaSetSpec` with the whole template."""

    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector = LabelSelector()
    template: Template = {}


class ReplicaSet(Object):
    """A ReplicaSet with the whole template."""

    api_version: str = "apps/v1"
    kind: str = "ReplicaSet"
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: apps.ReplicaSetStatus = apps.ReplicaSetStatus()
