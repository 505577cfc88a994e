"""The status of a Canary: its phases, Flagger's condition `Promoted`, and how it is written.

`Promoted` has the phase as its reason. In phase Progressing its `lastUpdateTime` is when the analysis of the revision
began; a restart renews it. `Accepted` (status False) is there while the spec cannot be followed.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.api import times
from headgate.api.delivery import Canary, CanaryCondition, CanaryStatus
from headgate.api.json_pointer import pointer
from headgate.api.meta import Key
from headgate.api.problems import Problem

from .effects import Effect, Json, Patch
from .problem import ACCEPTED

PROMOTED = "Promoted"

#: Phases in which a revision is being released.
IN_FLIGHT = frozenset({"Progressing", "WaitingPromotion", "Promoting", "Finalising"})

#: phase -> status and message of `Promoted`
_PROMOTED: Mapping[str, tuple[str, str]] = {
    "Initializing": ("Unknown", "New {kind} detected, starting initialization."),
    "Initialized": ("True", "{kind} initialization completed."),
    "Waiting": ("Unknown", "Waiting for approval."),
    "WaitingPromotion": ("Unknown", "Waiting for approval."),
    "Progressing": ("Unknown", "New revision detected, progressing canary analysis."),
    "Promoting": ("Unknown", "Canary analysis completed, starting primary rolling update."),
    "Finalising": ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    "Succeeded": ("True", "Canary analysis completed successfully, promotion finished."),
    "Failed": ("False", "Canary analysis failed, {kind} scaled to zero."),
    "Terminating": ("Unknown", "New {kind} detected, starting initialization."),
}

#: The fields that a patch tests: if one is not as the decision saw it, another writer was faster.
_TESTED = ("phase", "canaryWeight", "iterations", "failedChecks", "lastAppliedSpec")


def enter_phase(
    status: CanaryStatus, phase: str, kind: str, now: float, *, message: str = "", **changes: Any
) -> CanaryStatus:
    """The status in a phase. To enter the current phase again (a restart) renews the condition."""
    stamp = times.rfc3339(now)
    outcome, text = _PROMOTED[phase]
    before = condition(status, PROMOTED)
    changed = before.last_transition_time if before and before.status == outcome and before.reason != phase else stamp
    promoted = CanaryCondition(
        type=PROMOTED,
        status=outcome,
        reason=phase,
        message=message or text.format(kind=kind),
        last_update_time=stamp,
        last_transition_time=changed,
    )
    return msgspec.structs.replace(
        status, phase=phase, last_transition_time=stamp, conditions=_with(status.conditions, promoted), **changes
    )


def with_counters(status: CanaryStatus, now: float, **changes: Any) -> CanaryStatus:
    """The status with other counters in the same phase."""
    return msgspec.structs.replace(status, last_transition_time=times.rfc3339(now), **changes)


def with_problem(status: CanaryStatus, problem: Problem, now: float) -> CanaryStatus:
    """The status with `Accepted=False`."""
    stamp = times.rfc3339(now)
    before = condition(status, ACCEPTED)
    accepted = CanaryCondition(
        type=ACCEPTED,
        status="False",
        reason=problem.reason,
        message=str(problem),
        last_update_time=stamp,
        last_transition_time=before.last_transition_time if before else stamp,
    )
    return msgspec.structs.replace(status, conditions=_with(status.conditions, accepted))


def without_problem(status: CanaryStatus) -> CanaryStatus:
    """The status without `Accepted`."""
    return msgspec.structs.replace(status, conditions=tuple(c for c in status.conditions if c.type != ACCEPTED))


def condition(status: CanaryStatus, type: str) -> CanaryCondition | None:
    """The condition of a type."""
    return next((condition for condition in status.conditions if condition.type == type), None)


def patch(canary: Json, key: Key, before: CanaryStatus, after: CanaryStatus) -> Patch:
    """The patch of the status subresource; it fails if the phase or a counter is no longer what the decision saw.

    Args:
        before: the status when the patch arrives; an earlier effect of the same decision may have set it.
    """
    fields, old = _fields(after), _fields(before)
    current: Json = canary.get("status") or {}
    operations: list[Json] = []
    if not current and before == CanaryStatus():
        operations.append({"op": "add", "path": "/status", "value": fields})
        version = canary["metadata"].get("resourceVersion")
        if version:
            operations.insert(0, {"op": "test", "path": "/metadata/resourceVersion", "value": version})
        return Patch(Canary, key, tuple(operations), "status")
    for name in _TESTED:
        if name in current or before != msgspec.convert(current, CanaryStatus):
            operations.append({"op": "test", "path": pointer("status", name), "value": old[name]})
    operations += [
        {"op": "add", "path": pointer("status", name), "value": value}
        for name, value in fields.items()
        if name not in current or old.get(name) != value
    ]
    operations += [
        {"op": "remove", "path": pointer("status", name)} for name in old if name not in fields and name in current
    ]
    return Patch(Canary, key, tuple(operations), "status")


def phase_after(phase: str, effects: tuple[Effect, ...]) -> str:
    """The phase that a Canary has after some effects."""
    for effect in effects:
        if isinstance(effect, Patch) and effect.type is Canary:
            for operation in effect.operations:
                if operation["op"] == "add" and operation["path"] == "/status/phase":
                    phase = operation["value"]
                if operation["op"] == "add" and operation["path"] == "/status":
                    phase = operation["value"]["phase"]
    return phase


def _fields(status: CanaryStatus) -> Json:
    """As JSON, with the counters that are zero, as Flagger writes them."""
    counters = {
        "phase": status.phase,
        "failedChecks": status.failed_checks,
        "canaryWeight": status.canary_weight,
        "iterations": status.iterations,
        "lastAppliedSpec": status.last_applied_spec,
        "lastPromotedSpec": status.last_promoted_spec,
    }
    given: Json = msgspec.to_builtins(status)
    return counters | given


def _with(conditions: tuple[CanaryCondition, ...], new: CanaryCondition) -> tuple[CanaryCondition, ...]:
    if any(condition.type == new.type for condition in conditions):
        return tuple(new if condition.type == new.type else condition for condition in conditions)
    return (*conditions, new)
