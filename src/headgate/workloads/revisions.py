"""The revisions of a Deployment: template hash, revision numbers, history.

The new ReplicaSet is the oldest one with the Deployment's template, compared without the label pod-template-hash.
`kubectl rollout undo` restores an old template, so an old ReplicaSet becomes the new one and gets a new number.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from headgate.api.times import seconds

from .views import Deployment, ReplicaSet, Template

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
#: Annotations of a Deployment that are not copied to its ReplicaSets.
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        "deprecated.deployment.rollback.to",
    }
)
#: Letters and digits that cannot form words, as in `k8s.io/apimachinery/pkg/util/rand`.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Template, collisions: int = 0) -> str:
    """A short hash of a template; `collisions` changes it if two templates have the same."""
    text = json.dumps(_normalized(template), sort_keys=True, separators=(",", ":")) + (
        str(collisions) if collisions else ""
    )
    return safe_encode(fnv(text.encode()))


def fnv(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def safe_encode(number: int) -> str:
    """A number as characters that are allowed in names (`rand.SafeEncodeString`)."""
    return "".join(_SAFE[int(digit) % len(_SAFE)] for digit in str(number))


def same_template(one: Template, other: Template) -> bool:
    """Whether two templates create the same pods."""
    return bool(_normalized(one) == _normalized(other))


def _normalized(template: Template) -> Any:
    """The template without the hash label and without fields that are null or an empty list."""
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    metadata["labels"] = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return _without_empty({**template, "metadata": metadata})


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        entries = {name: _without_empty(inner) for name, inner in value.items()}
        # null and [] are defaults; an empty object may be a value (`emptyDir: {}`).
        return {name: inner for name, inner in entries.items() if inner is not None and inner != []}
    if isinstance(value, list):
        return [_without_empty(inner) for inner in value]
    return value


def oldest_first(replica_sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Sorted by creation time, then by name."""
    return sorted(replica_sets, key=lambda rs: (seconds(rs.metadata.creation_timestamp) or 0.0, rs.metadata.name))


def current(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet with the Deployment's template; None if there is none."""
    template = deployment.spec.template
    same = (rs for rs in oldest_first(replica_sets) if same_template(rs.spec.template, template))
    return next(same, None)


def revision(obj: Deployment | ReplicaSet) -> int:
    """The revision number; 0 if there is none."""
    try:
        return int(obj.metadata.annotations.get(REVISION, "0"))
    except ValueError:
        return 0


def next_revision(others: Iterable[ReplicaSet]) -> int:
    """One more than the highest revision of the other ReplicaSets."""
    return max((revision(rs) for rs in others), default=0) + 1


def replica_set_annotations(deployment: Deployment, number: int, of: ReplicaSet | None = None) -> dict[str, str]:
    """The annotations of the new ReplicaSet, except those about replicas; `of` is its present version."""
    copied = {name: value for name, value in deployment.metadata.annotations.items() if name not in _NOT_COPIED}
    before = revision(of) if of else 0
    history = of.metadata.annotations.get(REVISION_HISTORY, "") if of else ""
    if before and before < number:
        history = ",".join(part for part in (history, str(before)) if part)
    number = max(number, before)
    return {**copied, REVISION: str(number)} | ({REVISION_HISTORY: history} if history else {})


def beyond_history_limit(deployment: Deployment, others: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Old ReplicaSets beyond `revisionHistoryLimit`, lowest revision first; only those without pods."""
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
