"""What workloads ask of a pod: is it active, ready, available; and which one goes first."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from headgate.api.core import Pod
from headgate.api.times import seconds

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def is_active(pod: Pod) -> bool:
    """Neither ended nor being deleted: it counts as one of the replicas."""
    return pod.status.phase not in ("Succeeded", "Failed") and pod.metadata.deletion_timestamp is None


def is_terminating(pod: Pod) -> bool:
    """Being deleted, and not ended yet."""
    return pod.status.phase not in ("Succeeded", "Failed") and pod.metadata.deletion_timestamp is not None


def is_ready(pod: Pod) -> bool:
    """Its Ready condition is True."""
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)


def ready_since(pod: Pod) -> float | None:
    """Since when it is ready; None if it is not."""
    since = (c.last_transition_time for c in pod.status.conditions if c.type == "Ready" and c.status == "True")
    return next((seconds(time) or 0.0 for time in since), None)


def is_available(pod: Pod, min_ready_seconds: int, now: float) -> bool:
    """It has been ready for `min_ready_seconds`."""
    since = ready_since(pod)
    return since is not None and (min_ready_seconds == 0 or since + min_ready_seconds <= now)


def available_later(pod: Pod, min_ready_seconds: int, now: float) -> float | None:
    """When a pod that is ready, but not yet available, will be; None for all others."""
    since = ready_since(pod)
    return None if since is None or is_available(pod, min_ready_seconds, now) else since + min_ready_seconds


def deletion_order(pods: Iterable[Pod]) -> list[Pod]:
    """Which pods a ReplicaSet gives up first.

    Not assigned to a node, then pending, then unknown; not ready; cheaper by the annotation pod-deletion-cost; more of
    them on the same node; ready for a shorter time; more restarts; younger. The name decides the rest.
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
