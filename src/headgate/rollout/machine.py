"""The state machine of a rollout: the first rule of the table that returns a decision decides.

What holds for every rule:

1. A decision depends on the snapshot and the time only. It is total: whatever the objects are, there is a decision.
2. Effects are few and in order; after them the machine decides again on a new snapshot. To perform a decision twice, or
   only its first half, does no harm.
3. A rule that needs a value returns its queries. Results accumulate in the snapshot, so several rules may query in one
   round; a query without a result is asked again, never assumed.
4. The split is written to the status before the route is changed; `route has split` makes the route follow the status
   in every phase. So the canary never gets more than the larger of the shares before and after a step.
5. Of an existing route only the split changes, and the fields that the spec newly wants.
6. A new revision, a restart and everything about objects happens at once; only the analysis is paced by its interval.
7. Every rollout ends: a failed check counts, and a phase without progress for `progressDeadlineSeconds` is rolled back.
8. A field that cannot be followed becomes an event and a condition, whichever rule finds it.

The rows are in the order in which they are tried. Each declares the phases in which it is tried (none: all) and the
phases that its decisions may enter (none: the phase stays). `diagram.py` draws the table; laws hold every decision to
it.
"""

from collections.abc import Callable

import msgspec

from . import gates
from .decision import write
from .effects import Decision
from .problem import ACCEPTED, NotAcceptedError
from .release import Release
from .rules import analysis, deletion, objects, promotion, rollback
from .settings import Settings
from .snapshot import Snapshot
from .status import IN_FLIGHT, condition, phase_after, without_problem
from .validation import is_ours


class Rule(msgspec.Struct, frozen=True):
    """A row of the table.

    Attributes:
        phases: where the rule is tried; empty: in every phase.
        to: the phases that its decisions may enter.
    """

    name: str
    phases: frozenset[str]
    apply: Callable[[Release], Decision | None]
    to: frozenset[str]


def _rule(name: str, phases: str, apply: Callable[[Release], Decision | None], to: str = "") -> Rule:
    return Rule(name, frozenset(phases.split()), apply, frozenset(to.split()))


_RESTING = "Initialized Succeeded Failed Waiting"
_ANALYSED = "Progressing WaitingPromotion"

TABLE: tuple[Rule, ...] = (
    _rule("other provider", "", objects.other_provider),
    _rule("deletion", "", deletion.deletion, to="Terminating"),
    _rule("suspended", "", objects.suspended),
    _rule("finalizer", "", deletion.finalizer),
    _rule("invalid spec", "", objects.invalid_spec),
    Rule("initialize", frozenset({""}), objects.initialize, frozenset({"Initializing"})),
    _rule("take over", "", objects.take_over),
    _rule("workload services", "", objects.workload_services),
    _rule("primary created", "", objects.primary_created),
    _rule("primary initialized", "Initializing", objects.primary_initialized),
    _rule("apex service", "", objects.apex_service),
    _rule("route", "", objects.route),
    _rule("route has split", "", objects.route_has_split),
    _rule("initialized", "Initializing", objects.initialized, to="Initialized"),
    _rule("repair", "Failed", analysis.repair, to="Promoting"),
    _rule("new revision", _RESTING, analysis.new_revision, to="Waiting Progressing"),
    _rule("nothing to approve", "Waiting", analysis.nothing_to_approve, to="Succeeded Failed"),
    _rule("reverted at rest", _RESTING, analysis.reverted_at_rest),
    _rule("promotion resumes", "Failed", analysis.promotion_resumes, to="Promoting"),
    _rule("reverted", _ANALYSED, analysis.reverted, to="Succeeded"),
    _rule("restarted", _ANALYSED, analysis.restarted, to="Progressing"),
    _rule("threshold reached", _ANALYSED, analysis.threshold_reached, to="Failed"),
    _rule("scaled up", _ANALYSED, analysis.scaled_up),
    _rule("progress within spec", _ANALYSED, analysis.progress_within_spec),
    _rule("primary ready", _ANALYSED, analysis.primary_ready, to="Failed"),
    _rule("canary ready", _ANALYSED, analysis.canary_ready, to="Failed"),
    _rule("analysis skipped", _ANALYSED, analysis.analysis_skipped, to="Promoting"),
    _rule("analysis tick", _ANALYSED, analysis.analysis_tick, to="Promoting Failed"),
    _rule("promote spec", "Promoting", promotion.promote_spec, to="Progressing"),
    _rule("superseded", "Promoting", promotion.superseded),
    _rule("primary rolled out", "Promoting Finalising", promotion.primary_rolled_out, to="Failed"),
    _rule("route to primary", "Promoting", promotion.route_to_primary, to="Finalising"),
    _rule("completed", "Finalising", promotion.completed, to="Succeeded"),
)

#: What every rule may lead to instead, by raising `NotAcceptedError`.
NOT_ACCEPTED = Rule("not accepted", IN_FLIGHT, lambda _: None, frozenset({"Failed"}))

#: Seconds until everything is looked at again without a change: a watch may have missed something, and Secrets are read
#: by name and not watched.
_RESYNC = 300.0
_RESYNC_SECRETS = 10.0


def decide(snapshot: Snapshot, now: float, settings: Settings, table: tuple[Rule, ...] = TABLE) -> Decision:
    """What to do now. Raises `DecodeError` for a Canary that cannot be decoded.

    Args:
        now: seconds since the epoch.
    """
    release = Release(snapshot, now, settings)
    for rule in table:
        if rule.phases and release.phase not in rule.phases:
            continue
        try:
            decision = rule.apply(release)
        except NotAcceptedError as error:
            decision, name = rollback.not_accepted(release, error.problem), NOT_ACCEPTED.name
            return _with_event_webhooks(release, msgspec.structs.replace(decision, rule=name))
        if decision is not None:
            return _finished(release, msgspec.structs.replace(decision, rule=rule.name))
    return _finished(release, Decision(memory=snapshot.memory, rule="rest"))


def _finished(release: Release, decision: Decision) -> Decision:
    """A decision that only waits also removes a condition that no longer holds, and is made again after a while."""
    if decision.effects:
        return _with_event_webhooks(release, decision)
    if decision.queries or not _is_looked_after(release):
        return decision
    if condition(release.status, ACCEPTED):
        return msgspec.structs.replace(decision, effects=(write(release, without_problem(release.status)),))
    try:
        secret = any(config.ref.kind == "secret" for config in release.configs)
    except NotAcceptedError:
        secret = True
    resync = release.now + (max(_RESYNC_SECRETS, release.interval) if secret else _RESYNC)
    requeue_at = resync if decision.requeue_at is None else min(decision.requeue_at, resync)
    return msgspec.structs.replace(decision, requeue_at=requeue_at)


def _with_event_webhooks(release: Release, decision: Decision) -> Decision:
    """The decision with the calls of event webhooks for its events."""
    phase = phase_after(release.phase, decision.effects)
    notifications = gates.event_notifications(release, decision.effects, phase)
    return msgspec.structs.replace(decision, effects=(*decision.effects, *notifications))


def _is_looked_after(release: Release) -> bool:
    return (
        is_ours(release.canary, release.settings)
        and release.canary.metadata.deletion_timestamp is None
        and not release.canary.spec.suspend
    )
