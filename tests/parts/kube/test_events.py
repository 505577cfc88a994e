"""Events: counted, bounded, and never in anybody's way."""

import asyncio
from typing import Any

import msgspec

from headgate.api.core import ObjectReference, Service
from headgate.api.meta import ObjectMeta
from headgate.kube.access import Access
from headgate.kube.client import Client
from headgate.kube.events import EventCorrelator, EventRecorder, reference_of
from support.scripted_api import Reply, Request, ScriptedApi

NOW = 1_800_000_000.0
ABOUT = ObjectReference(api_version="flagger.app/v1beta1", kind="Canary", name="podinfo", namespace="shop", uid="uid-1")


async def accept(_: Request, reply: Reply) -> None:
    await reply.json({"metadata": {"name": "x"}})


def bodies(api: ScriptedApi) -> list[Any]:
    return [msgspec.json.decode(request.body) for request in api.requests]


async def test_an_event_carries_what_people_look_for() -> None:
    async with ScriptedApi(accept) as api, Client(Access(api.server)) as client:
        async with EventRecorder(client, "flagger", clock=lambda: NOW) as events:
            events.event(ABOUT, "Warning", "Synced", "Halt advancement")
        (request,) = api.requests
        (body,) = bodies(api)
        assert request.path == "/api/v1/namespaces/shop/events"
        assert body["involvedObject"]["name"] == "podinfo"
        assert body["involvedObject"]["uid"] == "uid-1"
        assert (body["type"], body["reason"], body["message"]) == ("Warning", "Synced", "Halt advancement")
        assert body["source"] == {"component": "flagger"}
        assert body["firstTimestamp"] == body["lastTimestamp"] == "2027-01-15T08:00:00Z"


async def test_the_same_again_counts_up_the_event_that_is_there() -> None:
    now = NOW

    async with ScriptedApi(accept) as api, Client(Access(api.server)) as client:
        async with EventRecorder(client, "flagger", clock=lambda: now) as events:
            for _ in range(3):
                events.event(ABOUT, "Normal", "Synced", "same")
                now += 60
        first, second, third = api.requests
        assert (first.method, second.method, third.method) == ("POST", "PATCH", "PATCH")
        assert third.path.endswith("/" + bodies(api)[0]["metadata"]["name"])
        assert bodies(api)[2] == {"count": 3, "lastTimestamp": "2027-01-15T08:02:00Z"}


async def test_an_event_that_the_api_has_forgotten_is_made_anew() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await (reply.refuse(404, "NotFound") if request.method == "PATCH" else accept(request, reply))

    async with ScriptedApi(script) as api, Client(Access(api.server)) as client:
        async with EventRecorder(client, "flagger", clock=lambda: NOW) as events:
            events.event(ABOUT, "Normal", "Synced", "same")
            events.event(ABOUT, "Normal", "Synced", "same")
        assert [request.method for request in api.requests] == ["POST", "PATCH", "POST"]
        assert bodies(api)[2]["count"] == 2


async def test_events_are_written_in_their_order() -> None:
    async with ScriptedApi(accept) as api, Client(Access(api.server)) as client:
        async with EventRecorder(client, "flagger", clock=lambda: NOW) as events:
            for number in range(20):
                events.event(ABOUT, "Normal", "Synced", f"step {number}")
        assert [body["message"] for body in bodies(api)] == [f"step {number}" for number in range(20)]


async def test_a_rejected_event_is_dropped_without_an_exception() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if b"first" in request.body:
            await reply.refuse(403, "Forbidden")
        else:
            await accept(request, reply)

    async with ScriptedApi(script) as api, Client(Access(api.server)) as client:
        async with EventRecorder(client, "flagger", clock=lambda: NOW) as events:
            events.event(ABOUT, "Normal", "Synced", "first")
            events.event(ABOUT, "Normal", "Synced", "second")
        assert [body["message"] for body in bodies(api)] == ["first", "second"]


async def test_an_event_is_tried_again_while_the_api_is_away() -> None:
    failures = 1

    async def script(request: Request, reply: Reply) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            await reply.refuse(503, "ServiceUnavailable")
        else:
            await accept(request, reply)

    async with ScriptedApi(script) as api, Client(Access(api.server)) as client:
        async with EventRecorder(client, "flagger", clock=lambda: NOW) as events:
            events.event(ABOUT, "Normal", "Synced", "first")
        assert len(api.requests) == 2


async def test_telling_does_not_wait_for_an_api_that_is_silent() -> None:
    async def script(_: Request, __: Reply) -> None:
        await asyncio.Event().wait()

    async with ScriptedApi(script) as api, Client(Access(api.server)) as client:
        events = EventRecorder(client, "flagger", clock=lambda: NOW)
        for number in range(5000):
            events.event(ABOUT, "Normal", "Synced", f"step {number}")
        await events.flush(0.01)
        events.abandon()


async def test_an_object_without_namespace_has_its_events_in_default() -> None:
    async with ScriptedApi(accept) as api, Client(Access(api.server)) as client:
        async with EventRecorder(client, "headgate") as events:
            events.event(ObjectReference(kind="Node", name="n"), "Normal", "Ready", "yes")
        assert api.requests[0].path == "/api/v1/namespaces/default/events"


def test_an_object_is_referred_to_by_version_kind_name_and_uid() -> None:
    thing = Service(metadata=ObjectMeta(name="podinfo", namespace="shop", uid="uid-1"))
    expected = ObjectReference(api_version="v1", kind="Service", name="podinfo", namespace="shop", uid="uid-1")
    assert reference_of(thing) == expected


# ── the correlator, by itself ────────────────────────────────────────────────


def test_messages_that_differ_are_never_merged() -> None:
    correlator = EventCorrelator()
    told = [correlator.correlate(ABOUT, "Normal", "Synced", f"step {number}", NOW + number) for number in range(50)]
    assert all(each is not None and each.count == 1 for each in told)


def test_a_repetition_after_an_hour_is_a_new_event() -> None:
    correlator = EventCorrelator()
    first = correlator.correlate(ABOUT, "Normal", "Synced", "same", NOW)
    second = correlator.correlate(ABOUT, "Normal", "Synced", "same", NOW + 3601)
    assert first and second
    assert (second.count, second.name == first.name) == (1, False)


def test_the_same_about_an_object_that_was_made_anew_is_another_event() -> None:
    correlator = EventCorrelator()
    correlator.correlate(ABOUT, "Normal", "Synced", "same", NOW)
    anew = msgspec.structs.replace(ABOUT, uid="uid-2")
    second = correlator.correlate(anew, "Normal", "Synced", "same", NOW + 1)
    assert second
    assert second.count == 1


def test_events_are_limited_per_object() -> None:
    correlator = EventCorrelator()
    told = [correlator.correlate(ABOUT, "Normal", "Synced", f"step {number}", NOW) for number in range(300)]
    assert sum(each is not None for each in told) == 200
    assert correlator.correlate(msgspec.structs.replace(ABOUT, uid="uid-2"), "Normal", "Synced", "x", NOW)
    assert correlator.correlate(ABOUT, "Normal", "Synced", "later", NOW + 2)
