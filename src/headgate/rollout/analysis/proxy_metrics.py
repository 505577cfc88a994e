"""The built-in metrics from the statistics of our own Envoys, for a Canary without a metrics server."""

from headgate.api.delivery import Canary, CanaryMetric
from headgate.api.durations import go_seconds

from .. import route_status
from ..effects import Json
from ..names import Names
from ..providers import NoValuesError, QueryError
from ..queries import NoResponse, ProxyQuery, QueryResult, RequestCounts

#: Below this coverage of the window a check is inconclusive.
MIN_COVERAGE = 0.9


def ask(canary: Canary, metric: CanaryMetric, route: Json | None, age: float) -> ProxyQuery:
    """The query for the canary's cluster.

    Args:
        age: seconds since the analysis of this revision began; the window does not reach further back.
    """
    names = Names.of(canary)
    port = canary.spec.service.port if canary.spec.service else 0
    name = stat_name(names.namespace, names.canary_service, port)
    gateways = route_status.parent_gateways(route) if route else ()
    return ProxyQuery(gateways, name, max(1.0, min(go_seconds(metric.interval or "1m"), age)))


def read_success_rate(result: QueryResult) -> float:
    """Percent of the requests that were not answered 5xx. Raises `QueryError`, `NoValuesError`."""
    value = success_rate(_counts(result))
    if value is None:
        raise NoValuesError
    return value


def read_duration(result: QueryResult) -> float:
    """The 99th percentile, in whole milliseconds. Raises `QueryError`, `NoValuesError`."""
    value = quantile(_counts(result).buckets, 0.99)
    if value is None:
        raise NoValuesError
    return float(int(value))


def _counts(result: QueryResult) -> RequestCounts:
    if isinstance(result, RequestCounts):
        return result
    raise QueryError(result.error if isinstance(result, NoResponse) else "not the result of a proxy query")


def stat_name(namespace: str, service: str, port: int) -> str:
    """The name (`alt_stat_name`) under which Envoys count requests to a Service port."""
    return f"{namespace}_{service}_{port}"


def success_rate(counts: RequestCounts) -> float | None:
    """Percent of the requests that were not answered 5xx; None without requests."""
    if counts.requests <= 0:
        return None
    return 100.0 * (counts.requests - counts.server_errors) / counts.requests


def quantile(buckets: tuple[tuple[float, int], ...], share: float) -> float | None:
    """The value below which `share` of the requests are, linear within a bucket; None without requests.

    Like Prometheus' `histogram_quantile`: in the last bucket, which has no upper bound, the result is its lower bound.
    """
    total = sum(count for _, count in buckets)
    if total <= 0:
        return None
    rank, passed, lower = share * total, 0, 0.0
    for upper, count in buckets:
        if passed + count >= rank and count:
            if upper == float("inf"):
                return lower
            return lower + (upper - lower) * (rank - passed) / count
        passed += count
        lower = upper
    return lower
