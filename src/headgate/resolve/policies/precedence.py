"""Which policies take effect on a target, and how those of several targets become one (GEP-713).

* Of several policies of one kind with the same target the oldest takes effect, then the first by `namespace/name`. The
  others are Conflicted.
* What a policy applies to has a chain of targets, the most specific first: rule, route, listener of a ListenerSet,
  ListenerSet, Gateway; or rule, route, listener of a Gateway, Gateway; or port, Service. The first target with a policy
  decides: that policy replaces those of less specific targets.
* A policy of a route or a rule with a `mergeType` is merged instead with the policy of the next listener, ListenerSet
  or Gateway in the chain, and with that one only: never a rule's with its route's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from headgate.api.meta import Key
from headgate.incremental import Collection, Engine, Read
from headgate.policies.base import GATEWAY, LISTENER_SET, PolicyKind, Target

S = TypeVar("S")

#: Kinds of targets whose policies are parents of those of routes.
_PARENTS = (GATEWAY.kind, LISTENER_SET.kind)


class PolicyCandidate(msgspec.Struct, frozen=True, gc=False):
    """A policy that has a target, as far as precedence needs it."""

    created: str
    policy: Key
    merge_type: str = ""


#: A target, the policy that has it, and the path at which the policy names it.
CandidateKey = tuple[Target, Key, str]

#: The policy that takes effect on a target.
EffectivePolicies = Collection[Target, PolicyCandidate]


def effective_policies(
    engine: Engine, kind: PolicyKind[Any], candidates: Collection[CandidateKey, PolicyCandidate]
) -> EffectivePolicies:
    """One policy of a kind per target."""
    return engine.least(
        f"{kind.name} in effect",
        candidates,
        lambda key, _candidate: key[0],
        lambda _key, candidate: (candidate.created, str(candidate.policy)),
    )


def conflicts_with(read: Read, effective: EffectivePolicies, target: Target, policy: Key) -> Key | None:
    """The policy that takes effect on a target instead of this one; None if this one does."""
    winner = read(effective, target)
    return None if winner is None or winner.policy == policy else winner.policy


class Source(msgspec.Struct, frozen=True, gc=False):
    """A policy, and the target by which it is in a chain."""

    policy: Key
    target: Target


class Effective(msgspec.Struct, Generic[S], frozen=True):
    """The settings that a chain of targets gets, and where they come from.

    `settings` None is nothing. `sources` are the policies of which they are made, the most specific first; `overridden`
    are the policies of the chain that take no effect here.
    """

    settings: S | None
    sources: tuple[Source, ...] = ()
    overridden: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Precedence(Generic[S]):
    """Answers what a chain of targets gets from the policies of one kind."""

    kind: PolicyKind[S]
    effective: EffectivePolicies
    #: Settings by policy; one that sets nothing has none.
    settings: Collection[Key, S]

    def settings_of(self, read: Read, chain: Iterable[Target]) -> S | None:
        """What a chain of targets gets (None: nothing). Reads no further than it must."""
        child: PolicyCandidate | None = None
        for target in self._known(chain):
            candidate = read(self.effective, target)
            if candidate is None or (child is not None and target.kind not in _PARENTS):
                continue
            if child is not None:
                return self._merged(read, child, candidate)
            if not self._merges(target, candidate):
                return read(self.settings, candidate.policy)
            child = candidate
        return None if child is None else read(self.settings, child.policy)

    def of_chain(self, read: Read, chain: Sequence[Target]) -> Effective[S]:
        """What a chain of targets gets, with the sources, and what is overridden."""
        attached = [(target, policy) for target in self._known(chain) if (policy := read(self.effective, target))]
        if not attached:
            return Effective(None)
        sources = attached[:1]
        if self._merges(*attached[0]):
            sources += [pair for pair in attached[1:] if pair[0].kind in _PARENTS][:1]
        return Effective(
            settings=self.settings_of(read, chain),
            sources=tuple(Source(policy.policy, target) for target, policy in sources),
            overridden=tuple(Source(pair[1].policy, pair[0]) for pair in attached if pair not in sources),
        )

    def _known(self, chain: Iterable[Target]) -> Iterable[Target]:
        """Only what policies of this kind can target: what is not read is not remembered."""
        return (target for target in chain if self.kind.may_target(target))

    def _merges(self, target: Target, candidate: PolicyCandidate) -> bool:
        return bool(candidate.merge_type) and self.kind.merge is not None and target.kind not in _PARENTS

    def _merged(self, read: Read, child: PolicyCandidate, parent: PolicyCandidate) -> S | None:
        below, above = read(self.settings, child.policy), read(self.settings, parent.policy)
        if below is None or above is None or self.kind.merge is None:
            return above if below is None else below
        return self.kind.merge(below, above, child.merge_type)
