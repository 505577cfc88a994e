"""Kinds of workloads that can be released: one module each, found by its `KIND` (`spec.targetRef.kind`).

`deployment.py` is the one to copy.
"""

from collections.abc import Mapping
from typing import Protocol

from headgate.api.meta import Object

from ..effects import Create, Json, Patch
from ..names import Names
from ..pod_template import Primary
from ..problem import NotAcceptedError
from ..readiness import Unready
from ..registry import known, modules
from ..settings import Settings

__all__ = ["KNOWN", "Target", "Unready", "of"]


class Target(Protocol):
    """What a module of this package has. `target` and `primary` are undecoded objects of `TYPE`."""

    #: The word in `spec.targetRef.kind`.
    KIND: str
    TYPE: type[Object]

    def template(self, target: Json) -> Json:
        """What identifies a revision, and refers to its ConfigMaps and Secrets: the pod template."""

    def selector_label(self, target: Json, names: Names, settings: Settings) -> tuple[str, str]:
        """The label, and its value, that tells canary and primary pods apart. Raises `NotAcceptedError`."""

    def has_pods(self, target: Json) -> bool:
        """Whether the target is scaled up."""

    def scale_up(self, target: Json, primary: Json | None, names: Names) -> Patch:
        """Gives the target the pods that it needs to be analysed, or to serve everything."""

    def scale_to_zero(self, names: Names) -> Patch:
        """Takes the target's pods away, until its next revision."""

    def unready(self, workload: Json, threshold: int, deadline: float, now: float) -> Unready | None:
        """Why a target or primary is not rolled out; None if it is.

        Args:
            threshold: percent of the updated pods that must be available.
            deadline: seconds of unavailability after which it is final.
        """

    def create_primary(self, target: Json, canary: Json, how: Primary) -> Create:
        """The primary, new."""

    def promote(self, target: Json, primary: Json, how: Primary) -> Patch:
        """Gives the primary what the target runs."""

    def is_copy(self, target: Json, primary: Json, how: Primary) -> bool:
        """Whether the primary runs what the target runs."""


#: The kinds of targets.
KNOWN: Mapping[str, Target] = modules(__name__, __path__, "KIND")


def of(kind: str) -> Target:
    """The target module of a kind. Raises `NotAcceptedError` with the known kinds."""
    if kind not in KNOWN:
        message = f"{kind} is not supported; supported: {known(KNOWN)}"
        raise NotAcceptedError("spec.targetRef.kind", message, "Unsupported")
    return KNOWN[kind]
