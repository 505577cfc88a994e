"""The verdict of one tick of an analysis, with Flagger's event texts: passed, failed or inconclusive.

1. The first check that fails ends the tick; later ones are not evaluated.
2. A value within `thresholdRange` passes, bounds included. Without a range the older `threshold` is a lower bound for
   the success rate and an upper bound for every other metric.
3. A check without a value fails. If the statistics of the proxies cover less than 90 % of the window, for example after
   a restart of the controller, the tick is inconclusive: it neither passes nor fails.
"""

import msgspec

from headgate.api.delivery import Canary
from headgate.api.durations import go_duration

from .. import go_format
from ..effects import ObserveMetric
from ..providers import NoValuesError, QueryError
from ..queries import ProxyQuery, QueryResults, RequestCounts
from . import proxy_metrics
from .checks import Check


class Passed(msgspec.Struct, frozen=True):
    """All checks passed."""

    observed: tuple[ObserveMetric, ...] = ()


class Failed(msgspec.Struct, frozen=True):
    """A check failed; `message` is the text of the event."""

    message: str
    observed: tuple[ObserveMetric, ...] = ()


class Inconclusive(msgspec.Struct, frozen=True):
    """The data is not sufficient for a verdict; `message` is the text of the event."""

    message: str


Verdict = Passed | Failed | Inconclusive


def judge(canary: Canary, checks: tuple[Check, ...], results: QueryResults) -> Verdict:
    """The verdict of a tick; `results` has what `checks.missing` named."""
    observed: list[ObserveMetric] = []
    for check in checks:
        if check.query is None:
            return Failed(check.failure, tuple(observed))
        result = results.get(check.query)
        if isinstance(result, RequestCounts) and result.coverage < proxy_metrics.MIN_COVERAGE:
            return Inconclusive(_not_covered(check, result.coverage))
        try:
            value = check.value(results)
            if not isinstance(value, int | float):
                raise QueryError("no result")
        except NoValuesError as error:
            return Failed(_no_values(canary, check, error), tuple(observed))
        except QueryError as error:
            return Failed(_query_failed(check, error), tuple(observed))
        observed.append(ObserveMetric(check.metric.name, value / 1000 if check.kind == "duration" else value))
        if message := _out_of_range(canary, check, value):
            return Failed(message, tuple(observed))
    return Passed(tuple(observed))


def _not_covered(check: Check, coverage: float) -> str:
    window = check.query.window if isinstance(check.query, ProxyQuery) else 0.0
    return (
        f"No verdict on {check.metric.name}: only {coverage:.0%} of the last "
        f"{go_duration(window)} is covered by the telemetry of every proxy"
    )


def _out_of_range(canary: Canary, check: Check, value: float) -> str | None:
    metric, limits = check.metric, check.metric.threshold_range
    if limits:
        lower, upper = limits.min, limits.max
    elif check.kind == "success-rate":
        lower, upper = metric.threshold or 0.0, None
    else:
        lower, upper = None, metric.threshold or 0.0
    if check.kind == "duration":
        lower, upper = (None if bound is None else float(int(bound)) for bound in (lower, upper))
    if lower is not None and value < lower:
        return _halt(canary, check, value, "<", lower)
    if upper is not None and value > upper:
        return _halt(canary, check, value, ">", upper)
    return None


def _halt(canary: Canary, check: Check, value: float, sign: str, bound: float) -> str:
    start = f"Halt {canary.metadata.name}.{canary.metadata.namespace} advancement"
    if check.kind == "success-rate":
        return f"{start} success rate {value:.2f}% {sign} {go_format.number(bound)}%"
    if check.kind == "duration":
        return f"{start} request duration {go_duration(value / 1000)} {sign} {go_duration(bound / 1000)}"
    return f"{start} {check.metric.name} {value:.2f} {sign} {go_format.number(bound)}"


def _no_values(canary: Canary, check: Check, error: NoValuesError) -> str:
    name = check.metric.name
    if check.kind in ("success-rate", "duration"):
        provider = canary.spec.provider or "gatewayapi:v1"
        target = f"{canary.spec.target_ref.name}.{canary.metadata.namespace}"
        suffix = f": {error}" if check.kind == "success-rate" else ""
        start = f"Halt advancement no values found for {provider} metric {name}"
        return f"{start} probably {target} is not receiving traffic{suffix}"
    if check.kind == "query":
        return f"Halt advancement no values found for metric: {name}"
    return f"Halt advancement no values found for custom metric: {name}: {error}"


def _query_failed(check: Check, error: QueryError) -> str:
    if check.kind == "template":
        return f"Metric query failed for {check.metric.name}: {error}"
    if check.kind == "query":
        return f"Prometheus query failed for {check.metric.name}: {error}"
    return f"Prometheus query failed: {error}"
