"""ReplicaSet -> pods: as many active pods as `spec.replicas`, and the status."""

from collections.abc import Iterable
from typing import Any

import msgspec

from headgate.api import apps
from headgate.api.core import Pod

from . import owners, pods
from .effects import Create, Decision, Effect, EmitEvent, Patch, delete, earliest, patch_status
from .views import ReplicaSet

#: The most pods that one decision creates or deletes; the next decision continues.
BURST = 500


def decide(replica_set: ReplicaSet, candidates: Iterable[Pod], now: float) -> Decision:
    """Decide for one ReplicaSet. `candidates` are pods of its namespace, at least its own and orphans."""
    ownership = owners.owned_objects(replica_set, replica_set.spec.selector, candidates)
    owned: tuple[Pod, ...] = ownership.owned
    active = [pod for pod in owned if pods.is_active(pod)]
    changes: tuple[Effect, ...] = ()
    # Pods that are adopted now are counted by the next decision. Scaling before that would be wrong by their number.
    if replica_set.metadata.deletion_timestamp is None and not ownership.patches:
        changes = tuple(_scale(replica_set, active))
    status = _status(replica_set, owned, now)
    reports = () if status == replica_set.status else (_report(replica_set, status),)
    return Decision((*ownership.patches, *changes, *reports), _next_availability(replica_set, active, now))


def _scale(replica_set: ReplicaSet, active: list[Pod]) -> Iterable[Effect]:
    missing = replica_set.spec.replicas - len(active)
    if missing > 0:
        body = _new_pod(replica_set)
        for _ in range(min(missing, BURST)):
            yield Create(Pod, body)
    else:
        for pod in pods.deletion_order(active)[: min(-missing, BURST)]:
            yield delete(pod)
            yield EmitEvent(replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.metadata.name}")


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


def _status(replica_set: ReplicaSet, owned: Iterable[Pod], now: float) -> apps.ReplicaSetStatus:
    owned = list(owned)
    active = [pod for pod in owned if pods.is_active(pod)]
    labels = ((replica_set.spec.template.get("metadata") or {}).get("labels") or {}).items()
    wait = replica_set.spec.min_ready_seconds
    return apps.ReplicaSetStatus(
        replicas=len(active),
        fully_labeled_replicas=sum(labels <= pod.metadata.labels.items() for pod in active),
        ready_replicas=sum(pods.is_ready(pod) for pod in active),
        available_replicas=sum(pods.is_available(pod, wait, now) for pod in active),
        terminating_replicas=sum(pods.is_terminating(pod) for pod in owned),
        observed_generation=replica_set.metadata.generation,
        conditions=replica_set.status.conditions,
    )


def _report(replica_set: ReplicaSet, status: apps.ReplicaSetStatus) -> Patch:
    """A patch of the fields of the status; those without a value are removed. The API requires `replicas`, also 0."""
    was, now = msgspec.to_builtins(replica_set.status), msgspec.to_builtins(status) | {"replicas": status.replicas}
    return patch_status(replica_set, {name: now.get(name) for name in sorted(was.keys() | now.keys())})


def _next_availability(replica_set: ReplicaSet, active: Iterable[Pod], now: float) -> float | None:
    return earliest(pods.available_later(pod, replica_set.spec.min_ready_seconds, now) for pod in active)
