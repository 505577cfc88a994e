"""Which ReplicaSet is which revision of a Deployment: template hash, revision numbers, history.

The ReplicaSet of the current revision is the oldest one with the Deployment's template (the pod-template-hash label set
aside). `kubectl rollout undo` puts an old template back, so an old ReplicaSet becomes the current one and gets a new
number.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from headgate.api.times import seconds

from .views import Deployment, ReplicaSet, Template

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
#: Annotations of a Deployment that its ReplicaSets do not get.
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        DESIRED,
        MOST,
        "deprecated.deployment.rollback.to",
    }
)
#: Letters and digits that form no words.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Template, collisions: int = 0) -> str:
    """A short name for a template; `collisions` changes it when two templates share one."""
    text = json.dumps(_essence(template), sort_keys=True, separators=(",", ":")) + (
        str(collisions) if collisions else ""
    )
    return safe(fnv(text.encode()))


def fnv(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def safe(number: int) -> str:
    """A number as characters that may stand in a name."""
    return "".join(_SAFE[int(digit) % len(_SAFE)] for digit in str(number))


def same_template(one: Template, other: Template) -> bool:
    """Whether two templates make the same pods."""
    return bool(_essence(one) == _essence(other))


def _essence(template: Template) -> Any:
    """The template without the hash label and without what means nothing (null, empty)."""
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    metadata["labels"] = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return _dense({**template, "metadata": metadata})


def _dense(value: Any) -> Any:
    if isinstance(value, dict):
        entries = {name: _dense(inner) for name, inner in value.items()}
        # null and [] say nothing; an empty object may say something (`emptyDir: {}`).
        return {name: inner for name, inner in entries.items() if inner is not None and inner != []}
    if isinstance(value, list):
        return [_dense(inner) for inner in value]
    return value


def oldest_first(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """By creation, then by name."""
    return sorted(replica_sets, key=lambda rs: (seconds(rs.metadata.creation_timestamp) or 0.0, rs.metadata.name))


def current(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet of the Deployment's template."""
    template = deployment.spec.template
    same = (rs for rs in oldest_first(replica_sets) if same_template(rs.spec.template, template))
    return next(same, None)


def revision(obj: Deployment | ReplicaSet) -> int:
    """Its revision number; 0 if it has none."""
    try:
        return int(obj.metadata.annotations.get(REVISION, "0"))
    except ValueError:
        return 0


def next_revision(others: Iterable[ReplicaSet]) -> int:
    """One more than every other ReplicaSet has."""
    return max((revision(rs) for rs in others), default=0) + 1


def annotations_of(deployment: Deployment, number: int, of: ReplicaSet | None = None) -> dict[str, str]:
    """The annotations that the current ReplicaSet should have (besides its own about numbers of replicas)."""
    copied = {name: value for name, value in deployment.metadata.annotations.items() if name not in _NOT_COPIED}
    before = revision(of) if of else 0
    history = of.metadata.annotations.get(HISTORY, "") if of else ""
    if before and before < number:
        history = ",".join(part for part in (history, str(before)) if part)
    number = max(number, before)
    return {**copied, REVISION: str(number)} | ({HISTORY: history} if history else {})


def expendable(deployment: Deployment, others: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Old ReplicaSets beyond `revisionHistoryLimit`, oldest revision first; only empty ones that nobody deletes yet."""
    idle = [
        rs
        for rs in others
        if rs.spec.replicas == 0
        and rs.status.replicas == 0
        and rs.status.observed_generation >= rs.metadata.generation
        and rs.metadata.deletion_timestamp is None
    ]
    excess = len(idle) - deployment.spec.revision_history_limit
    return sorted(idle, key=lambda rs: (revision(rs), rs.metadata.name))[: max(excess, 0)]
