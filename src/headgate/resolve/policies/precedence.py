"""Which of several policies counts for a target: the older, then the first by `namespace/name` (GEP-713)."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec

from headgate.api.meta import Key
from headgate.incremental import Collection, Engine, Read
from headgate.policies.targets import Target


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A policy that wants a target."""

    created: str
    policy: Key


class Attached(Protocol):
    """A policy as far as it matters here. `targets` carry their index in `spec.targetRefs`."""

    @property
    def created(self) -> str:
        """The creation timestamp."""

    @property
    def targets(self) -> tuple[tuple[int, Target], ...]:
        """What it is attached to."""


P = TypeVar("P", bound=Attached)

#: By target.
Winners = Collection[Target, Claim]


def winners(engine: Engine, name: str, policies: Collection[Key, P]) -> Winners:
    """One policy per target; `name` is the policies', in the plural."""

    def claims(_read: Read, key: Key, found: P) -> Iterable[tuple[tuple[Target, Key], Claim]]:
        for _, target in found.targets:
            yield (target, key), Claim(found.created, key)

    every = engine.flat_map(f"claims of {name}", policies, claims)
    return engine.least(f"{name} that count", every, lambda key, _claim: key[0], lambda _key, claim: _order(claim))


def _order(claim: Claim) -> tuple[str, str]:
    return claim.created, str(claim.policy)


def lost_to(read: Read, found: Winners, target: Target, policy: Key) -> Key | None:
    """The policy that counts for a target instead of this one; None if it is this one."""
    winner = read(found, target)
    return None if winner is None or winner.policy == policy else winner.policy
