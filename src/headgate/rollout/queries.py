"""Queries of an analysis and their results, as data; `headgate.controllers.rollout_queries` runs them.

A rule that needs a value names its queries. Those without a result are returned with the decision (`Decision.queries`)
and their results are in the next `Snapshot.query_results`: results accumulate until a rule decides.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from headgate.api.meta import Key


class HTTPRequest(msgspec.Struct, frozen=True):
    """An HTTP request to a metrics provider or a webhook. Headers may hold credentials and are not in its `repr`.

    Attributes:
        verify: whether the certificate of an `https` server is verified.
        timeout: seconds.
        retries: how often the request is repeated after no response, 429 or 5xx, with a back-off.
        proxy: the URL of an HTTP proxy, or empty.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    body: bytes = b""
    verify: bool = True
    timeout: float = 5.0
    retries: int = 0
    proxy: str = ""

    def __repr__(self) -> str:
        return f"HTTPRequest({self.method} {self.url.partition('?')[0]})"


class HTTPResponse(msgspec.Struct, frozen=True):
    """The status and body of a response."""

    status: int
    body: bytes


class NoResponse(msgspec.Struct, frozen=True):
    """Why there was no response: connection refused, timeout, no such source."""

    error: str


class ProxyQuery(msgspec.Struct, frozen=True):
    """The requests that the Envoys of these Gateways sent to a cluster in the last `window` seconds."""

    gateways: tuple[Key, ...]
    stat_name: str
    window: float


class RequestCounts(msgspec.Struct, frozen=True):
    """The result of a `ProxyQuery`.

    Attributes:
        coverage: the part of the window, 0 to 1, that every connected proxy reported on.
        buckets: (upper bound in milliseconds, requests up to it and above the bound before), ascending; the last
            bound may be infinite.
    """

    coverage: float
    requests: int
    server_errors: int
    buckets: tuple[tuple[float, int], ...] = ()


class ProxyTelemetry(Protocol):
    """The statistics of the Envoys that this process controls."""

    def counts(self, gateways: tuple[Key, ...], stat_name: str, now: float, window: float) -> RequestCounts | None:
        """The sums over all proxies of these Gateways; None if this process serves none of the Gateways."""


Query = ProxyQuery | HTTPRequest
QueryResult = RequestCounts | HTTPResponse | NoResponse
QueryResults = Mapping[Query, QueryResult]

#: The result of a `ProxyQuery` about Gateways of another controller.
NOT_SERVED = NoResponse(
    "no Gateway of the route is served by this controller; set spec.metricsServer, or --metrics-server on the "
    "controller, or use a MetricTemplate"
)
