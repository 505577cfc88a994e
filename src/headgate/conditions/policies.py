"""Conditions that every kind of policy can have (GEP-713; `apis/v1/policy_types.go`).

A condition belongs to an entry of `status.ancestors`. `policy_kind` is the kind of the policy that has the condition.
"""

from collections.abc import Sequence

from headgate.api.meta import Condition, Key
from headgate.api.problems import Problem

from .build import new_condition
from .invalid import new_problem

ACCEPTED = "Accepted"
RESOLVED_REFS = "ResolvedRefs"
OVERRIDDEN = "Overridden"
MERGED = "Merged"

#: So many objects are named in one message.
_NAMED = 10


def refs_resolved() -> Condition:
    """Every reference of the policy resolves."""
    return new_condition(RESOLVED_REFS, True, "ResolvedRefs", "all references are resolved")


# Targets.


def unsupported_target(path: str, group: str, kind: str, policy_kind: str, supported: Sequence[str]) -> Problem:
    """A kind that policies of this kind do not target."""
    return new_problem(
        ACCEPTED,
        "Invalid",
        path,
        f"{group or 'core'}/{kind} cannot be the target of {_article(policy_kind)}; use {' or '.join(supported)}",
    )


def section_unsupported(path: str, section: str, policy_kind: str, kind: str) -> Problem:
    """A section, where policies of this kind target whole objects."""
    return new_problem(
        ACCEPTED,
        "Invalid",
        path,
        f"{section!r} is not supported: {_article(policy_kind)} targets a whole {kind}; remove sectionName",
    )


def section_not_found(path: str, kind: str, key: Key, section: str, section_name: str, known: Sequence[str]) -> Problem:
    """The target exists and has no section of this name; `section_name` is what a section is called there."""
    names = ", ".join(repr(name) for name in known if name) or "none with a name"
    return new_problem(
        ACCEPTED,
        "TargetNotFound",
        f"{path}.sectionName",
        f"{kind} {key} has no {section_name} named {section!r}; its {section_name}s are {names}",
    )


def conflicted(path: str, target: str, policy_kind: str, winner: Key) -> Problem:
    """Another policy of the same kind has the same target and takes precedence."""
    return new_problem(
        ACCEPTED,
        "Conflicted",
        path,
        f"{target} is already targeted by {policy_kind} {winner}, which takes precedence (the oldest policy does, then"
        " the first by namespace/name); remove one of the two targetRefs",
    )


# Inheritance.


def overridden(policy_kind: str, policies: Sequence[tuple[str, Key]]) -> Condition:
    """Policies of more specific targets replace this one there; `policies` are pairs of target and policy."""
    listed = [f"{target} ({policy_kind} {policy})" for target, policy in policies]
    return new_condition(
        OVERRIDDEN, True, "Overridden", f"replaced by policies of more specific targets: {_some(listed)}"
    )


def merged(policy_kind: str, policies: Sequence[Key]) -> Condition:
    """This policy takes effect together with these, which have less or more specific targets."""
    listed = [str(policy) for policy in policies]
    return new_condition(MERGED, True, "Merged", f"merged with {policy_kind} {_some(listed)}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    listed = ", ".join(names[:_NAMED])
    return f"{listed} and {more} more" if more > 0 else listed


def _article(kind: str) -> str:
    """`an XBackendTrafficPolicy`, `a BackendTLSPolicy`."""
    return f"{'an' if kind[0] in 'AEIOUX' else 'a'} {kind}"
