"""Reads `targetRefs` and `targetSelectors` of a policy (GEP-713)."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from headgate.api.gateway import RouteNamespaces
from headgate.api.meta import Key, LabelSelector, LabelSelectorRequirement
from headgate.conditions import Problem
from headgate.conditions import policies as conditions

from .base import Target, TargetKind


class TargetReference(Protocol):
    """One entry of `targetRefs`: an object in the namespace of the policy. Some have a `section_name` as well."""

    @property
    def group(self) -> str:
        """The group of the object."""

    @property
    def kind(self) -> str:
        """The kind of the object."""

    @property
    def name(self) -> str:
        """The name of the object."""


class LabelledTargets(Protocol):
    """One entry of `targetSelectors`."""

    @property
    def group(self) -> str:
        """The group of the objects."""

    @property
    def kind(self) -> str:
        """The kind of the objects."""

    @property
    def match_labels(self) -> dict[str, str]:
        """Labels that the objects have."""

    @property
    def match_expressions(self) -> tuple[LabelSelectorRequirement, ...]:
        """More conditions on their labels."""

    @property
    def namespaces(self) -> RouteNamespaces | None:
        """Where the objects are (None: in the namespace of the policy)."""


class TargetRef(msgspec.Struct, frozen=True, gc=False):
    """A target and the path at which the policy names it."""

    path: str
    target: Target


class TargetSelector(msgspec.Struct, frozen=True, gc=False):
    """Targets of one kind by labels, and the path at which the policy selects them."""

    path: str
    kind: TargetKind
    labels: LabelSelector
    namespaces: RouteNamespaces = RouteNamespaces()


class PolicyTargets(msgspec.Struct, frozen=True, gc=False):
    """All targets of a policy, and problems of those that this kind of policy cannot have."""

    refs: tuple[TargetRef, ...]
    selectors: tuple[TargetSelector, ...]
    problems: tuple[Problem, ...]


def read(policy_kind: str, policy: Key, spec: Any, known: Sequence[TargetKind]) -> PolicyTargets:
    """The targets in a policy's spec. `known` are the kinds that policies of `policy_kind` may target."""
    refs, wrong_refs = _refs(policy_kind, policy, spec.target_refs, known)
    selectors, wrong_selectors = _selectors(policy_kind, getattr(spec, "target_selectors", ()), known)
    return PolicyTargets(tuple(refs), tuple(selectors), (*wrong_refs, *wrong_selectors))


def _refs(
    policy_kind: str, policy: Key, refs: Iterable[TargetReference], known: Sequence[TargetKind]
) -> tuple[list[TargetRef], list[Problem]]:
    targets, problems = [], []
    for index, ref in enumerate(refs):
        path = f"spec.targetRefs[{index}]"
        target_kind = _known(ref.group, ref.kind, known)
        section = getattr(ref, "section_name", None) or ""
        if target_kind is None:
            problems.append(_unsupported(path, ref.group, ref.kind, policy_kind, known))
        elif section and not target_kind.section:
            problems.append(conditions.section_unsupported(f"{path}.sectionName", section, policy_kind, ref.kind))
        else:
            targets.append(TargetRef(path, Target(ref.kind, policy.namespace, ref.name, section)))
    return targets, problems


def _selectors(
    policy_kind: str, selectors: Iterable[LabelledTargets], known: Sequence[TargetKind]
) -> tuple[list[TargetSelector], list[Problem]]:
    targets, problems = [], []
    for index, selector in enumerate(selectors):
        path = f"spec.targetSelectors[{index}]"
        target_kind = _known(selector.group, selector.kind, known)
        if target_kind is None:
            problems.append(_unsupported(path, selector.group, selector.kind, policy_kind, known))
            continue
        labels = LabelSelector(match_labels=selector.match_labels, match_expressions=selector.match_expressions)
        targets.append(TargetSelector(path, target_kind, labels, selector.namespaces or RouteNamespaces()))
    return targets, problems


def _known(group: str, kind: str, known: Sequence[TargetKind]) -> TargetKind | None:
    return next((each for each in known if (each.group, each.kind) == (group, kind)), None)


def _unsupported(path: str, group: str, kind: str, policy_kind: str, known: Sequence[TargetKind]) -> Problem:
    return conditions.unsupported_target(path, group, kind, policy_kind, [each.kind for each in known])
