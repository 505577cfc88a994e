"""The arithmetic of a rolling update: how many replicas each ReplicaSet gets next.

Two bounds hold as long as available pods stay available: at most `replicas + maxSurge` pods are requested, and old pods
are deleted only while at least `replicas - maxUnavailable` are available.
"""

from collections.abc import Sequence

import msgspec

from .revisions import DESIRED_REPLICAS, MAX_REPLICAS, oldest_first
from .views import Deployment, ReplicaSet


class RolloutBounds(msgspec.Struct, frozen=True):
    """`maxSurge` and `maxUnavailable` as numbers of pods."""

    max_surge: int
    max_unavailable: int


def bounds(deployment: Deployment) -> RolloutBounds:
    """The bounds of a Deployment: percentages are of the replicas, surge rounded up, unavailable rounded down.

    The default is 25 % each. They are never both 0.
    """
    replicas = deployment.spec.replicas
    if deployment.spec.strategy.type == "Recreate" or replicas == 0:
        return RolloutBounds(0, 0)
    update = deployment.spec.strategy.rolling_update
    surge = _pods(update.max_surge if update else None, replicas, up=True)
    unavailable = _pods(update.max_unavailable if update else None, replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return RolloutBounds(surge, min(unavailable, replicas))


def _pods(value: int | str | None, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    percent = int((value or "25%").rstrip("%"))
    return -(-percent * replicas // 100) if up else percent * replicas // 100


def scaled_up(deployment: Deployment, new: int, total: int) -> int:
    """The next number of replicas of the new ReplicaSet, which has `new` of the `total` of all ReplicaSets."""
    wanted = deployment.spec.replicas
    if deployment.spec.strategy.type == "Recreate":
        return wanted
    room = wanted + bounds(deployment).max_surge - total
    return new if room <= 0 else min(new + room, max(wanted, new))


def scaled_down(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> dict[str, int]:
    """The next numbers of replicas of old ReplicaSets by name, of those that change.

    Pods that are not available are removed first, then available ones above the minimum.
    """
    minimum = deployment.spec.replicas - bounds(deployment).max_unavailable
    present = {rs.metadata.name: rs.spec.replicas for rs in old}
    pending = new.spec.replicas - new.status.available_replicas
    spare = sum(present.values()) + new.spec.replicas - minimum - pending
    if spare <= 0:
        return {}
    left = dict(present)
    for rs in oldest_first(old):
        unavailable = max(0, left[rs.metadata.name] - rs.status.available_replicas)
        removed = min(unavailable, spare)
        left[rs.metadata.name] -= removed
        spare -= removed
    # A ReplicaSet that was scaled down may still report more available pods than it keeps.
    kept = sum(min(rs.status.available_replicas, left[rs.metadata.name]) for rs in old)
    excess = min(kept + new.status.available_replicas - minimum, spare)
    for rs in oldest_first(old):
        removed = min(left[rs.metadata.name], max(excess, 0))
        left[rs.metadata.name] -= removed
        excess -= removed
    return {name: number for name, number in left.items() if number != present[name]}


def is_scaling(deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> bool:
    """Whether `replicas` of the Deployment changed since its ReplicaSets were last scaled."""
    wanted = str(deployment.spec.replicas)
    return any(
        rs.metadata.annotations.get(DESIRED_REPLICAS, wanted) != wanted for rs in replica_sets if rs.spec.replicas > 0
    )


def scaled_proportionally(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> dict[str, int]:
    """The replicas of each ReplicaSet by name after `replicas` of the Deployment changed.

    A single active ReplicaSet gets all. During a rolling update each gets its share of the change.
    """
    wanted = deployment.spec.replicas
    replica_sets = [*old, *([new] if new else [])]
    active = [rs for rs in replica_sets if rs.spec.replicas > 0]
    if len(active) <= 1:
        only = active[0] if active else new or (oldest_first(old)[-1] if old else None)
        return {only.metadata.name: wanted} if only else {}
    if new and _saturated(deployment, new):
        return {rs.metadata.name: 0 for rs in old if rs.spec.replicas > 0}
    if deployment.spec.strategy.type == "Recreate":
        return {}
    return _shares(deployment, active)


def _saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    wanted = deployment.spec.replicas
    return new.spec.replicas == wanted == new.status.available_replicas and new.metadata.annotations.get(
        DESIRED_REPLICAS
    ) == str(wanted)


def _shares(deployment: Deployment, active: Sequence[ReplicaSet]) -> dict[str, int]:
    wanted = deployment.spec.replicas
    allowed = wanted + bounds(deployment).max_surge if wanted else 0
    change = allowed - sum(rs.spec.replicas for rs in active)
    by_age = oldest_first(active) if change < 0 else oldest_first(active)[::-1]
    largest_first = sorted(by_age, key=lambda rs: -rs.spec.replicas)
    sizes: dict[str, int] = {}
    rest = change
    for rs in largest_first:
        share = _share(rs, allowed, deployment)
        share = max(0, min(share, rest)) if change > 0 else min(0, max(share, rest))
        sizes[rs.metadata.name] = rs.spec.replicas + share
        rest -= share
    for rs in largest_first:  # the largest gets the rest that is due to rounding
        size = max(0, sizes[rs.metadata.name] + rest)
        rest -= size - sizes[rs.metadata.name]
        sizes[rs.metadata.name] = size
    return sizes


def _share(rs: ReplicaSet, allowed: int, deployment: Deployment) -> int:
    try:
        before = int(rs.metadata.annotations[MAX_REPLICAS])
    except (KeyError, ValueError):
        before = deployment.status.replicas
    if allowed == 0 or before == 0:
        return -rs.spec.replicas if allowed == 0 else 0
    return round(rs.spec.replicas * allowed / before) - rs.spec.replicas
