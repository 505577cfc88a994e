"""The status of a Deployment: counts and the conditions Available and Progressing.

`kubectl rollout status` and Flagger read the reasons, so they are Kubernetes' own:
NewReplicaSetCreated, FoundNewReplicaSet, ReplicaSetUpdated, NewReplicaSetAvailable, ProgressDeadlineExceeded,
DeploymentPaused, DeploymentResumed; MinimumReplicasAvailable, MinimumReplicasUnavailable.
"""

from collections.abc import Iterable, Sequence

import msgspec

from headgate.api.apps import DeploymentCondition, DeploymentStatus
from headgate.api.times import rfc3339, seconds

from .views import Deployment, ReplicaSet

Conditions = tuple[DeploymentCondition, ...]

#: A deadline of this many seconds means none.
NO_DEADLINE = 2**31 - 1


def counts(
    deployment: Deployment, replica_sets: Sequence[ReplicaSet], new: ReplicaSet | None, wanted: int
) -> DeploymentStatus:
    """The numbers of the status, as the ReplicaSets report them; `wanted` is the sum of what they are asked for."""
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


def find(conditions: Iterable[DeploymentCondition], type_: str) -> DeploymentCondition | None:
    """The condition of a type."""
    return next((c for c in conditions if c.type == type_), None)


def said(conditions: Conditions, type_: str, status: str, reason: str, message: str, now: float) -> Conditions:
    """The conditions with this one in them.

    Nothing changes while status and reason stay; a new reason alone keeps the time of the last transition.
    """
    old = find(conditions, type_)
    if old and (old.status, old.reason) == (status, reason):
        return conditions
    return _put(conditions, type_, status, reason, message, now)


def _put(conditions: Conditions, type_: str, status: str, reason: str, message: str, now: float) -> Conditions:
    old = find(conditions, type_)
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


def available(deployment: Deployment, status: DeploymentStatus, most_missing: int, now: float) -> Conditions:
    """The condition Available: at most `most_missing` of the replicas are missing."""
    if status.available_replicas >= deployment.spec.replicas - most_missing:
        return said(
            status.conditions,
            "Available",
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            now,
        )
    return said(
        status.conditions,
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
        now,
    )


def complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Everything is of the current revision and available, and nothing else is left."""
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
    """Progressing is Unknown while a Deployment is paused; the deadline starts anew when it is resumed."""
    if deployment.spec.progress_deadline_seconds == NO_DEADLINE:
        return conditions
    old = find(conditions, "Progressing")
    if old and old.reason == "ProgressDeadlineExceeded":
        return conditions
    was_paused = old is not None and old.reason == "DeploymentPaused"
    if deployment.spec.paused and not was_paused:
        return said(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if was_paused and not deployment.spec.paused:
        return said(conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now)
    return conditions


def progressing(deployment: Deployment, status: DeploymentStatus, new_name: str, now: float) -> Conditions:
    """The condition Progressing after this look; `new_name` is the current ReplicaSet, if there is one."""
    conditions = status.conditions
    if deployment.spec.progress_deadline_seconds == NO_DEADLINE:
        return tuple(c for c in conditions if c.type != "Progressing")
    old = find(conditions, "Progressing")
    about = f'ReplicaSet "{new_name}"' if new_name else f'Deployment "{deployment.metadata.name}"'
    if old and old.reason == "NewReplicaSetAvailable" and status.replicas == status.updated_replicas:
        return conditions  # it is up; a pod that fails later is no roll-out that fails
    if complete(deployment, status):
        return said(
            conditions, "Progressing", "True", "NewReplicaSetAvailable", f"{about} has successfully progressed.", now
        )
    if _advances(deployment.status, status):
        # Always anew: the time of the last update is what the deadline counts from.
        return _put(conditions, "Progressing", "True", "ReplicaSetUpdated", f"{about} is progressing.", now)
    if (due := deadline(deployment, conditions)) is not None and due <= now:
        return said(
            conditions, "Progressing", "False", "ProgressDeadlineExceeded", f"{about} has timed out progressing.", now
        )
    return conditions


def deadline(deployment: Deployment, conditions: Conditions) -> float | None:
    """When the running roll-out counts as failed; None when none runs or none may fail."""
    old = find(conditions, "Progressing")
    if deployment.spec.progress_deadline_seconds == NO_DEADLINE or deployment.spec.paused or old is None:
        return None
    if old.reason in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"):
        return None
    since = seconds(old.last_update_time)
    return None if since is None else since + deployment.spec.progress_deadline_seconds


def changed(deployment: Deployment, status: DeploymentStatus) -> dict[str, object] | None:
    """The fields of the status to patch; None when nothing changed."""
    if status == deployment.status:
        return None
    was, now = msgspec.to_builtins(deployment.status), msgspec.to_builtins(status)
    return {name: now.get(name) for name in sorted(was.keys() | now.keys())}
