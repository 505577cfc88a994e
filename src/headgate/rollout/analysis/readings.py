"""Values of metrics: from the counters of our own proxies, or from a metrics backend.

A `Question` is data. Those to proxies are answered by whoever has their telemetry (`ProxyCounts`), the others by an
HTTP client.
"""

from typing import Protocol

import msgspec

from headgate.api.meta import Key

from ..providers import Request, Response, Unanswered

#: Below this share of the window seen by every connected proxy, a reading is neither success nor failure.
COVERAGE = 0.9


class Counts(msgspec.Struct, frozen=True):
    """What proxies counted of one cluster within a window.

    `buckets` are (upper bound in milliseconds, requests up to it and above the bound before), ascending; the last bound
    may be infinite.
    """

    coverage: float
    requests: int
    server_errors: int
    buckets: tuple[tuple[float, int], ...] = ()


class ProxyCounts(Protocol):
    """The telemetry of the Envoys that this process controls."""

    def counts(self, gateways: tuple[Key, ...], stat_name: str, now: float, window: float) -> Counts | None:
        """The counts over all proxies of these Gateways; None if none of the Gateways is served by this process."""


class ProxyQuestion(msgspec.Struct, frozen=True):
    """How did the requests to a Service's cluster go in the last `window` seconds?"""

    gateways: tuple[Key, ...]
    stat_name: str
    window: float


Question = ProxyQuestion | Request
Answer = Counts | Response | Unanswered | None


def stat_name(namespace: str, service: str, port: int) -> str:
    """The name under which Envoys count requests to a Service port."""
    return f"{namespace}_{service}_{port}"


def success_rate(counts: Counts) -> float | None:
    """Percent of the requests that were not answered 5xx; None without requests."""
    if counts.requests <= 0:
        return None
    return 100.0 * (counts.requests - counts.server_errors) / counts.requests


def quantile(buckets: tuple[tuple[float, int], ...], share: float) -> float | None:
    """The value below which `share` of the requests are, linear within a bucket; None without requests.

    As Prometheus' `histogram_quantile`: beyond the last finite bound the bound itself is all that is known.
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
