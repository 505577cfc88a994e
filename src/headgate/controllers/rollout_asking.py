"""Who answers the questions of an analysis: the telemetry of our own Envoys, or a metrics backend over HTTP."""

import asyncio
from collections.abc import Callable, Iterable

import aiohttp

from headgate.api.meta import Key
from headgate.rollout.analysis.readings import Answer, Counts, ProxyCounts, ProxyQuestion, Question
from headgate.rollout.providers import Request, Response, Unanswered

#: Longest answer that is read from a metrics backend.
_MOST_BYTES = 4 * 1024 * 1024


class NoProxies:
    """Telemetry of a controller that serves no Gateways."""

    def counts(self, gateways: tuple[Key, ...], stat_name: str, now: float, window: float) -> Counts | None:
        """Nothing."""
        return None


class Asker:
    """Answers the machine's questions: from telemetry, or over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, proxies: ProxyCounts, clock: Callable[[], float]) -> None:
        self._session = session
        self._proxies = proxies
        self._clock = clock

    async def ask(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Every question with its answer; all at the same time."""
        asked = tuple(questions)
        answers = await asyncio.gather(*(self._answer(question) for question in asked))
        return dict(zip(asked, answers, strict=True))

    async def _answer(self, question: Question) -> Answer:
        if isinstance(question, ProxyQuestion):
            return self._proxies.counts(question.gateways, question.stat_name, self._clock(), question.window)
        return await self._send(question)

    async def _send(self, request: Request) -> Response | Unanswered:
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=list(request.headers),
                data=request.body or None,
                ssl=request.verify,
                timeout=aiohttp.ClientTimeout(total=request.timeout),
            ) as answer:
                return Response(answer.status, await _bounded(answer))
        except TimeoutError:
            return Unanswered(f"no answer within {request.timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Unanswered(f"{type(error).__name__}: {error}")


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError(f"the answer is longer than {_MOST_BYTES} bytes")
    return bytes(body)
