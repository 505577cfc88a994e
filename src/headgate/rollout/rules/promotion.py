"""Rules about a revision that passed its analysis: into the primary, traffic back to it, the canary to zero."""

from typing import Literal

from .. import configs, route_status, strategies
from ..alerting import alert
from ..decision import act, next_tick, rest, route_progress, route_split, wait, with_progress, write
from ..effects import CountRollout, Decision, normal, warning
from ..release import Release
from ..status import enter_phase
from ..strategies import Progress
from .analysis import restarted


def promote_spec(release: Release) -> Decision | None:
    """The primary gets the analysed revision, and no other: if the target changed since, the analysis restarts."""
    if release.primary is None or release.primary_has_revision:
        return None
    if release.differs_from_applied:
        return restarted(release)
    return act(
        release,
        normal(f"Copying {release.target_name} template spec to {release.primary_name}"),
        *configs.copies(release.configs, release.snapshot.canary, release.settings),
        release.workload.promote(release.target, release.primary, release.analysed_primary),
        tick=True,
    )


def superseded(release: Release) -> Decision | None:
    """A newer revision in the canary's pods gets no traffic before its own analysis."""
    if not release.split.canary or not release.differs_from_applied:
        return None
    text = "New revision detected during promotion! Routing all traffic to primary"
    after = with_progress(release, Progress())
    return act(release, normal(text), write(release, after), route_progress(release, Progress()))


def primary_rolled_out(release: Release) -> Decision | None:
    """The primary rolls out. If it cannot, all traffic goes where it works: to the canary."""
    reason = release.primary_unready
    if reason is None:
        return None
    message = f"{release.primary_name} not ready: {reason.message}"
    if reason.retriable and not release.stalled:
        return wait(release, message, until=release.changed_at + release.deadline + 1)
    works = not release.differs_from_applied and not release.canary_unready and release.target_has_pods
    weight = 100 if works else 0
    failed = enter_phase(
        release.status,
        "Failed",
        release.kind,
        release.now,
        message=f"Promotion failed, primary not ready: {reason.message}",
        canary_weight=weight,
        failed_checks=0,
        iterations=0,
    )
    split = strategies.split_at(release.canary, Progress(weight))
    return act(
        release,
        warning(f"Promotion of {release.target_name} failed, primary not ready: {reason.message}"),
        write(release, failed),
        route_split(release, split),
        CountRollout("failure", strategies.name(release.canary.spec.analysis), _analysis(release)),
        *alert(release, "error", f"Promotion failed, primary not ready: {reason.message}"),
    )


def route_to_primary(release: Release) -> Decision | None:
    """Traffic goes back to the primary, at once or in steps of `stepWeightPromotion`."""
    in_steps = release.canary.spec.analysis.step_weight_promotion > 0
    if in_steps and release.split.canary and release.now < next_tick(release):
        return rest(release, next_tick(release))
    following = strategies.recede(release.canary, release.progress)
    if following.started:
        after = with_progress(release, following)
    else:
        after = enter_phase(release.status, "Finalising", release.kind, release.now, canary_weight=0, iterations=0)
    event = (
        normal(f"Advance {release.name} primary weight {100 - following.weight}")
        if in_steps
        else normal("Routing all traffic to primary")
    )
    return act(
        release,
        write(release, after),
        route_progress(release, following),
        event if release.split.canary else None,
        tick=True,
    )


def completed(release: Release) -> Decision | None:
    """One interval later, when gateways have the split and the last requests are answered, the canary rests."""
    if release.now < next_tick(release):
        return rest(release, next_tick(release))
    not_accepted = route_status.not_accepted(release.route) if release.route else None
    if not_accepted and not release.stalled:
        return wait(release, not_accepted, until=release.changed_at + release.deadline + 1)
    after = enter_phase(
        release.status,
        "Succeeded",
        release.kind,
        release.now,
        canary_weight=0,
        iterations=0,
        last_promoted_spec=release.status.last_applied_spec,
    )
    skipped = release.canary.spec.skip_analysis
    text = (
        f"Promotion completed! Canary analysis was skipped for {release.target_name}"
        if skipped
        else f"Promotion completed! Scaling down {release.target_name}"
    )
    message = (
        "Canary analysis was skipped, promotion finished."
        if skipped
        else "Canary analysis completed successfully, promotion finished."
    )
    rests = release.target_has_pods and not release.differs_from_applied
    return act(
        release,
        release.workload.scale_to_zero(release.names) if rests else None,
        write(release, after),
        CountRollout("success", strategies.name(release.canary.spec.analysis), _analysis(release)),
        normal(text),
        *alert(release, "info", message),
    )


def _analysis(release: Release) -> Literal["completed", "skipped"]:
    return "skipped" if release.canary.spec.skip_analysis else "completed"
