"""Rules about a revision on its way through the analysis: seen, stepped up, judged, rolled back.

The status says what the weight is to be before the route is changed. So a crash between the two leaves a status that
the rule `route_weights` carries out, and never a step that nobody knows of.
"""

from typing import Any

import msgspec

from headgate.api.delivery import CanaryStatus

from . import primary, routes
from .analysis import checks
from .analysis.checks import Blind, Halted
from .deciding import act, asking, due, rest, wait, weights, write
from .effects import Count, Decision, normal, warning
from .problems import Problem, RefusedError
from .release import Release
from .status import IN_FLIGHT, count, enter, refuse
from .strategies import canary as strategy

_FRESH: dict[str, Any] = {"canary_weight": 0, "failed_checks": 0, "iterations": 0}


def new_revision(release: Release) -> Decision | None:
    """A resting Canary whose target changed: scale it up, begin the analysis."""
    if not release.has_new_revision:
        return None
    if release.weight > 0 and release.primary_unready:
        return _repair(release)
    detected = normal(f"New revision detected! Scaling up {release.names.target}.{release.names.namespace}")
    scale = None if release.target_replicas else primary.scale(release.names, release.full_replicas)
    return act(release, detected, write(release, _progressing(release)), scale)


def back_at_promoted(release: Release) -> Decision | None:
    """A resting Canary whose target was set back to what is promoted: noted, so that a second try is a new revision."""
    if not release.is_promoted or release.status.last_applied_spec == release.revision:
        return None
    return act(release, write(release, release.with_status(release.status)))


def promotion_resumes(release: Release) -> Decision | None:
    """After a failed promotion the canary serves; when the primary comes up after all, the promotion goes on."""
    promoted = release.status.last_applied_spec == release.status.last_promoted_spec
    if promoted or release.primary_unready or not release.primary_has_mark:
        return None
    return act(release, write(release, enter(release.status, "Promoting", release.kind, release.now)))


def taken_back(release: Release) -> Decision | None:
    """The target was set back to what is promoted in the middle of the analysis: nothing is left to release."""
    if not release.is_promoted:
        return None
    held = count(release.status, release.now, canary_weight=0)
    ended = enter(release.with_status(held), "Succeeded", release.kind, release.now, failed_checks=0, iterations=0)
    name = f"{release.names.target}.{release.names.namespace}"
    return act(
        release,
        normal(f"Promoted revision is back! Ending analysis for {name}"),
        write(release, held),
        weights(release, 0),
        primary.scale(release.names, 0) if release.target_replicas else None,
        write(release, ended, held),
    )


def restarted(release: Release) -> Decision | None:
    """Another revision in the middle of the analysis: all traffic back, and from the start."""
    if release.revision == release.status.last_applied_spec and not release.configs_changed:
        return None
    name = f"{release.names.target}.{release.names.namespace}"
    detected = normal(f"New revision detected! Restarting analysis for {name}")
    return act(release, detected, write(release, _progressing(release)), weights(release, 0))


def threshold_reached(release: Release) -> Decision | None:
    """Too many failed checks (or a roll-back that a crash cut short)."""
    if release.status.failed_checks < release.threshold:
        return None
    count = release.status.failed_checks
    return roll_back(release, f"Rolling back {_name(release)} failed checks threshold reached {count}")


def scaled_up(release: Release) -> Decision | None:
    """A canary under analysis has pods."""
    if release.target_replicas:
        return None
    return act(release, primary.scale(release.names, release.full_replicas))


def clipped(release: Release) -> Decision | None:
    """An edit made `maxWeight` smaller than the weight."""
    most = strategy.maximum(release.canary.spec.analysis)
    if release.weight <= most:
        return None
    return act(release, write(release, count(release.status, release.now, canary_weight=most)), weights(release, most))


def primary_ready(release: Release) -> Decision | None:
    """A primary that is not ready holds the release; one that will not get ready ends it."""
    reason = release.primary_unready
    if reason is None or release.canary.spec.skip_analysis:
        return None
    message = f"{release.names.primary}.{release.names.namespace} not ready: {reason.message}"
    return _hold_or_end(release, message, reason.retriable)


def canary_ready(release: Release) -> Decision | None:
    """The same for the canary."""
    reason = release.canary_unready
    if reason is None:
        return None
    message = f"canary deployment {release.names.target}.{release.names.namespace} not ready: {reason.message}"
    return _hold_or_end(release, message, reason.retriable)


def skipped(release: Release) -> Decision | None:
    """`skipAnalysis`: a canary that runs is promoted."""
    if not release.canary.spec.skip_analysis:
        return None
    after = enter(release.status, "Promoting", release.kind, release.now, **_FRESH)
    return act(release, write(release, after), weights(release, 0))


