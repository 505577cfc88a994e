"""Attaches policies to targets: those that `targetRefs` names, and those that `targetSelectors` selects by labels.

A selector selects objects of the policy's namespace; those of another namespace only where a ReferenceGrant of that
namespace permits it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from headgate.api import selectors
from headgate.api.meta import Key, Object, Ref
from headgate.conditions import Problem
from headgate.conditions.policies import ACCEPTED
from headgate.incremental import Collection, Index, Read
from headgate.policies import targets
from headgate.policies.base import PolicyKind, PolicySettings, ReferenceResolver, Target, TargetKind
from headgate.policies.targets import PolicyTargets, TargetSelector
from headgate.world import World
from headgate.world.objects import KIND_NAMED

from ..attachment.allowed_namespaces import NamespaceLabels, admits
from ..references.reference_grants import is_permitted
from .precedence import CandidateKey, EffectivePolicies, PolicyCandidate, Precedence, effective_policies

S = TypeVar("S")


class Policy(msgspec.Struct, frozen=True):
    """A policy as declared: its targets, what it sets, and its problems in the order in which they are reported."""

    generation: int
    created: str
    targets: PolicyTargets
    settings: Any
    problems: tuple[Problem, ...]
    merge_type: str = ""


@dataclass(frozen=True, slots=True)
class AttachedPolicies(Generic[S]):
    """The policies of one kind and their targets."""

    kind: PolicyKind[S]
    policies: Collection[Key, Policy]
    #: Every pair of a policy and a target of it.
    candidates: Collection[CandidateKey, PolicyCandidate]
    precedence: Precedence[S]

    @property
    def effective(self) -> EffectivePolicies:
        """The policy that takes effect on a target."""
        return self.precedence.effective


#: Makes what follows the references of a policy.
Resolvers = Callable[[Read, Ref], ReferenceResolver]


class ObjectLabels:
    """The labels by which policies select their targets. One collection per kind of target serves all policy kinds."""

    def __init__(self, world: World, namespaces: NamespaceLabels) -> None:
        self._world = world
        self.namespaces = namespaces
        self._of_kind: dict[str, Collection[Key, dict[str, str]]] = {}

    def of(self, kind: str) -> Collection[Key, dict[str, str]]:
        """The labels of every object of a kind."""
        if kind not in self._of_kind:
            objects = self._world.source(KIND_NAMED[kind].type)
            self._of_kind[kind] = self._world.engine.map(
                f"labels of {kind}", objects, lambda _read, _key, declared: declared.metadata.labels
            )
        return self._of_kind[kind]


def declare(
    world: World, kind: PolicyKind[S], resolvers: Resolvers, labels: ObjectLabels | None = None
) -> AttachedPolicies[S]:
    """Read every policy of a kind, and attach it. `labels` are needed by kinds with `targetSelectors` only."""
    engine, source = world.engine, world.source(kind.object_type)

    def policy(read: Read, key: Key, declared: Object) -> Policy:
        return _policy(kind, key, declared, resolvers(read, Ref(kind.name, key.namespace, key.name)))

    policies = engine.map(f"{kind.name} as read", source, policy)
    named = engine.flat_map(f"targets of {kind.name}", policies, _named)
    candidates = named
    if kind.has_selectors:
        if labels is None:
            raise TypeError(f"{kind.name} has targetSelectors, which need labels")
        selected = _Selection(world, kind, policies, labels).declare()
        candidates = engine.union(f"all targets of {kind.name}", named, *selected)
    settings = engine.map(f"settings of {kind.name}", policies, lambda _read, _key, policy: policy.settings)
    precedence = Precedence(kind, effective_policies(engine, kind, candidates), settings)
    return AttachedPolicies(kind, policies, candidates, precedence)


def _policy(kind: PolicyKind[Any], key: Key, declared: Any, references: ReferenceResolver) -> Policy:
    own_targets = targets.read(kind.name, key, declared.spec, kind.targets)
    own: PolicySettings[Any] = kind.read(declared, references)
    problems = (*own_targets.problems, *own.problems)
    takes_effect = kind.fails_closed or not any(problem.condition == ACCEPTED for problem in problems)
    meta = declared.metadata
    return Policy(
        generation=meta.generation,
        created=meta.creation_timestamp,
        targets=own_targets,
        settings=own.settings if takes_effect else None,
        problems=problems,
        merge_type=own.merge_type,
    )


def _named(_read: Read, key: Key, policy: Policy) -> Iterable[tuple[CandidateKey, PolicyCandidate]]:
    for ref in policy.targets.refs:
        yield (ref.target, key, ref.path), _candidate(key, policy)


def _candidate(key: Key, policy: Policy) -> PolicyCandidate:
    return PolicyCandidate(policy.created, key, policy.merge_type)


class _Selecting(msgspec.Struct, frozen=True):
    """The part of a policy on which its selection depends."""

    candidate: PolicyCandidate
    selectors: tuple[TargetSelector, ...]


class _Selection:
    """Targets that policies select by labels. It is decided per object, so that a new object costs the policies that
    may select it and not all objects.
    """

    def __init__(
        self, world: World, kind: PolicyKind[Any], policies: Collection[Key, Policy], labels: ObjectLabels
    ) -> None:
        self._world = world
        self._kind = kind
        self._labels = labels
        self._selecting = world.engine.map(f"selectors of {kind.name}", policies, _selecting)
        self._by_namespace: Index[tuple[str, str], Key] = world.engine.index(
            f"{kind.name} with selectors", self._selecting, _namespaces
        )

    def declare(self) -> list[Collection[CandidateKey, PolicyCandidate]]:
        """One collection per kind of target."""
        return [self._of_kind(each) for each in self._kind.targets]

    def _of_kind(self, target_kind: TargetKind) -> Collection[CandidateKey, PolicyCandidate]:
        def selected(read: Read, key: Key, theirs: dict[str, str]) -> Iterable[tuple[CandidateKey, PolicyCandidate]]:
            for namespace in (key.namespace, ""):
                for policy in read.group(self._by_namespace, (target_kind.kind, namespace)):
                    selecting = read(self._selecting, policy)
                    for selector in selecting.selectors if selecting else ():
                        if selecting and self._selects(read, policy, selector, target_kind, key, theirs):
                            yield (Target.of(target_kind.kind, key), policy, selector.path), selecting.candidate

        title = f"{target_kind.kind} that {self._kind.name} selects"
        return self._world.engine.flat_map(title, self._labels.of(target_kind.kind), selected)

    def _selects(
        self, read: Read, policy: Key, selector: TargetSelector, target: TargetKind, key: Key, theirs: dict[str, str]
    ) -> bool:
        if selector.kind.kind != target.kind or not selectors.from_selector(selector.labels).matches(theirs):
            return False
        if not admits(read, self._labels.namespaces, selector.namespaces, policy.namespace, key.namespace):
            return False
        return key.namespace == policy.namespace or is_permitted(
            read,
            self._world,
            who=(self._kind.group, self._kind.name, policy.namespace),
            what=(target.group, target.kind, key.name),
            namespace=key.namespace,
        )


def _selecting(_read: Read, key: Key, policy: Policy) -> _Selecting | None:
    selecting = policy.targets.selectors
    return _Selecting(_candidate(key, policy), selecting) if selecting else None


def _namespaces(key: Key, selecting: _Selecting) -> set[tuple[str, str]]:
    """Kind and namespace of the objects that may be selected; an empty namespace is any."""
    return {(each.kind.kind, key.namespace if each.namespaces.from_ == "Same" else "") for each in selecting.selectors}
