"""Ends a rollout: all traffic to the primary, the canary to zero. And handles a spec that cannot be followed."""

from headgate.api.problems import Problem

from .. import strategies
from ..alerting import alert
from ..decision import act, rest, route_split, wait, with_progress, write
from ..effects import CountRollout, Decision, Patch, warning
from ..problem import NotAcceptedError
from ..release import Release
from ..split import Split
from ..status import IN_FLIGHT, enter_phase, with_problem
from ..strategies import Progress

#: Seconds until a spec that is not accepted is looked at again without a change.
_RETRY = 300.0
#: The same for a missing ConfigMap or Secret: Secrets are not watched.
_RETRY_CONFIG = 10.0


def roll_back(release: Release, *reasons: str, message: str = "") -> Decision:
    """All traffic to the primary at once, the canary to zero.

    Args:
        reasons: the texts of events.
        message: of the alert, if it is not the first reason.

    The first write of the status (no progress, threshold reached) records the decision, so that it is made again after
    a crash.
    """
    held = with_progress(release, Progress(), failed_checks=max(release.status.failed_checks, release.threshold))
    failed = enter_phase(held, "Failed", release.kind, release.now, failed_checks=0)
    target = release.existing_target
    scaled_up = target is not None and release.workload.has_pods(target)
    return act(
        release,
        *(warning(reason) for reason in reasons),
        write(release, held),
        _route_or_none(release, strategies.split_at(release.canary, Progress())),
        warning(f"Canary failed! Scaling down {release.name}"),
        release.workload.scale_to_zero(release.names) if scaled_up else None,
        write(release, failed, held),
        CountRollout("failure", strategies.name(release.canary.spec.analysis), "completed"),
        *alert(release, "error", message or reasons[0]),
    )


def hold_or_roll_back(release: Release, message: str, retriable: bool) -> Decision:
    """Waits for what the message names, up to the deadline of the Canary."""
    if not retriable:
        return roll_back(release, message)
    if release.stalled:
        text = f"Rolling back {release.name} progress deadline exceeded {message}"
        return roll_back(release, message, text, message=f"Progress deadline exceeded {message}")
    return wait(release, message, until=release.changed_at + release.deadline + 1)


def not_accepted(release: Release, problem: Problem) -> Decision:
    """A field that cannot be followed becomes an event and a condition; a rollout in flight is rolled back first.

    A missing ConfigMap or Secret may still be created: that is waited for, up to the deadline of the Canary.
    """
    waits = problem.reason == "ConfigNotFound"
    if release.phase in IN_FLIGHT and (not waits or release.stalled):
        return roll_back(release, str(problem))
    if release.phase and (patch := _route_or_none(release, release.split)):
        return act(release, patch)  # what a crash left is finished all the same
    if str(problem) in {condition.message for condition in release.status.conditions}:
        return rest(release, release.now + (max(_RETRY_CONFIG, release.interval) if waits else _RETRY))
    text = problem.message if problem.reason.endswith("NotFound") else str(problem)
    return act(release, warning(text), write(release, with_problem(release.status, problem, release.now)))


def _route_or_none(release: Release, split: Split) -> Patch | None:
    """The patch for a split. If the route cannot express its conditions, the canary gets nothing."""
    try:
        return route_split(release, split)
    except NotAcceptedError:
        return route_split(release, Split())
