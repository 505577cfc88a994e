"""Rules about a revision in its analysis: detected, given traffic step by step, judged.

The split is written to the status before the route is changed. After a crash between the two, the rule
`route_has_split` finishes the step, so no step is lost or unknown.
"""

from typing import Any

import msgspec

from headgate.api.delivery import CanaryStatus

from .. import gates, route_status
from ..alerting import alert
from ..analysis import checks
from ..analysis.verdict import Failed, Inconclusive, judge
from ..decision import act, next_tick, query, rest, route_progress, wait, wait_a_tick, with_progress, write
from ..effects import Decision, EmitEvent, Patch, normal, warning
from ..release import Release
from ..status import enter_phase, with_counters
from ..strategies import Progress
from ..webhooks import confirm_rollout, pre_rollout, rollout
from .rollback import hold_or_roll_back, roll_back

_FRESH: dict[str, Any] = {"canary_weight": 0, "failed_checks": 0, "iterations": 0}


# ── resting ──────────────────────────────────────────────────────────────────


def repair(release: Release) -> Decision | None:
    """After a failed promotion the canary serves everything. A fix goes to the broken primary without an analysis."""
    if not (release.has_new_revision and release.progress.weight > 0 and release.primary_unready):
        return None
    if release.canary_unready:
        return wait(release, f"canary deployment {release.target_name} not ready: {release.canary_unready.message}")
    after = enter_phase(release.with_revision(release.status), "Promoting", release.kind, release.now)
    return act(release, _detected(release), write(release, after))


def new_revision(release: Release) -> Decision | None:
    """A resting Canary whose target changed: ask for approval, scale it up, begin the analysis."""
    if not release.has_new_revision:
        return None
    waits = release.phase == "Waiting"
    if waits and release.now < next_tick(release):
        return rest(release, next_tick(release))
    gate = gates.ask(release, confirm_rollout.TYPE)
    if isinstance(gate, Decision):
        return gate
    if gate.halted is not None:
        return wait_a_tick(release) if waits else _wait_for_approval(release, gate)
    return act(
        release,
        *gate.events,
        _detected(release),
        write(release, _progressing(release)),
        _scale_up(release),
        *alert(release, "info", "New revision detected, progressing canary analysis.", details=True),
    )


def nothing_to_approve(release: Release) -> Decision | None:
    """The target was set back while its revision waited for approval."""
    phase = "Succeeded" if release.is_promoted else "Failed"
    return act(release, write(release, enter_phase(release.status, phase, release.kind, release.now)))


def _wait_for_approval(release: Release, gate: gates.Gate) -> Decision:
    waiting = enter_phase(release.status, "Waiting", release.kind, release.now)
    message = "Canary is waiting for approval."
    return act(
        release,
        *gate.events,
        write(release, waiting),
        warning(gate.halted or ""),
        *(() if gate.mutes_alert else alert(release, "warn", message)),
        tick=True,
    )


def reverted_at_rest(release: Release) -> Decision | None:
    """A resting Canary whose target was set back to what is promoted. A later second try is then a new revision."""
    if not release.is_promoted or release.status.last_applied_spec == release.revision:
        return None
    return act(release, write(release, release.with_revision(release.status)))


def promotion_resumes(release: Release) -> Decision | None:
    """After a failed promotion the canary serves. If the primary becomes ready after all, the promotion continues."""
    promoted = release.status.last_applied_spec == release.status.last_promoted_spec
    if promoted or release.primary_unready or not release.primary_has_revision:
        return None
    return act(release, write(release, enter_phase(release.status, "Promoting", release.kind, release.now)))


# ── analysed ─────────────────────────────────────────────────────────────────


def reverted(release: Release) -> Decision | None:
    """The target was set back to what is promoted during the analysis: there is nothing left to release."""
    if not release.is_promoted:
        return None
    held = with_progress(release, Progress())
    ended = enter_phase(release.with_revision(held), "Succeeded", release.kind, release.now, failed_checks=0)
    return act(
        release,
        normal(f"Promoted revision is back! Ending analysis for {release.target_name}"),
        write(release, held),
        route_progress(release, Progress()),
        release.workload.scale_to_zero(release.names) if release.target_has_pods else None,
        write(release, ended, held),
    )


def restarted(release: Release) -> Decision | None:
    """Another revision during the analysis: all traffic back to the primary, and from the start."""
    if not release.differs_from_applied:
        return None
    detected = normal(f"New revision detected! Restarting analysis for {release.target_name}")
    return act(release, detected, write(release, _progressing(release)), route_progress(release, Progress()))