def analysed(release: Release) -> Decision | None:
    """One tick: measure, then step. The first step is taken as soon as the canary is ready, without a measurement."""
    starting = release.weight == 0 and release.status.failed_checks == 0
    if not starting and release.now < due(release):
        return rest(release, due(release))
    unsettled = routes.unsettled(release.route) if release.route else None
    if unsettled:
        return _hold_or_end(release, unsettled, retriable=True)
    if release.weight == 0:
        return _step(release, f"Starting canary analysis for {release.names.target}.{release.names.namespace}")
    return _measured(release)


def roll_back(release: Release, *reasons: str) -> Decision:
    """All traffic to the primary at once, the canary to zero.

    The first write marks the decision (weight 0, threshold reached), so that after a crash it is taken again.
    """
    held = count(
        release.status,
        release.now,
        canary_weight=0,
        failed_checks=max(release.status.failed_checks, release.threshold),
    )
    failed = enter(held, "Failed", release.kind, release.now, failed_checks=0, iterations=0)
    has_pods = bool(_target_replicas(release))
    return act(
        release,
        *(warning(reason) for reason in reasons),
        write(release, held),
        weights(release, 0),
        warning(f"Canary failed! Scaling down {_name(release)}"),
        primary.scale(release.names, 0) if has_pods else None,
        write(release, failed, held),
        Count("failure", strategy.NAME, "completed"),
    )


def refused(release: Release, problem: Problem) -> Decision:
    """A field that cannot be followed becomes an event and a condition; a release under way is rolled back first.

    A missing ConfigMap or Secret may yet come: that is waited for, as long as the Canary allows.
    """
    after = refuse(release.status, problem, release.now)
    if release.phase in IN_FLIGHT and (problem.reason != "ConfigNotFound" or release.stalled):
        return roll_back(release, str(problem))
    if release.phase and (left := weights(release, release.weight)):
        return act(release, left)  # a refusal does not keep us from finishing what a crash left
    known = {condition.message for condition in release.status.conditions}
    if str(problem) in known:
        return rest(
            release, release.now + (max(10.0, release.interval) if problem.reason == "ConfigNotFound" else 300.0)
        )
    text = problem.message if problem.reason.endswith("NotFound") else str(problem)
    return act(release, warning(text), write(release, after))


def _hold_or_end(release: Release, message: str, retriable: bool) -> Decision:
    if not retriable:
        return roll_back(release, message)
    if release.stalled:
        return roll_back(release, message, f"Rolling back {_name(release)} progress deadline exceeded {message}")
    return wait(release, message, until=release.changed_at + release.deadline + 1)


def _measured(release: Release) -> Decision:
    age = release.now - release.began_at
    asked = checks.checks(release.canary, release.route, release.seen.objects, release.settings, age)
    questions = [check.question for check in asked if check.question is not None]
    if questions and release.seen.answers is None:
        return asking(release, questions)
    verdict = checks.judge(release.canary, asked, release.seen.answers or {})
    if isinstance(verdict, Blind):
        if release.stalled:
            text = f"Rolling back {_name(release)} progress deadline exceeded {verdict.message}"
            return roll_back(release, verdict.message, text)
        return act(release, warning(verdict.message), ticked=True)
    if isinstance(verdict, Halted):
        failed = count(release.status, release.now, failed_checks=release.status.failed_checks + 1)
        return act(release, warning(verdict.message), *verdict.measured, write(release, failed), ticked=True)
    stepped = _step(release)
    return msgspec.structs.replace(stepped, effects=(*verdict.measured, *stepped.effects))


def _step(release: Release, *said: str) -> Decision:
    analysis = release.canary.spec.analysis
    if release.weight >= strategy.maximum(analysis):
        after = enter(release.status, "Promoting", release.kind, release.now)
        return act(release, write(release, after), ticked=True)
    weight = strategy.following(analysis, release.weight)
    return act(
        release,
        *(normal(text) for text in said),
        write(release, count(release.status, release.now, canary_weight=weight)),
        weights(release, weight),
        normal(f"Advance {_name(release)} canary weight {weight}"),
        ticked=True,
    )


def _repair(release: Release) -> Decision:
    """After a failed promotion the canary serves everything; a fix goes to the broken primary without a detour over
    it."""
    if release.canary_unready:
        name = f"canary deployment {release.names.target}.{release.names.namespace}"
        return wait(release, f"{name} not ready: {release.canary_unready.message}")
    detected = normal(f"New revision detected! Scaling up {release.names.target}.{release.names.namespace}")
    after = enter(release.with_status(release.status), "Promoting", release.kind, release.now)
    return act(release, detected, write(release, after))


def _progressing(release: Release) -> CanaryStatus:
    return enter(release.with_status(release.status), "Progressing", release.kind, release.now, **_FRESH)


def _target_replicas(release: Release) -> int:
    try:
        return release.target_replicas
    except RefusedError:
        return 0


def _name(release: Release) -> str:
    return f"{release.canary.metadata.name}.{release.names.namespace}"
