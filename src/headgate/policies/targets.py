"""What policies are attached to (GEP-713)."""

from collections.abc import Callable, Iterable

import msgspec

from headgate.api import gateway, gateway_x
from headgate.api.meta import Key
from headgate.conditions import Problem

AnyReference = gateway.LocalPolicyTargetReferenceWithSectionName | gateway_x.LocalPolicyTargetReference

#: A target with its index in `spec.targetRefs`.
Indexed = tuple[int, "Target"]


class Target(msgspec.Struct, frozen=True, gc=False, order=True):
    """An object of the one kind that a policy is for (a Service, a Gateway), or of a Service the port with the name
    `section` (empty: the whole).
    """

    key: Key
    section: str = ""

    def __str__(self) -> str:
        return f"port {self.section!r} of Service {self.key}" if self.section else f"Service {self.key}"


def read(
    policy: Key, refs: Iterable[AnyReference], kind: tuple[str, str], wrong: Callable[[str, str, str], Problem]
) -> tuple[tuple[Indexed, ...], list[Problem]]:
    """The targets of a group and kind; `wrong` says what is wrong with others (path, group, kind)."""
    found: list[Indexed] = []
    problems = []
    for at, ref in enumerate(refs):
        if (ref.group, ref.kind) == kind:
            found.append((at, Target(Key(policy.namespace, ref.name), getattr(ref, "section_name", None) or "")))
        else:
            problems.append(wrong(f"spec.targetRefs[{at}]", ref.group, ref.kind))
    return tuple(found), problems
