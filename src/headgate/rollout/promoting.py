"""Rules about a revision that passed: into the primary, traffic back to it, the canary to zero."""

from typing import Literal

from . import configs, primary, routes
from .advancing import restarted
from .deciding import act, due, rest, wait, weights, write
from .effects import Count, Decision, normal, warning
from .release import Release
from .status import count, enter
from .strategies import canary as strategy


def copied(release: Release) -> Decision | None:
    """The primary has the analysed revision, and no other: what the target became meanwhile is not copied."""
    if release.primary is None or release.primary_has_mark:
        return None
    if _changed(release):
        return restarted(release)
    names, settings = release.names, release.settings
    renames = configs.renames(release.configs)
    copying = normal(f"Copying {names.target}.{names.namespace} template spec to {names.primary}.{names.namespace}")
    return act(
        release,
        copying,
        *configs.copies(release.configs, release.seen.canary, settings),
        primary.promote(release.target, release.primary, names, renames, release.mark, settings),
        ticked=True,
    )


def overtaken(release: Release) -> Decision | None:
    """A newer revision in the canary's pods gets no traffic before its own analysis."""
    if release.weight == 0 or not _changed(release):
        return None
    after = count(release.status, release.now, canary_weight=0)
    text = "New revision detected during promotion! Routing all traffic to primary"
    return act(release, normal(text), write(release, after), weights(release, 0))


def primary_updated(release: Release) -> Decision | None:
    """The primary rolls out. If it cannot, traffic stays where it works: on the canary."""
    reason = release.primary_unready
    if reason is None:
        return None
    message = f"{release.names.primary}.{release.names.namespace} not ready: {reason.message}"
    if reason.retriable and not release.stalled:
        return wait(release, message, until=release.changed_at + release.deadline + 1)
    works = not _changed(release) and not release.canary_unready and release.target_replicas > 0
    weight = 100 if works else 0
    failed = enter(
        release.status,
        "Failed",
        release.kind,
        release.now,
        message=f"Promotion failed, primary not ready: {reason.message}",
        canary_weight=weight,
        failed_checks=0,
        iterations=0,
    )
    name = f"{release.names.target}.{release.names.namespace}"
    return act(
        release,
        warning(f"Promotion of {name} failed, primary not ready: {reason.message}"),
        write(release, failed),
        weights(release, weight),
        Count("failure", strategy.NAME, _analysis(release)),
    )


def shifted(release: Release) -> Decision | None:
    """Traffic goes back to the primary, at once or in steps."""
    weight = strategy.receding(release.canary.spec.analysis, release.weight)
    in_steps = release.canary.spec.analysis.step_weight_promotion > 0
    if in_steps and release.weight > 0 and release.now < due(release):
        return rest(release, due(release))
    said = (
        normal(f"Advance {release.canary.metadata.name}.{release.names.namespace} primary weight {100 - weight}")
        if in_steps
        else normal("Routing all traffic to primary")
    )
    if weight > 0:
        after = count(release.status, release.now, canary_weight=weight)
    else:
        after = enter(release.status, "Finalising", release.kind, release.now, canary_weight=0, iterations=0)
    return act(
        release,
        write(release, after),
        weights(release, weight),
        said if release.weight else None,
        ticked=True,
    )


def completed(release: Release) -> Decision | None:
    """One interval later, when the gateways have the weights and the last requests are answered, the canary rests."""
    if release.now < due(release):
        return rest(release, due(release))
    unsettled = routes.unsettled(release.route) if release.route else None
    if unsettled and not release.stalled:
        return wait(release, unsettled, until=release.changed_at + release.deadline + 1)
    after = enter(
        release.status,
        "Succeeded",
        release.kind,
        release.now,
        canary_weight=0,
        iterations=0,
        last_promoted_spec=release.status.last_applied_spec,
    )
    name = f"{release.names.target}.{release.names.namespace}"
    skipped = release.canary.spec.skip_analysis
    text = (
        f"Promotion completed! Canary analysis was skipped for {name}"
        if skipped
        else f"Promotion completed! Scaling down {name}"
    )
    rests = release.target_replicas > 0 and not _changed(release)
    return act(
        release,
        primary.scale(release.names, 0) if rests else None,
        write(release, after),
        Count("success", strategy.NAME, _analysis(release)),
        normal(text),
    )


def _changed(release: Release) -> bool:
    return release.revision != release.status.last_applied_spec or release.configs_changed


def _analysis(release: Release) -> Literal["completed", "skipped"]:
    return "skipped" if release.canary.spec.skip_analysis else "completed"
