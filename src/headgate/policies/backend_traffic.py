"""XBackendTrafficPolicy (Gateway API v1.7, experimental; GEP-3388, GEP-1619): retry budget and session persistence of a
Service. An invalid policy sets nothing.
"""

import math

from headgate.api import durations
from headgate.api import gateway_x as api
from headgate.conditions import Invalid
from headgate.conditions import backend_traffic_policy as conditions
from headgate.ir.limits import RetryBudget
from headgate.ir.routing import BackendTraffic

from . import session_persistence
from .base import SERVICE, BackendSettings, PolicyKind, PolicySettings, ReferenceResolver, whole

_CONSTRAINT = "spec.retryConstraint"


def read(policy: api.XBackendTrafficPolicy, _references: ReferenceResolver) -> PolicySettings[BackendSettings]:
    """Retry budget and session persistence as the policy declares them."""
    problems = []
    budget = session = None
    try:
        budget = _retry_budget(policy.spec.retry_constraint)
    except Invalid as error:
        problems.append(error.problem)
    try:
        if policy.spec.session_persistence is not None:
            session = session_persistence.read("spec.sessionPersistence", policy.spec.session_persistence)
    except Invalid as error:
        problems.append(conditions.invalid_session_persistence(error.problem))
    return PolicySettings(BackendSettings(BackendTraffic(retry_budget=budget), session), tuple(problems))


def _retry_budget(constraint: api.RetryConstraint | None) -> RetryBudget | None:
    """The API's floor is a rate, Envoy's a number of concurrent retries: those that begin within one second, at least
    one.
    """
    if constraint is None:
        return None
    floor = constraint.min_retry_rate
    per_second = (floor.count or 10) / _seconds(f"{_CONSTRAINT}.minRetryRate.interval", floor.interval or "1s")
    return RetryBudget(
        percent=constraint.budget.percent,
        interval=_seconds(f"{_CONSTRAINT}.budget.interval", constraint.budget.interval),
        min_retry_concurrency=max(1, math.ceil(per_second)),
    )


def _seconds(path: str, text: str) -> float:
    seconds = durations.seconds(text)
    if not seconds:
        raise conditions.bad_duration(path, text)
    return seconds


KIND = PolicyKind(
    object_type=api.XBackendTrafficPolicy,
    targets=(whole(SERVICE),),
    settings=BackendSettings,
    read=read,
    conditions=(conditions.accepted(),),
)
