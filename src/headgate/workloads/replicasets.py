"""ReplicaSet -> Pods: as many active pods as it asks for, and its status."""

from collections.abc import Iterable
from typing import Any

import msgspec

from headgate.api import apps
from headgate.api.core import Pod

from . import owners, pods
from .effects import Create, Decision, Effect, Patch, Say, delete, earliest, report
from .views import ReplicaSet

#: Pods created or deleted by one decision; the next one goes on.
BURST = 500


def decide(replica_set: ReplicaSet, candidates: Iterable[Pod], now: float) -> Decision:
    """What to do for one ReplicaSet. `candidates` are the pods of its namespace (others than its own may be left out
    as long as orphans are among them).
    """
    claim = owners.claim(replica_set, replica_set.spec.selector, candidates)
    mine: tuple[Pod, ...] = claim.ours
    active = [pod for pod in mine if pods.is_active(pod)]
    changes: tuple[Effect, ...] = ()
    # What is adopted now counts from the next decision on: creating or deleting before would be one too many.
    if replica_set.metadata.deletion_timestamp is None and not claim.patches:
        changes = tuple(_scale(replica_set, active))
    status = _status(replica_set, mine, now)
    reports = () if status == replica_set.status else (_report(replica_set, status),)
    return Decision((*claim.patches, *changes, *reports), _again(replica_set, active, now))


def _scale(replica_set: ReplicaSet, active: list[Pod]) -> Iterable[Effect]:
    missing = replica_set.spec.replicas - len(active)
    if missing > 0:
        body = _new_pod(replica_set)
        for _ in range(min(missing, BURST)):
            yield Create(Pod, replica_set.metadata.namespace, body)
    else:
        for pod in pods.deletion_order(active)[: min(-missing, BURST)]:
            yield delete(pod)
            yield Say(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")


def _new_pod(replica_set: ReplicaSet) -> dict[str, Any]:
    template = replica_set.spec.template
    metadata = {
        name: value
        for name, value in (template.get("metadata") or {}).items()
        if name in ("labels", "annotations", "finalizers") and value
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **metadata,
            "generateName": f"{replica_set.metadata.name}-",
            "namespace": replica_set.metadata.namespace,
            "ownerReferences": [owners.reference(replica_set)],
        },
        "spec": template.get("spec") or {},
    }


def _status(replica_set: ReplicaSet, mine: Iterable[Pod], now: float) -> apps.ReplicaSetStatus:
    mine = list(mine)
    active = [pod for pod in mine if pods.is_active(pod)]
    labels = ((replica_set.spec.template.get("metadata") or {}).get("labels") or {}).items()
    wait = replica_set.spec.min_ready_seconds
    return apps.ReplicaSetStatus(
        replicas=len(active),
        fully_labeled_replicas=sum(labels <= pod.metadata.labels.items() for pod in active),
        ready_replicas=sum(pods.is_ready(pod) for pod in active),
        available_replicas=sum(pods.is_available(pod, wait, now) for pod in active),
        terminating_replicas=sum(pods.is_terminating(pod) for pod in mine),
        observed_generation=replica_set.metadata.generation,
        conditions=replica_set.status.conditions,
    )


def _report(replica_set: ReplicaSet, status: apps.ReplicaSetStatus) -> Patch:
    """The fields of the status; one that is no longer there is removed. `replicas` is required by the API, also 0."""
    was, now = msgspec.to_builtins(replica_set.status), msgspec.to_builtins(status) | {"replicas": status.replicas}
    return report(replica_set, {name: now.get(name) for name in sorted(was.keys() | now.keys())})


def _again(replica_set: ReplicaSet, active: Iterable[Pod], now: float) -> float | None:
    return earliest(pods.available_later(pod, replica_set.spec.min_ready_seconds, now) for pod in active)
