"""Deployment -> ReplicaSets: the new ReplicaSet is scaled up while old ones are scaled down.

One decision, in this order:

1. Matching ReplicaSets without a controller are adopted, own ones that no longer match are released.
2. A Deployment that is being deleted only gets its status.
3. If it is paused or `replicas` changed, all ReplicaSets are scaled proportionally, and the rollout does not advance.
4. Recreate: old ReplicaSets are scaled to 0; when their pods are gone, the new one is created with all replicas.
   RollingUpdate: the new one is created or scaled up as far as `maxSurge` allows; if that is not possible, old ones are
   scaled down as far as `maxUnavailable` allows.
5. When the rollout is complete, old ReplicaSets beyond the history limit are deleted.
6. The status comes last: it describes the objects that were seen, and the ReplicaSet that this decision creates.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.api.apps import DeploymentStatus
from headgate.api.core import Pod

from . import owners, progress, revisions, rolling
from .effects import Create, Decision, Effect, EmitEvent, annotate, delete, patch, patch_status
from .progress import Conditions
from .views import Deployment, ReplicaSet


class _Rollout(msgspec.Struct, frozen=True):
    """A Deployment and its ReplicaSets: the new one, which has its template, and the old ones."""

    deployment: Deployment
    new: ReplicaSet | None
    old: tuple[ReplicaSet, ...]

    @property
    def replica_sets(self) -> tuple[ReplicaSet, ...]:
        return (*self.old, self.new) if self.new else self.old

    @property
    def total(self) -> int:
        return sum(rs.spec.replicas for rs in self.replica_sets)


class _Step(msgspec.Struct, frozen=True):
    """The changes of one decision.

    Attributes:
        sizes: replicas of ReplicaSets by name.
        create: the replicas of a new ReplicaSet to create.
        delete: ReplicaSets beyond the history limit.
        advances: whether it is a step of a rollout rather than of scaling, so that Progressing is evaluated.
    """

    sizes: Mapping[str, int] = {}
    create: int | None = None
    delete: tuple[ReplicaSet, ...] = ()
    advances: bool = True


def decide(deployment: Deployment, candidates: Iterable[ReplicaSet], pods: Iterable[Pod], now: float) -> Decision:
    """Decide for one Deployment. `candidates` and `pods` are the ReplicaSets and pods of its namespace."""
    candidates = list(candidates)
    ownership = owners.owned_objects(deployment, deployment.spec.selector, candidates)
    owned: tuple[ReplicaSet, ...] = ownership.owned
    new = revisions.current(deployment, owned)
    rollout = _Rollout(deployment, new, tuple(rs for rs in revisions.oldest_first(owned) if rs is not new))
    if deployment.metadata.deletion_timestamp is not None:
        return _decision(
            rollout, ownership.patches, (), _status(rollout, rollout.total, deployment.status.conditions, now)
        )
    conditions = progress.paused(deployment, deployment.status.conditions, now)
    if ownership.patches:  # the next decision includes what is adopted now
        return _decision(rollout, ownership.patches, (), _status(rollout, rollout.total, conditions, now))
    step = _step(rollout, list(pods))
    if step.create is not None and (taken := _collision(rollout, candidates)):
        status = msgspec.structs.replace(deployment.status, collision_count=taken)
        return _decision(rollout, (), (), status)
    conditions = _with_new_replica_set(rollout, step, conditions, now)
    wanted = rollout.total + sum(size - _size(rollout, name) for name, size in step.sizes.items()) + (step.create or 0)
    status = _status(rollout, wanted, conditions, now)
    if step.advances:
        status = msgspec.structs.replace(
            status, conditions=progress.progressing(deployment, status, _name(rollout, step), now)
        )
    return _decision(rollout, _write_replica_sets(rollout, step), tuple(delete(rs) for rs in step.delete), status)


# ── the step ───────────────────────────────────────────────────────────────


def _step(rollout: _Rollout, pods: list[Pod]) -> _Step:
    deployment = rollout.deployment
    if deployment.spec.paused or rolling.is_scaling(deployment, rollout.replica_sets):
        excess = tuple(revisions.beyond_history_limit(deployment, rollout.old)) if deployment.spec.paused else ()
        return _Step(rolling.scaled_proportionally(deployment, rollout.new, rollout.old), None, excess, advances=False)
    if deployment.spec.strategy.type == "Recreate":
        return _recreate(rollout, pods)
    return _rolling_update(rollout)


def _recreate(rollout: _Rollout, pods: list[Pod]) -> _Step:
    if sizes := {rs.metadata.name: 0 for rs in rollout.old if rs.spec.replicas > 0}:
        return _Step(sizes)
    if _old_pods_run(rollout, pods):
        return _Step()
    return _scale_up(rollout) or _finished(rollout)


def _old_pods_run(rollout: _Rollout, pods: list[Pod]) -> bool:
    old = {rs.metadata.uid for rs in rollout.old}
    controllers = (owners.controller_of(pod) for pod in pods if pod.status.phase not in ("Succeeded", "Failed"))
    return any(controller is not None and controller.uid in old for controller in controllers)


def _rolling_update(rollout: _Rollout) -> _Step:
    if (step := _scale_up(rollout)) is not None:
        return step
    if rollout.new is not None and (sizes := rolling.scaled_down(rollout.deployment, rollout.new, rollout.old)):
        return _Step(sizes)
    return _finished(rollout)


def _scale_up(rollout: _Rollout) -> _Step | None:
    """Create the new ReplicaSet or change its replicas; None if they are right."""
    new = rollout.new
    size = rolling.scaled_up(rollout.deployment, new.spec.replicas if new else 0, rollout.total)
    if new is None:
        return _Step(create=size)
    wanted = min(size, rollout.deployment.spec.replicas)
    return _Step({new.metadata.name: wanted}) if wanted != new.spec.replicas else None


def _finished(rollout: _Rollout) -> _Step:
    if progress.is_complete(rollout.deployment, rollout.deployment.status):
        return _Step(delete=tuple(revisions.beyond_history_limit(rollout.deployment, rollout.old)))
    return _Step()


# ── what is written ───────────────────────────────────────────────────────────


def _hash(rollout: _Rollout) -> str:
    deployment = rollout.deployment
    return revisions.template_hash(deployment.spec.template, deployment.status.collision_count or 0)


def _name(rollout: _Rollout, step: _Step) -> str:
    if rollout.new:
        return rollout.new.metadata.name
    return f"{rollout.deployment.metadata.name}-{_hash(rollout)}" if step.create is not None else ""


def _size(rollout: _Rollout, name: str) -> int:
    return next(rs.spec.replicas for rs in rollout.replica_sets if rs.metadata.name == name)


def _collision(rollout: _Rollout, candidates: Sequence[ReplicaSet]) -> int | None:
    """The next collision count, if another ReplicaSet has the name that the new one would get."""
    name = f"{rollout.deployment.metadata.name}-{_hash(rollout)}"
    taken = any(rs.metadata.name == name for rs in candidates)
    return (rollout.deployment.status.collision_count or 0) + 1 if taken else None


def _with_new_replica_set(rollout: _Rollout, step: _Step, conditions: Conditions, now: float) -> Conditions:
    """Progressing with the reason that the new ReplicaSet was created, or found."""
    if rollout.deployment.spec.progress_deadline_seconds == progress.NO_DEADLINE:
        return conditions
    name = _name(rollout, step)
    if step.create is not None:
        text = f'Created new replica set "{name}"'
        return progress.set_condition(conditions, "Progressing", "True", "NewReplicaSetCreated", text, now)
    if rollout.new and progress.find_condition(conditions, "Progressing") is None:
        text = f'Found new replica set "{name}"'
        return progress.set_condition(conditions, "Progressing", "True", "FoundNewReplicaSet", text, now)
    return conditions


def _write_replica_sets(rollout: _Rollout, step: _Step) -> tuple[Effect, ...]:
    deployment, new = rollout.deployment, rollout.new
    effects: list[Effect] = []
    number = max(revisions.next_revision(rollout.old), revisions.revision(new) if new else 0)
    if (new or step.create is not None) and revisions.revision(deployment) != number:
        effects.append(annotate(deployment, {revisions.REVISION: str(number)}))
    if step.create is not None:
        effects.append(Create(ReplicaSet, _new_replica_set(rollout, number, step.create)))
        effects.append(_scaling_event(deployment, _name(rollout, step), 0, step.create))
    for rs in rollout.replica_sets:
        size = step.sizes.get(rs.metadata.name, rs.spec.replicas)
        if change := _change(rollout, rs, size, number):
            effects.append(patch(rs, change))
        if size != rs.spec.replicas:
            effects.append(_scaling_event(deployment, rs.metadata.name, rs.spec.replicas, size))
    return tuple(effects)


def _scaling_event(deployment: Deployment, name: str, before: int, after: int) -> EmitEvent:
    direction = "up" if after >= before else "down"
    return EmitEvent(
        deployment, "Normal", "ScalingReplicaSet", f"Scaled {direction} replica set {name} from {before} to {after}"
    )


def _replica_annotations(deployment: Deployment) -> dict[str, str]:
    wanted = deployment.spec.replicas
    limit = wanted + rolling.bounds(deployment).max_surge
    return {revisions.DESIRED_REPLICAS: str(wanted), revisions.MAX_REPLICAS: str(limit)}


def _change(rollout: _Rollout, rs: ReplicaSet, size: int, number: int) -> dict[str, Any]:
    """The merge patch that a ReplicaSet needs; empty if it needs none."""
    deployment = rollout.deployment
    annotations = _replica_annotations(deployment) if size or rs.spec.replicas or rs is rollout.new else {}
    spec: dict[str, Any] = {"replicas": size} if size != rs.spec.replicas else {}
    if rs is rollout.new:
        annotations |= revisions.replica_set_annotations(deployment, number, rs)
        if rs.spec.min_ready_seconds != deployment.spec.min_ready_seconds:
            spec["minReadySeconds"] = deployment.spec.min_ready_seconds
    missing = {name: value for name, value in annotations.items() if rs.metadata.annotations.get(name) != value}
    return ({"metadata": {"annotations": missing}} if missing else {}) | ({"spec": spec} if spec else {})


def _new_replica_set(rollout: _Rollout, number: int, size: int) -> dict[str, Any]:
    deployment, label = rollout.deployment, {revisions.HASH_LABEL: _hash(rollout)}
    template = deployment.spec.template
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **label}
    selector = msgspec.to_builtins(deployment.spec.selector)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment.metadata.name}-{_hash(rollout)}",
            "namespace": deployment.metadata.namespace,
            "labels": labels,
            "annotations": {
                **revisions.replica_set_annotations(deployment, number),
                **_replica_annotations(deployment),
            },
            "ownerReferences": [owners.reference(deployment)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": deployment.spec.min_ready_seconds,
            "selector": {**selector, "matchLabels": {**selector.get("matchLabels", {}), **label}},
            "template": {**template, "metadata": {**metadata, "labels": labels}},
        },
    }


def _status(rollout: _Rollout, wanted: int, conditions: Conditions, now: float) -> DeploymentStatus:
    deployment = rollout.deployment
    status = progress.replica_counts(deployment, rollout.replica_sets, rollout.new, wanted)
    status = msgspec.structs.replace(status, conditions=conditions)
    return msgspec.structs.replace(
        status, conditions=progress.available(deployment, status, rolling.bounds(deployment).max_unavailable, now)
    )


def _decision(
    rollout: _Rollout, writes: Sequence[Effect], deletions: Sequence[Effect], status: DeploymentStatus
) -> Decision:
    change = progress.status_patch(rollout.deployment, status)
    reports = (patch_status(rollout.deployment, change),) if change else ()
    return Decision((*writes, *deletions, *reports), progress.deadline(rollout.deployment, status.conditions))