def threshold_reached(release: Release) -> Decision | None:
    """Too many failed checks, or a rollback that a crash interrupted."""
    failed = release.status.failed_checks
    if failed < release.threshold:
        return None
    text = f"Rolling back {release.name} failed checks threshold reached {failed}"
    return roll_back(release, text, message=f"Failed checks threshold reached {failed}")


def scaled_up(release: Release) -> Decision | None:
    """A canary under analysis has pods."""
    scale = _scale_up(release)
    return act(release, scale) if scale else None


def progress_within_spec(release: Release) -> Decision | None:
    """An edit of the spec no longer allows the progress, for example because it lowered `maxWeight`."""
    allowed = release.strategy.within_spec(release.canary, release.progress)
    if allowed == release.progress:
        return None
    return act(release, write(release, with_progress(release, allowed)), route_progress(release, allowed))


def primary_ready(release: Release) -> Decision | None:
    """A primary that is not ready holds the rollout; one that will not become ready ends it."""
    reason = release.primary_unready
    if reason is None or release.canary.spec.skip_analysis:
        return None
    return hold_or_roll_back(release, f"{release.primary_name} not ready: {reason.message}", reason.retriable)


def canary_ready(release: Release) -> Decision | None:
    """A canary that is not ready holds the rollout; one that will not become ready ends it."""
    reason = release.canary_unready
    if reason is None:
        return None
    message = f"canary deployment {release.target_name} not ready: {reason.message}"
    return hold_or_roll_back(release, message, reason.retriable)


def analysis_skipped(release: Release) -> Decision | None:
    """With `skipAnalysis` a canary that is ready is promoted."""
    if not release.canary.spec.skip_analysis:
        return None
    after = enter_phase(release.status, "Promoting", release.kind, release.now, **_FRESH)
    return act(release, write(release, after), route_progress(release, Progress()))


def analysis_tick(release: Release) -> Decision | None:
    """One tick: judge, then step. The first step is taken as soon as the canary is ready, without a judgement."""
    started = release.progress.started
    if (started or release.status.failed_checks) and release.now < next_tick(release):
        return rest(release, next_tick(release))
    not_accepted = route_status.not_accepted(release.route) if release.route else None
    if not_accepted:
        return hold_or_roll_back(release, not_accepted, retriable=True)
    gate = gates.ask(release, rollout.TYPE if started else pre_rollout.TYPE)
    if isinstance(gate, Decision):
        return gate
    events = (() if started else (normal(f"Starting canary analysis for {release.target_name}"),)) + gate.events
    if gate.halted is not None:
        return act(release, *events, warning(gate.halted), write(release, _one_more_failed(release)), tick=True)
    return _tick_with_metrics(release) if started else _step(release, *events)


def _tick_with_metrics(release: Release) -> Decision:
    age = release.now - release.began_at
    sources = checks.Sources(release.route, release.snapshot.objects, release.settings, age, release.now)
    asked = checks.checks(release.canary, sources)
    results = release.snapshot.query_results
    if asking := query(release, checks.missing(asked, results)):
        return asking
    verdict = judge(release.canary, asked, results)
    if isinstance(verdict, Inconclusive):
        if release.stalled:
            text = f"Rolling back {release.name} progress deadline exceeded {verdict.message}"
            return roll_back(release, verdict.message, text, message=f"Progress deadline exceeded {verdict.message}")
        return act(release, warning(verdict.message), tick=True)
    if isinstance(verdict, Failed):
        failed = write(release, _one_more_failed(release))
        return act(release, warning(verdict.message), *verdict.observed, failed, tick=True)
    stepped = _step(release)
    return msgspec.structs.replace(stepped, effects=(*verdict.observed, *stepped.effects))


def _one_more_failed(release: Release) -> CanaryStatus:
    return with_counters(release.status, release.now, failed_checks=release.status.failed_checks + 1)


def _step(release: Release, *events: EmitEvent) -> Decision:
    strategy = release.strategy
    following = strategy.advance(release.canary, release.progress)
    if following is None:
        return act(
            release, write(release, enter_phase(release.status, "Promoting", release.kind, release.now)), tick=True
        )
    return act(
        release,
        *events,
        write(release, with_progress(release, following)),
        route_progress(release, following),
        normal(f"Advance {release.name} canary {strategy.describe(release.canary, following)}"),
        tick=True,
    )


def _detected(release: Release) -> EmitEvent:
    return normal(f"New revision detected! Scaling up {release.target_name}")


def _scale_up(release: Release) -> Patch | None:
    if release.target_has_pods:
        return None
    return release.workload.scale_up(release.target, release.primary, release.names)


def _progressing(release: Release) -> CanaryStatus:
    return enter_phase(release.with_revision(release.status), "Progressing", release.kind, release.now, **_FRESH)
