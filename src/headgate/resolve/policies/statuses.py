"""Statuses of policies, for every kind in the same way: one entry per ancestor (`PolicyStatus.ancestors`, GEP-713).

A policy whose targets no managed Gateway uses has no entry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from headgate.api.meta import Condition, Key, Ref
from headgate.conditions import Problem, condition_from
from headgate.conditions import policies as conditions
from headgate.incremental import Collection, Engine, Index, Read
from headgate.policies.base import Target

from ..gateways.managed import ManagedGateways
from . import inheritance
from .ancestors import Ancestor, Entries, entries
from .attachment import AttachedPolicies, Policy
from .hierarchy import Hierarchy
from .inheritance import Inheritance
from .precedence import CandidateKey, conflicts_with

S = TypeVar("S")


@dataclass(slots=True)
class _Report:
    """What a policy reports to one ancestor, besides its own problems."""

    conflicts: dict[Problem, None] = field(default_factory=dict)
    missing: dict[Problem, None] = field(default_factory=dict)
    overridden_by: dict[tuple[str, Key], None] = field(default_factory=dict)
    merged_with: dict[Key, None] = field(default_factory=dict)


def declare(
    engine: Engine, gateways: ManagedGateways, attached: AttachedPolicies[S], hierarchy: Hierarchy
) -> Collection[Ref, Entries]:
    """The entries of every policy of a kind."""
    return _Statuses(engine, gateways, attached, hierarchy).declare()


class _Statuses(Generic[S]):
    def __init__(
        self, engine: Engine, gateways: ManagedGateways, attached: AttachedPolicies[S], hierarchy: Hierarchy
    ) -> None:
        self._engine = engine
        self._gateways = gateways
        self._attached = attached
        self._kind = attached.kind
        self._hierarchy = hierarchy
        self._targets_of: Index[Key, CandidateKey] = engine.index(
            f"targets per {self._kind.name}", attached.candidates, lambda key, _candidate: (key[1],)
        )
        self._inheritance: Collection[tuple[Key, Target, int], Inheritance] | None = None
        if self._kind.inherited:
            self._inheritance = inheritance.declare(engine, attached, hierarchy)
            self._inheritance_of: Index[Key, tuple[Key, Target, int]] = engine.index(
                f"inheritance per {self._kind.name}", self._inheritance, lambda key, _each: (key[0],)
            )

    def declare(self) -> Collection[Ref, Entries]:
        return self._engine.flat_map(f"statuses of {self._kind.name}", self._attached.policies, self._status)

    def _status(self, read: Read, key: Key, policy: Policy) -> Iterable[tuple[Ref, Entries]]:
        reports: dict[Ancestor, _Report] = {}
        for candidate in sorted(read.group(self._targets_of, key), key=lambda candidate: candidate[2]):
            self._report_target(read, candidate, reports)
        self._report_inheritance(read, key, reports)
        by_ancestor = {ancestor: self._conditions(policy, report) for ancestor, report in reports.items()}
        status = entries(read, self._gateways, policy.generation, by_ancestor)
        if status:
            yield Ref(self._kind.name, key.namespace, key.name), status

    def _report_target(self, read: Read, candidate: CandidateKey, reports: dict[Ancestor, _Report]) -> None:
        """One target of a policy; if the section is missing, the report goes where that of the whole object would."""
        target, key, path = candidate
        missing = self._missing_section(read, path, target)
        winner = conflicts_with(read, self._attached.effective, target, key)
        for ancestor, _ in self._hierarchy.chains(read, self._kind, target.object if missing else target):
            report = reports.setdefault(ancestor, _Report())
            if winner is not None:
                report.conflicts[conditions.conflicted(path, str(target), self._kind.name, winner)] = None
            if missing is not None:
                report.missing[missing] = None

    def _missing_section(self, read: Read, path: str, target: Target) -> Problem | None:
        if self._hierarchy.has_section(read, target):
            return None
        names = self._hierarchy.sections(read, target) or ()
        section = next(each.section for each in self._kind.targets if each.kind == target.kind)
        return conditions.section_not_found(path, target.kind, target.key, target.section, section, names)

    def _report_inheritance(self, read: Read, key: Key, reports: dict[Ancestor, _Report]) -> None:
        if self._inheritance is None:
            return
        for inheritance_key in read.group(self._inheritance_of, key):
            case = read(self._inheritance, inheritance_key)
            report = reports.get(case.ancestor) if case else None
            if case is None or report is None:
                continue
            if case.merged:
                report.merged_with[case.by] = None
            else:
                report.overridden_by[str(case.target), case.by] = None

    def _conditions(self, policy: Policy, report: _Report) -> Iterable[Condition]:
        problems = [*report.conflicts, *report.missing, *policy.problems]
        yield from (condition_from(good, problems) for good in self._kind.conditions)
        if report.overridden_by:
            yield conditions.overridden(self._kind.name, sorted(report.overridden_by))
        if report.merged_with:
            yield conditions.merged(self._kind.name, sorted(report.merged_with))
