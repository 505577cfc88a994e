"""The state machine of a rollout: the first rule of the table that has something to say decides.

What holds for every rule:

1. A decision is made of what is seen and of the time. It is total: whatever the objects look like, there is an answer.
2. Effects are few and in order; after them the machine is asked again with fresh eyes. Doing a decision twice, or only
   its first half, is harmless.
3. The status says what the weight is to be before the route is changed; `route weights` makes the route follow the
   status in every phase. So at no instant does the canary get more than the larger of the weights before and after a
   step.
4. Of an existing route only weights change, and the fields that the spec newly asks for.
5. A new revision, a restart and everything about objects happens at once; only the analysis is paced by its interval.
6. Every rollout ends: a failed check counts, a phase without progress for `progressDeadlineSeconds` is rolled back.
7. A field that cannot be followed is refused with an event and a condition, wherever it is noticed.

The rows stand in the order in which they are asked. An empty set of phases means all of them.
"""

from collections.abc import Callable

import msgspec

from . import advancing, leaving, preparing, promoting
from .deciding import write
from .effects import Decision
from .problems import RefusedError, is_ours
from .release import Release
from .seen import Seen
from .settings import Settings
from .status import ACCEPTED, accept, condition


class Rule(msgspec.Struct, frozen=True):
    """A row: in these phases, what this function says."""

    name: str
    phases: frozenset[str]
    apply: Callable[[Release], Decision | None]


def _rule(name: str, phases: str, apply: Callable[[Release], Decision | None]) -> Rule:
    return Rule(name, frozenset(phases.split()), apply)


_RESTING = "Initialized Succeeded Failed Waiting"
_JUDGED = "Progressing WaitingPromotion"

TABLE: tuple[Rule, ...] = (
    _rule("another provider's", "", preparing.stranger),
    _rule("leaving", "", leaving.leaving),
    _rule("suspended", "", preparing.suspended),
    _rule("finalizer", "", leaving.finalizer),
    _rule("impossible", "", preparing.impossible),
    Rule("begin", frozenset({""}), preparing.begin),
    _rule("take over", "", preparing.take_over),
    _rule("workload services", "", preparing.workload_services),
    _rule("primary exists", "", preparing.primary_exists),
    _rule("primary serves", "Initializing", preparing.primary_serves),
    _rule("apex service", "", preparing.apex_service),
    _rule("route", "", preparing.route),
    _rule("route weights", "", preparing.route_weights),
    _rule("initialised", "Initializing", preparing.initialised),
    _rule("new revision", _RESTING, advancing.new_revision),
    _rule("back at promoted", _RESTING, advancing.back_at_promoted),
    _rule("promotion resumes", "Failed", advancing.promotion_resumes),
    _rule("taken back", _JUDGED, advancing.taken_back),
    _rule("restarted", _JUDGED, advancing.restarted),
    _rule("threshold reached", _JUDGED, advancing.threshold_reached),
    _rule("scaled up", _JUDGED, advancing.scaled_up),
    _rule("clipped", _JUDGED, advancing.clipped),
    _rule("primary ready", _JUDGED, advancing.primary_ready),
    _rule("canary ready", _JUDGED, advancing.canary_ready),
    _rule("analysis skipped", _JUDGED, advancing.skipped),
    _rule("analysed", _JUDGED, advancing.analysed),
    _rule("copied", "Promoting", promoting.copied),
    _rule("overtaken", "Promoting", promoting.overtaken),
    _rule("primary updated", "Promoting Finalising", promoting.primary_updated),
    _rule("shifted", "Promoting", promoting.shifted),
    _rule("completed", "Finalising", promoting.completed),
)

#: Seconds after which everything is looked at again without any change: a watch may have missed something, and Secrets
#: are read by name and not watched.
_RESYNC = 300.0
_RESYNC_SECRETS = 10.0


def decide(seen: Seen, now: float, settings: Settings) -> Decision:
    """What to do now. Raises `DecodeError` for a Canary that is none."""
    release = Release(seen, now, settings)
    for rule in TABLE:
        if rule.phases and release.phase not in rule.phases:
            continue
        try:
            decision = rule.apply(release)
        except RefusedError as refusal:
            return msgspec.structs.replace(advancing.refused(release, refusal.problem), rule=rule.name)
        if decision is not None:
            return _finished(release, msgspec.structs.replace(decision, rule=rule.name))
    return _finished(release, Decision(memory=seen.memory, rule="rest"))


def _finished(release: Release, decision: Decision) -> Decision:
    """A decision that only waits also takes away a refusal that no longer holds, and looks again some day."""
    if decision.effects or decision.questions or not _is_looked_after(release):
        return decision
    if condition(release.status, ACCEPTED):
        return msgspec.structs.replace(decision, effects=(write(release, accept(release.status)),))
    try:
        secret = any(config.ref.kind == "secret" for config in release.configs)
    except RefusedError:
        secret = True
    resync = release.now + (max(_RESYNC_SECRETS, release.interval) if secret else _RESYNC)
    wake = resync if decision.wake is None else min(decision.wake, resync)
    return msgspec.structs.replace(decision, wake=wake)


def _is_looked_after(release: Release) -> bool:
    return (
        is_ours(release.canary, release.settings)
        and release.canary.metadata.deletion_timestamp is None
        and not release.canary.spec.suspend
    )
