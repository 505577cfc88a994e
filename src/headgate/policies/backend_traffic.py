"""XBackendTrafficPolicy (Gateway API v1.7, experimental; GEP-3388): what one policy says, by itself."""

import math

import msgspec

from headgate.api import durations
from headgate.api import gateway_x as api
from headgate.api.meta import Key
from headgate.conditions import Invalid, Problem
from headgate.conditions import backend_traffic_policy as say
from headgate.ir.limits import RetryBudget
from headgate.ir.sessions import SessionPersistence

from . import sessions
from . import targets as targets_of
from .targets import Indexed

_CONSTRAINT = "spec.retryConstraint"


class Policy(msgspec.Struct, frozen=True):
    """A policy as it is written. `targets` carry their index in `spec.targetRefs`; a policy with problems of its own
    limits nothing.
    """

    generation: int
    created: str
    targets: tuple[Indexed, ...]
    budget: RetryBudget | None
    session: SessionPersistence | None
    problems: tuple[Problem, ...]


def read(key: Key, found: api.XBackendTrafficPolicy) -> Policy:
    """What a policy says."""
    targets, problems = targets_of.read(key, found.spec.target_refs, ("", "Service"), say.unsupported_target)
    budget = None
    try:
        budget = _budget(found.spec.retry_constraint)
    except Invalid as error:
        problems.append(error.problem)
    session = None
    try:
        if found.spec.session_persistence is not None:
            session = sessions.read("spec.sessionPersistence", found.spec.session_persistence)
    except Invalid as error:
        problems.append(say.bad_session(error.problem))
    meta = found.metadata
    return Policy(meta.generation, meta.creation_timestamp, targets, budget, session, tuple(problems))


def _budget(asked: api.RetryConstraint | None) -> RetryBudget | None:
    """Envoy's floor is a number of retries at a time, the API's a rate: as many as begin in a second, at least one."""
    if asked is None:
        return None
    floor = asked.min_retry_rate
    per_second = (floor.count or 10) / _seconds(f"{_CONSTRAINT}.minRetryRate.interval", floor.interval or "1s")
    return RetryBudget(
        percent=asked.budget.percent,
        interval=_seconds(f"{_CONSTRAINT}.budget.interval", asked.budget.interval),
        min_retry_concurrency=max(1, math.ceil(per_second)),
    )


def _seconds(path: str, text: str) -> float:
    found = durations.seconds(text)
    if not found:
        raise say.bad_duration(path, text)
    return found
