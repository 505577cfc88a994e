"""Deployment -> ReplicaSets: the current revision grows while old ones shrink.

One decision, in this order:

1. ReplicaSets that match are adopted, strays released.
2. Under deletion: only the status.
3. Paused, or `replicas` changed: everybody's number is adjusted, no revision advances.
4. Recreate: old ones to 0; when their pods are gone, the current one is created and filled.
   RollingUpdate: the current one is created or grows as far as `maxSurge` allows; if it cannot, old ones shrink as far
   as `maxUnavailable` allows.
5. When complete, old ReplicaSets beyond the history limit are deleted.
6. The status, last: it speaks of what was seen, and of the ReplicaSet created here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.api.apps import DeploymentStatus
from headgate.api.core import Pod

from . import owners, progress, revisions, rolling
from .effects import Create, Decision, Effect, Say, delete, mark, patch, report
from .progress import Conditions
from .views import Deployment, ReplicaSet


class _Family(msgspec.Struct, frozen=True):
    """A Deployment and its ReplicaSets: the current one, and all others."""

    deployment: Deployment
    new: ReplicaSet | None
    others: tuple[ReplicaSet, ...]

    @property
    def everyone(self) -> tuple[ReplicaSet, ...]:
        return (*self.others, self.new) if self.new else self.others

    @property
    def total(self) -> int:
        return sum(rs.spec.replicas for rs in self.everyone)


class _Step(msgspec.Struct, frozen=True):
    """What one decision changes: sizes by name, a ReplicaSet to create with this size, history to forget."""

    sizes: Mapping[str, int] = {}
    create: int | None = None
    forget: tuple[ReplicaSet, ...] = ()
    #: Whether this is a step of a roll-out (and not of scaling), so that Progressing is judged.
    rolls: bool = True


def decide(deployment: Deployment, candidates: Iterable[ReplicaSet], pods: Iterable[Pod], now: float) -> Decision:
    """What to do for one Deployment. `candidates` and `pods` are those of its namespace."""
    candidates = list(candidates)
    claim = owners.claim(deployment, deployment.spec.selector, candidates)
    mine: tuple[ReplicaSet, ...] = claim.ours
    new = revisions.current(deployment, mine)
    family = _Family(deployment, new, tuple(rs for rs in revisions.oldest_first(mine) if rs is not new))
    if deployment.metadata.deletion_timestamp is not None:
        return _decision(family, claim.patches, (), _status(family, family.total, deployment.status.conditions, now))
    conditions = progress.paused(deployment, deployment.status.conditions, now)
    if claim.patches:  # what is adopted now is looked at in the next decision
        return _decision(family, claim.patches, (), _status(family, family.total, conditions, now))
    step = _step(family, list(pods))
    if step.create is not None and (taken := _collision(family, candidates)):
        status = msgspec.structs.replace(deployment.status, collision_count=taken)
        return _decision(family, (), (), status)
    conditions = _introduced(family, step, conditions, now)
    wanted = family.total + sum(size - _size(family, name) for name, size in step.sizes.items()) + (step.create or 0)
    status = _status(family, wanted, conditions, now)
    if step.rolls:
        status = msgspec.structs.replace(
            status, conditions=progress.progressing(deployment, status, _name(family, step), now)
        )
    return _decision(family, _writes(family, step), tuple(delete(rs) for rs in step.forget), status)


# ── which step ───────────────────────────────────────────────────────────────


def _step(family: _Family, pods: list[Pod]) -> _Step:
    deployment = family.deployment
    if deployment.spec.paused or rolling.is_scaling(deployment, family.everyone):
        forget = tuple(revisions.expendable(deployment, family.others)) if deployment.spec.paused else ()
        return _Step(rolling.scaled(deployment, family.new, family.others), None, forget, rolls=False)
    if deployment.spec.strategy.type == "Recreate":
        return _recreate(family, pods)
    return _roll(family)


def _recreate(family: _Family, pods: list[Pod]) -> _Step:
    if standing := {rs.metadata.name: 0 for rs in family.others if rs.spec.replicas > 0}:
        return _Step(standing)
    if _old_pods_run(family, pods):
        return _Step()
    return _grow(family) or _finished(family)


def _old_pods_run(family: _Family, pods: list[Pod]) -> bool:
    old = {rs.metadata.uid for rs in family.others}
    controllers = (owners.controller_of(pod) for pod in pods if pod.status.phase not in ("Succeeded", "Failed"))
    return any(controller is not None and controller.uid in old for controller in controllers)


def _roll(family: _Family) -> _Step:
    if (step := _grow(family)) is not None:
        return step
    if family.new is not None and (sizes := rolling.shrunk(family.deployment, family.new, family.others)):
        return _Step(sizes)
    return _finished(family)


def _grow(family: _Family) -> _Step | None:
    """The current ReplicaSet is created, grows, or gives up what is too much; None when its number is right."""
    new = family.new
    size = rolling.grown(family.deployment, new.spec.replicas if new else 0, family.total)
    if new is None:
        return _Step(create=size)
    wanted = min(size, family.deployment.spec.replicas)
    return _Step({new.metadata.name: wanted}) if wanted != new.spec.replicas else None


def _finished(family: _Family) -> _Step:
    if progress.complete(family.deployment, family.deployment.status):
        return _Step(forget=tuple(revisions.expendable(family.deployment, family.others)))
    return _Step()


# ── what it writes ───────────────────────────────────────────────────────────


def _hash(family: _Family) -> str:
    deployment = family.deployment
    return revisions.template_hash(deployment.spec.template, deployment.status.collision_count or 0)


def _name(family: _Family, step: _Step) -> str:
    if family.new:
        return family.new.metadata.name
    return f"{family.deployment.metadata.name}-{_hash(family)}" if step.create is not None else ""


def _size(family: _Family, name: str) -> int:
    return next(rs.spec.replicas for rs in family.everyone if rs.metadata.name == name)


def _collision(family: _Family, candidates: Sequence[ReplicaSet]) -> int | None:
    """The next number of collisions, if another ReplicaSet has the name that the new one would get."""
    name = f"{family.deployment.metadata.name}-{_hash(family)}"
    taken = any(rs.metadata.name == name for rs in candidates)
    return (family.deployment.status.collision_count or 0) + 1 if taken else None


def _introduced(family: _Family, step: _Step, conditions: Conditions, now: float) -> Conditions:
    """Progressing says where the current ReplicaSet comes from: created here, or found."""
    if family.deployment.spec.progress_deadline_seconds == progress.NO_DEADLINE:
        return conditions
    name = _name(family, step)
    if step.create is not None:
        text = f'Created new replica set "{name}"'
        return progress.said(conditions, "Progressing", "True", "NewReplicaSetCreated", text, now)
    if family.new and progress.find(conditions, "Progressing") is None:
        text = f'Found new replica set "{name}"'
        return progress.said(conditions, "Progressing", "True", "FoundNewReplicaSet", text, now)
    return conditions


def _writes(family: _Family, step: _Step) -> tuple[Effect, ...]:
    deployment, new = family.deployment, family.new
    effects: list[Effect] = []
    number = max(revisions.next_revision(family.others), revisions.revision(new) if new else 0)
    if (new or step.create is not None) and revisions.revision(deployment) != number:
        effects.append(mark(deployment, {revisions.REVISION: str(number)}))
    if step.create is not None:
        effects.append(Create(ReplicaSet, deployment.metadata.namespace, _new_replica_set(family, number, step.create)))
        effects.append(_scaled(deployment, _name(family, step), 0, step.create))
    for rs in family.everyone:
        size = step.sizes.get(rs.metadata.name, rs.spec.replicas)
        if change := _change(family, rs, size, number):
            effects.append(patch(rs, change))
        if size != rs.spec.replicas:
            effects.append(_scaled(deployment, rs.metadata.name, rs.spec.replicas, size))
    return tuple(effects)


def _scaled(deployment: Deployment, name: str, before: int, after: int) -> Say:
    way = "up" if after >= before else "down"
    return Say(deployment, "Normal", "ScalingReplicaSet", f"Scaled {way} replica set {name} from {before} to {after}")


def _numbers(deployment: Deployment) -> dict[str, str]:
    wanted = deployment.spec.replicas
    most = wanted + rolling.bounds(deployment).surge
    return {revisions.DESIRED: str(wanted), revisions.MOST: str(most)}


def _change(family: _Family, rs: ReplicaSet, size: int, number: int) -> dict[str, Any]:
    """What a ReplicaSet should have and has not."""
    deployment = family.deployment
    annotations = _numbers(deployment) if size or rs.spec.replicas or rs is family.new else {}
    spec: dict[str, Any] = {"replicas": size} if size != rs.spec.replicas else {}
    if rs is family.new:
        annotations |= revisions.annotations_of(deployment, number, rs)
        if rs.spec.min_ready_seconds != deployment.spec.min_ready_seconds:
            spec["minReadySeconds"] = deployment.spec.min_ready_seconds
    missing = {name: value for name, value in annotations.items() if rs.metadata.annotations.get(name) != value}
    return ({"metadata": {"annotations": missing}} if missing else {}) | ({"spec": spec} if spec else {})


def _new_replica_set(family: _Family, number: int, size: int) -> dict[str, Any]:
    deployment, label = family.deployment, {revisions.HASH_LABEL: _hash(family)}
    template = deployment.spec.template
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **label}
    selector = msgspec.to_builtins(deployment.spec.selector)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment.metadata.name}-{_hash(family)}",
            "namespace": deployment.metadata.namespace,
            "labels": labels,
            "annotations": {**revisions.annotations_of(deployment, number), **_numbers(deployment)},
            "ownerReferences": [owners.reference(deployment)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": deployment.spec.min_ready_seconds,
            "selector": {**selector, "matchLabels": {**selector.get("matchLabels", {}), **label}},
            "template": {**template, "metadata": {**metadata, "labels": labels}},
        },
    }


def _status(family: _Family, wanted: int, conditions: Conditions, now: float) -> DeploymentStatus:
    deployment = family.deployment
    status = progress.counts(deployment, family.everyone, family.new, wanted)
    status = msgspec.structs.replace(status, conditions=conditions)
    return msgspec.structs.replace(
        status, conditions=progress.available(deployment, status, rolling.bounds(deployment).missing, now)
    )


def _decision(
    family: _Family, writes: Sequence[Effect], deletions: Sequence[Effect], status: DeploymentStatus
) -> Decision:
    change = progress.changed(family.deployment, status)
    reports = (report(family.deployment, change),) if change else ()
    return Decision((*writes, *deletions, *reports), progress.deadline(family.deployment, status.conditions))
