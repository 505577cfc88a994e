"""The status of a Deployment: replica counts and the conditions Available and Progressing.

`kubectl rollout status` and Flagger read the reasons, so they are those of Kubernetes:
NewReplicaSetCreated, FoundNewReplicaSet, ReplicaSetUpdated, NewReplicaSetAvailable, ProgressDeadlineExceeded,
DeploymentPaused, DeploymentResumed; MinimumReplicasAvailable, MinimumReplicasUnavailable.
"""

from collections.abc import Iterable, Sequence

import msgspec

from headgate.api.apps import DeploymentCondition, DeploymentStatus
from headgate.api.times import rfc3339, seconds

from .views import Deployment, ReplicaSet

Conditions = tuple[DeploymentCondition, ...]

#: A `progressDeadlineSeconds` that means no deadline.
NO_DEADLINE = 2**31 - 1


def replica_counts(
    deployment: Deployment, replica_sets: Sequence[ReplicaSet], new: ReplicaSet | None, wanted: int
) -> DeploymentStatus:
    """The counts of the status, from those of the ReplicaSets; `wanted` is the sum of their `spec.replicas`."""
    available = sum(rs.status.available_replicas for rs in replica_sets)
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in replica_sets),
        updated_replicas=new.status.replicas if new else 0,
        ready_replicas=sum(rs.status.ready_replicas for rs in replica_sets),
        available_replicas=available,
        unavailable_replicas=max(0, wanted - available),
        terminating_replicas=sum(rs.status.terminating_replicas or 0 for rs in replica_sets),
        collision_count=deployment.status.collision_count,
        conditions=deployment.status.conditions,
    )


def find_condition(conditions: Iterable[DeploymentCondition], type_: str) -> DeploymentCondition | None:
    """The condition of a type; None if there is none."""
    return next((c for c in conditions if c.type == type_), None)


def set_condition(conditions: Conditions, type_: str, status: str, reason: str, message: str, now: float) -> Conditions:
    """The conditions with this one among them.

    They do not change if it has the same status and reason already. A new reason with the same status keeps
    `lastTransitionTime`.
    """
    old = find_condition(conditions, type_)
    if old and (old.status, old.reason) == (status, reason):
        return conditions
    return _put(conditions, type_, status, reason, message, now)


def _put(conditions: Conditions, type_: str, status: str, reason: str, message: str, now: float) -> Conditions:
    old = find_condition(conditions, type_)
    time = rfc3339(now)
    new = DeploymentCondition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_update_time=time,
        last_transition_time=old.last_transition_time if old and old.status == status else time,
    )
    return (*(c for c in conditions if c.type != type_), new)


def available(deployment: Deployment, status: DeploymentStatus, max_unavailable: int, now: float) -> Conditions:
    """The condition Available: at most `max_unavailable` of the replicas are unavailable."""
    if status.available_replicas >= deployment.spec.replicas - max_unavailable:
        return set_condition(
            status.conditions,
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            now,
        )
    return set_condition(
        status.conditions,
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
        now,
    )


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether all replicas are of the new ReplicaSet and available, and no old one is left."""
    wanted = deployment.spec.replicas
    return (
        status.updated_replicas == status.replicas == status.available_replicas == wanted
        and status.observed_generation >= deployment.metadata.generation
    )


def _advances(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    return (
        new.updated_replicas > old.updated_replicas
        or new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        or new.ready_replicas > old.ready_replicas
        or new.available_replicas > old.available_replicas
    )


def paused(deployment: Deployment, conditions: Conditions, now: float) -> Conditions:
    """Progressing is Unknown while a Deployment is paused; the deadline restarts when it is resumed."""
    if deployment.spec.progress_deadline_seconds == NO_DEADLINE:
        return conditions
    old = find_condition(conditions, "Progressing")
    if old and old.reason == "ProgressDeadlineExceeded":
        return conditions
    was_paused = old is not None and old.reason == "DeploymentPaused"
    if deployment.spec.paused and not was_paused:
        return set_condition(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if was_paused and not deployment.spec.paused:
        return set_condition(conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return conditions


def progressing(deployment: Deployment, status: DeploymentStatus, new_name: str, now: float) -> Conditions:
    """The condition Progressing; `new_name` is the name of the new ReplicaSet, empty if there is none."""
    conditions = status.conditions
    if deployment.spec.progress_deadline_seconds == NO_DEADLINE:
        return tuple(c for c in conditions if c.type != "Progressing")
    old = find_condition(conditions, "Progressing")
    about = f'ReplicaSet "{new_name}"' if new_name else f'Deployment "{deployment.metadata.name}"'
    if old and old.reason == "NewReplicaSetAvailable" and status.replicas == status.updated_replicas:
        return conditions  # the rollout is complete; a pod that fails later does not make it fail
    if is_complete(deployment, status):
        return set_condition(
            conditions, "Progressing", "True", "NewReplicaSetAvailable", f"{about} has successfully progressed.", now
        )
    if _advances(deployment.status, status):
        # Set each time, because the deadline is counted from `lastUpdateTime`.
        return _put(conditions, "Progressing", "True", "ReplicaSetUpdated", f"{about} is progressing.", now)
    if (due := deadline(deployment, conditions)) is not None and due <= now:
        return set_condition(
            conditions, "Progressing", "False", "ProgressDeadlineExceeded", f"{about} has timed out progressing.", now
        )
    return conditions


def deadline(deployment: Deployment, conditions: Conditions) -> float | None:
    """When the rollout fails for lack of progress; None if none is running or it has no deadline."""
    old = find_condition(conditions, "Progressing")
    if deployment.spec.progress_deadline_seconds == NO_DEADLINE or deployment.spec.paused or old is None:
        return None
    if old.reason in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"):
        return None
    since = seconds(old.last_update_time)
    return None if since is None else since + deployment.spec.progress_deadline_seconds


def status_patch(deployment: Deployment, status: DeploymentStatus) -> dict[str, object] | None:
    """The fields of the status to patch; None if nothing changed."""
    if status == deployment.status:
        return None
    was, now = msgspec.to_builtins(deployment.status), msgspec.to_builtins(status)
    return {name: now.get(name) for name in sorted(was.keys() | now.keys())}
