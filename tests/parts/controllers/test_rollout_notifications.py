"""Requests of rollouts over real HTTP: retries, limits, and notifications that hold up nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from headgate.api import codec
from headgate.api.delivery import Canary
from headgate.api.meta import Key
from headgate.controllers.rollout_notifications import MAX_WAITING, Notifier
from headgate.controllers.rollout_queries import NoTelemetry, QueryRunner
from headgate.kube.backoff import Backoff
from headgate.rollout.effects import Notify
from headgate.rollout.queries import NOT_SERVED, HTTPRequest, HTTPResponse, NoResponse, ProxyQuery
from support.rollout_world import canary
from support.scripted_api import Reply, Request, ScriptedApi


@asynccontextmanager
async def running() -> AsyncIterator[QueryRunner]:
    async with aiohttp.ClientSession() as session:
        yield QueryRunner(session, NoTelemetry(), lambda: 0.0, Backoff(first=0.001, limit=0.001))


class Recorder:
    """Keeps events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, about: Any, type: Any, reason: str, message: str) -> None:
        self.events.append(f"{type} {reason}: {message}")


def answering(*statuses: int) -> ScriptedApi:
    """A server that answers with these statuses, one after the other, the last for ever."""
    left = list(statuses)

    async def answer(_: Request, reply: Reply) -> None:
        await reply.body(b"said", left.pop(0) if len(left) > 1 else left[0])

    return ScriptedApi(answer)


async def test_a_request_is_repeated_while_it_may_pass_later() -> None:
    async with running() as runner, answering(503, 429, 200) as server:
        result = await runner.send(HTTPRequest(server.server, method="POST", retries=3))
        assert result == HTTPResponse(200, b"said")
        assert len(server.requests) == 3


async def test_a_request_is_repeated_only_as_often_as_it_allows_and_not_when_refused() -> None:
    for status, retries, sent in ((503, 2, 3), (503, 0, 1), (403, 5, 1), (501, 5, 1)):
        async with running() as runner, answering(status) as server:
            result = await runner.send(HTTPRequest(server.server, retries=retries))
            assert (result, len(server.requests)) == (HTTPResponse(status, b"said"), sent)


async def test_a_server_that_is_not_there_is_a_result() -> None:
    async with running() as runner:
        result = await runner.send(HTTPRequest("http://127.0.0.1:9/", retries=1))
        assert isinstance(result, NoResponse)
        assert "Connect" in result.error


async def test_a_url_that_is_not_valid_is_not_repeated_in_the_result() -> None:
    async with running() as runner:
        assert await runner.send(HTTPRequest("http://[SECRET/")) == NoResponse("the URL is not valid")


async def test_a_response_that_is_too_long_is_a_result() -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.body(b"x" * (4 * 1024 * 1024 + 1))

    async with running() as runner, ScriptedApi(answer) as server:
        result = await runner.send(HTTPRequest(server.server))
        assert result == NoResponse("ValueError: the response is longer than 4194304 bytes")


async def test_a_proxy_query_about_gateways_of_others_has_a_result() -> None:
    async with running() as runner:
        query = ProxyQuery((Key("ingress", "gateway"),), "cluster", 60.0)
        assert await runner.run([query]) == {query: NOT_SERVED}


async def test_notifications_are_sent_in_order_while_others_go_on() -> None:
    came, release = asyncio.Event(), asyncio.Event()
    arrived: list[str] = []

    async def answer(request: Request, reply: Reply) -> None:
        arrived.append(request.path)
        if request.path == "/slow":
            came.set()
            await release.wait()
        await reply.body(b"")

    typed = codec.convert(Canary, canary())
    async with running() as runner, ScriptedApi(answer) as server, asyncio.TaskGroup() as tasks:
        notifier = Notifier(runner, Recorder(), tasks)
        notifier.send(typed, (Notify("a", HTTPRequest(f"{server.server}/slow")),))
        notifier.send(typed, tuple(Notify("b", HTTPRequest(f"{server.server}/{n}")) for n in range(3)))
        await came.wait()
        assert arrived == ["/slow"]
        release.set()
    assert arrived == ["/slow", "/0", "/1", "/2"]


async def test_a_notification_that_fails_is_an_event_without_its_address() -> None:
    recorder = Recorder()
    typed = codec.convert(Canary, canary())
    async with running() as runner, answering(404) as server, asyncio.TaskGroup() as tasks:
        Notifier(runner, recorder, tasks).send(
            typed, (Notify("alert on-call", HTTPRequest(f"{server.server}/SECRET")),)
        )
    assert recorder.events == ["Warning Synced: alert on-call could not be sent: status 404 said"]


async def test_a_receiver_that_is_too_slow_loses_the_oldest() -> None:
    received: list[str] = []

    async def answer(request: Request, reply: Reply) -> None:
        received.append(request.path)
        await reply.body(b"")

    typed = codec.convert(Canary, canary())
    async with running() as runner, ScriptedApi(answer) as server, asyncio.TaskGroup() as tasks:
        notifications = tuple(Notify("a", HTTPRequest(f"{server.server}/{n}")) for n in range(MAX_WAITING + 5))
        Notifier(runner, Recorder(), tasks).send(typed, notifications)
    assert received == [f"/{n}" for n in range(5, MAX_WAITING + 5)]
