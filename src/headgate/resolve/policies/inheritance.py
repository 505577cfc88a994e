"""Which policies are overridden by, or merged with, policies of more specific targets (GEP-713, Inherited Policies).

It is computed from the more specific target upwards, so that a policy on a route costs its own parents, and not all
routes of the Gateway.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from headgate.api.meta import Key
from headgate.incremental import Collection, Engine, Read
from headgate.policies.base import GATEWAY, LISTENER_SET, Target

from .ancestors import Ancestor, of_gateway, of_listener_set
from .attachment import AttachedPolicies
from .hierarchy import Hierarchy
from .precedence import PolicyCandidate

S = TypeVar("S")


class Inheritance(msgspec.Struct, frozen=True):
    """What happens to one policy at one ancestor because of `by`, the policy of the more specific `target`. With
    `merged` the two take effect together; otherwise `by` replaces the policy there.
    """

    policy: Key
    ancestor: Ancestor
    target: Target
    by: Key
    merged: bool


#: A policy, and a number that tells its inheritances by one target apart.
_InheritanceKey = tuple[Key, Target, int]


def declare(
    engine: Engine, attached: AttachedPolicies[S], hierarchy: Hierarchy
) -> Collection[_InheritanceKey, Inheritance]:
    """Every case in which one policy of a kind overrides another, or is merged with it."""

    def cases(read: Read, target: Target, winner: PolicyCandidate) -> Iterable[tuple[_InheritanceKey, Inheritance]]:
        every: dict[Inheritance, None] = {}
        if not hierarchy.has_section(read, target):
            return
        for ancestor, chain in hierarchy.chains(read, attached.kind, target):
            effective = attached.precedence.of_chain(read, chain)
            for source in effective.overridden:
                above = _ancestor_of(source.target, ancestor)
                every[Inheritance(source.policy, above, target, winner.policy, merged=False)] = None
            for source in effective.sources[1:]:
                above = _ancestor_of(source.target, ancestor)
                every[Inheritance(source.policy, above, target, winner.policy, merged=True)] = None
                every[Inheritance(winner.policy, ancestor, target, source.policy, merged=True)] = None
        for number, case in enumerate(every):
            if case.policy != case.by:
                yield (case.policy, target, number), case

    return engine.flat_map(f"inheritance of {attached.kind.name}", attached.effective, cases)


def _ancestor_of(target: Target, of_child: Ancestor) -> Ancestor:
    """Where a policy of a target reports; a route reports where the rule below it does."""
    if target.kind == GATEWAY.kind:
        return of_gateway(target.key, target.section)
    if target.kind == LISTENER_SET.kind:
        return of_listener_set(of_child[0], target.key, target.section)
    return of_child
