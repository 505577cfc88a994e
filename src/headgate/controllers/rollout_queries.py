"""Runs the queries of an analysis: proxy queries on the statistics of our own Envoys, HTTP requests on the network."""

import asyncio
from collections.abc import Callable, Iterable

import aiohttp

from headgate.api.meta import Key
from headgate.kube.backoff import Backoff
from headgate.rollout.queries import (
    NOT_SERVED,
    HTTPRequest,
    HTTPResponse,
    NoResponse,
    ProxyQuery,
    ProxyTelemetry,
    Query,
    QueryResult,
    RequestCounts,
)

#: Between two attempts of a request that may be repeated, as Flagger.
BACKOFF = Backoff(first=1.0, limit=30.0)
#: Longest response body that is read.
_MAX_BYTES = 4 * 1024 * 1024


class NoTelemetry:
    """The statistics of a controller that serves no Gateways."""

    def counts(self, gateways: tuple[Key, ...], stat_name: str, now: float, window: float) -> RequestCounts | None:
        """None: no Gateway is served."""
        return None


class QueryRunner:
    """Runs queries as they come."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        telemetry: ProxyTelemetry,
        clock: Callable[[], float],
        backoff: Backoff = BACKOFF,
    ) -> None:
        self._session = session
        self._telemetry = telemetry
        self._backoff = backoff
        self._clock = clock

    async def run(self, queries: Iterable[Query]) -> dict[Query, QueryResult]:
        """Every query with its result; all run at the same time. Never raises for what a server does."""
        asked = tuple(queries)
        results = await asyncio.gather(*(self._result(query) for query in asked))
        return dict(zip(asked, results, strict=True))

    async def send(self, request: HTTPRequest) -> HTTPResponse | NoResponse:
        """Sends one request, and repeats it as it allows."""
        result = await self._send(request)
        for attempt in range(1, request.retries + 1):
            if isinstance(result, HTTPResponse) and not _may_pass_later(result.status):
                break
            await asyncio.sleep(self._backoff.delay(attempt))
            result = await self._send(request)
        return result

    async def _send(self, request: HTTPRequest) -> HTTPResponse | NoResponse:
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=list(request.headers),
                data=request.body or None,
                ssl=request.verify,
                proxy=request.proxy or None,
                timeout=aiohttp.ClientTimeout(total=request.timeout),
            ) as response:
                return HTTPResponse(response.status, await _bounded(response))
        except TimeoutError:
            return NoResponse(f"no response within {request.timeout:g} s")
        except aiohttp.InvalidURL:
            return NoResponse("the URL is not valid")  # and may be a secret
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return NoResponse(f"{type(error).__name__}: {error}")

    async def _result(self, query: Query) -> QueryResult:
        if isinstance(query, ProxyQuery):
            counts = self._telemetry.counts(query.gateways, query.stat_name, self._clock(), query.window)
            return NOT_SERVED if counts is None else counts
        return await self.send(query)


def _may_pass_later(status: int) -> bool:
    """Whether to repeat a request with this response, as Flagger: 429, and 5xx but for 501."""
    return status == 429 or (status >= 500 and status != 501)


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise ValueError(f"the response is longer than {_MAX_BYTES} bytes")
    return bytes(body)
