"""Predicates of pods (active, ready, available), and the order in which a ReplicaSet deletes them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from headgate.api.core import Pod
from headgate.api.times import seconds

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def is_active(pod: Pod) -> bool:
    """Whether it has neither ended nor is being deleted, so that it is one of the replicas."""
    return pod.status.phase not in ("Succeeded", "Failed") and pod.metadata.deletion_timestamp is None


def is_terminating(pod: Pod) -> bool:
    """Whether it is being deleted and has not ended."""
    return pod.status.phase not in ("Succeeded", "Failed") and pod.metadata.deletion_timestamp is not None


def is_ready(pod: Pod) -> bool:
    """Whether its Ready condition is True."""
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)


def ready_since(pod: Pod) -> float | None:
    """When it became ready, in seconds since 1970; None if it is not ready."""
    since = (c.last_transition_time for c in pod.status.conditions if c.type == "Ready" and c.status == "True")
    return next((seconds(time) or 0.0 for time in since), None)


def is_available(pod: Pod, min_ready_seconds: int, now: float) -> bool:
    """Whether it has been ready for `min_ready_seconds`."""
    since = ready_since(pod)
    return since is not None and (min_ready_seconds == 0 or since + min_ready_seconds <= now)


def available_later(pod: Pod, min_ready_seconds: int, now: float) -> float | None:
    """When a pod that is ready but not yet available becomes available; None for other pods."""
    since = ready_since(pod)
    return None if since is None or is_available(pod, min_ready_seconds, now) else since + min_ready_seconds


def deletion_order(pods: Iterable[Pod]) -> list[Pod]:
    """The pods in the order in which a ReplicaSet deletes them, as kube-controller-manager's.

    First those without a node, then pending, then unknown ones; not ready; with a lower pod-deletion-cost annotation;
    with more of them on the same node; ready for a shorter time; with more restarts; younger; at last by name.
    """
    pods = list(pods)
    neighbours = Counter(pod.spec.node_name for pod in pods)

    def rank(pod: Pod) -> tuple[Any, ...]:
        return (
            bool(pod.spec.node_name),
            {"Pending": 0, "": 0, "Unknown": 1}.get(pod.status.phase, 2),
            is_ready(pod),
            _cost(pod),
            -neighbours[pod.spec.node_name],
            -(ready_since(pod) or 0.0),
            -max((status.restart_count for status in pod.status.container_statuses), default=0),
            -(seconds(pod.metadata.creation_timestamp) or 0.0),
            pod.metadata.name,
        )

    return sorted(pods, key=rank)


def _cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0
