"""The arithmetic of a rolling update: how many replicas each ReplicaSet may have next.

Two bounds hold as long as pods that were available stay so: never more than `replicas + maxSurge` pods are asked for,
and old pods are given up only while at least `replicas - maxUnavailable` are available.
"""

from collections.abc import Sequence

import msgspec

from .revisions import DESIRED, MOST, oldest_first
from .views import Deployment, ReplicaSet


class Bounds(msgspec.Struct, frozen=True):
    """`maxSurge` and `maxUnavailable` as numbers of pods."""

    surge: int
    missing: int


def bounds(deployment: Deployment) -> Bounds:
    """Percentages of the replicas: surge rounded up, unavailable down, 25 % each unless told. Never both 0."""
    replicas = deployment.spec.replicas
    if deployment.spec.strategy.type == "Recreate" or replicas == 0:
        return Bounds(0, 0)
    update = deployment.spec.strategy.rolling_update
    surge = _pods(update.max_surge if update else None, replicas, up=True)
    missing = _pods(update.max_unavailable if update else None, replicas, up=False)
    if surge == 0 and missing == 0:
        missing = 1
    return Bounds(surge, min(missing, replicas))


def _pods(value: int | str | None, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    percent = int((value or "25%").rstrip("%"))
    return -(-percent * replicas // 100) if up else percent * replicas // 100


def grown(deployment: Deployment, new: int, total: int) -> int:
    """How many replicas the current ReplicaSet gets next; it has `new`, all together have `total`."""
    wanted = deployment.spec.replicas
    if deployment.spec.strategy.type == "Recreate":
        return wanted
    room = wanted + bounds(deployment).surge - total
    return new if room <= 0 else min(new + room, max(wanted, new))


def shrunk(deployment: Deployment, new: ReplicaSet, others: Sequence[ReplicaSet]) -> dict[str, int]:
    """How many replicas old ReplicaSets keep: name -> number, for those that lose some.

    Pods that are not available anyway go first; then as many as the available ones beyond the minimum.
    """
    minimum = deployment.spec.replicas - bounds(deployment).missing
    have = {rs.metadata.name: rs.spec.replicas for rs in others}
    pending = new.spec.replicas - new.status.available_replicas
    spare = sum(have.values()) + new.spec.replicas - minimum - pending
    if spare <= 0:
        return {}
    left = dict(have)
    for rs in oldest_first(others):
        broken = max(0, left[rs.metadata.name] - rs.status.available_replicas)
        gone = min(broken, spare)
        left[rs.metadata.name] -= gone
        spare -= gone
    # Availability counts what is really there: a ReplicaSet that was told to shrink may still report more.
    standing = sum(min(rs.status.available_replicas, left[rs.metadata.name]) for rs in others)
    beyond = min(standing + new.status.available_replicas - minimum, spare)
    for rs in oldest_first(others):
        gone = min(left[rs.metadata.name], max(beyond, 0))
        left[rs.metadata.name] -= gone
        beyond -= gone
    return {name: number for name, number in left.items() if number != have[name]}


def is_scaling(deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> bool:
    """Whether `replicas` changed since a ReplicaSet was last given its number."""
    wanted = str(deployment.spec.replicas)
    return any(rs.metadata.annotations.get(DESIRED, wanted) != wanted for rs in replica_sets if rs.spec.replicas > 0)


def scaled(deployment: Deployment, new: ReplicaSet | None, others: Sequence[ReplicaSet]) -> dict[str, int]:
    """How many replicas each ReplicaSet gets when `replicas` changed: name -> number.

    One active ReplicaSet gets all. Within a rolling update each gets its share of the change.
    """
    wanted = deployment.spec.replicas
    everyone = [*others, *([new] if new else [])]
    active = [rs for rs in everyone if rs.spec.replicas > 0]
    if len(active) <= 1:
        only = active[0] if active else new or (oldest_first(others)[-1] if others else None)
        return {only.metadata.name: wanted} if only else {}
    if new and _saturated(deployment, new):
        return {rs.metadata.name: 0 for rs in others if rs.spec.replicas > 0}
    if deployment.spec.strategy.type == "Recreate":
        return {}
    return _shares(deployment, active)


def _saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    wanted = deployment.spec.replicas
    return new.spec.replicas == wanted == new.status.available_replicas and new.metadata.annotations.get(
        DESIRED
    ) == str(wanted)


def _shares(deployment: Deployment, active: Sequence[ReplicaSet]) -> dict[str, int]:
    wanted = deployment.spec.replicas
    allowed = wanted + bounds(deployment).surge if wanted else 0
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
    for rs in largest_first:  # rounding: the largest takes what is left
        size = max(0, sizes[rs.metadata.name] + rest)
        rest -= size - sizes[rs.metadata.name]
        sizes[rs.metadata.name] = size
    return sizes


def _share(rs: ReplicaSet, allowed: int, deployment: Deployment) -> int:
    try:
        before = int(rs.metadata.annotations[MOST])
    except (KeyError, ValueError):
        before = deployment.status.replicas
    if allowed == 0 or before == 0:
        return -rs.spec.replicas if allowed == 0 else 0
    return round(rs.spec.replicas * allowed / before) - rs.spec.replicas
