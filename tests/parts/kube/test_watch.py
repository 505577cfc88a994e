"""The rules of `headgate.kube.watch`, against a server that does on demand what real ones do on bad days."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from headgate.api.codec import DecodeError
from headgate.api.core import Service
from headgate.api.gateway import ReferenceGrant
from headgate.api.meta import Object
from headgate.kube.access import Access
from headgate.kube.backoff import Backoff
from headgate.kube.client import Client
from headgate.kube.watch import Batch, Change, WatchTiming, follow
from support.scripted_api import Reply, Request, ScriptedApi, eventually, status_object

SLOW = Backoff(first=30, limit=30)
QUICK = Backoff(first=0.002, limit=0.01)
EAGER = WatchTiming(QUICK, QUICK, unserved=0.02, watch=60)


def service(name: str, version: int, port: Any = 80, uid: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version), "uid": uid or f"u-{name}"},
        "spec": {"ports": [{"port": port}]},
    }


def listing(version: int, *items: dict[str, Any], more: str = "") -> dict[str, Any]:
    return {
        "kind": "ServiceList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": str(version), "continue": more},
        "items": [{key: value for key, value in item.items() if key not in ("apiVersion", "kind")} for item in items],
    }


class RecordedChanges:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.batches: list[Batch[Any]] = []

    def __call__(self, batch: Batch[Any]) -> None:
        self.batches.append(batch)

    @property
    def changes(self) -> list[Change[Any]]:
        return [change for batch in self.batches for change in batch.changes]

    @property
    def words(self) -> list[str]:
        """The changes in short: `+a` set, `-a` deleted."""
        return [("+" if change.kind == "set" else "-") + change.key.name for change in self.changes]

    @property
    def synced(self) -> bool:
        return bool(self.batches) and self.batches[-1].synced


Script = Callable[[Request, Reply], Coroutine[Any, Any, None]]


@asynccontextmanager
async def following(
    script: Script, cls: type[Object] = Service, timing: WatchTiming = EAGER, **selectors: Any
) -> AsyncIterator[tuple[ScriptedApi, RecordedChanges]]:
    async with ScriptedApi(script) as api, Client(Access(server=api.server)) as client:
        seen = RecordedChanges()
        task = asyncio.create_task(follow(client, cls, seen, timing=timing, **selectors))
        try:
            yield api, seen
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def forever(reply: Reply) -> None:
    """A watch on which nothing happens."""
    if not reply.started:
        await reply.start()
    await asyncio.Event().wait()


async def test_the_first_list_is_handed_over_as_synced() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await (forever(reply) if request.watch else reply.json(listing(7, service("a", 1), service("b", 2))))

    async with following(script) as (_, seen):
        await eventually(lambda: seen.synced)
        assert seen.words == ["+a", "+b"]
        assert decoded(seen, 0).spec.ports[0].port == 80


def decoded(seen: RecordedChanges, index: int) -> Service:
    found = seen.changes[index].object
    assert isinstance(found, Service)
    return found


async def test_an_empty_collection_is_synced_too() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await (forever(reply) if request.watch else reply.json(listing(7)))

    async with following(script) as (_, seen):
        await eventually(lambda: seen.synced)
        assert seen.changes == []


async def test_pages_are_handed_over_as_they_come_and_only_the_last_is_synced() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if request.watch:
            await forever(reply)
        elif "continue" in request.params:
            await reply.json(listing(7, service("b", 2)))
        else:
            await reply.json(listing(7, service("a", 1), more="token"))

    async with following(script) as (api, seen):
        await eventually(lambda: seen.synced)
        assert [(batch.synced, len(batch.changes)) for batch in seen.batches] == [(False, 1), (True, 1)]
        assert api.requests[1].params["continue"] == "token"


async def test_the_watch_begins_where_the_list_was_made() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await (forever(reply) if request.watch else reply.json(listing(41)))

    async with following(script) as (api, _):
        await eventually(lambda: api.asked(watch=True))
        assert api.asked(watch=True)[0].params["resourceVersion"] == "41"


async def test_selectors_and_namespace_are_asked_for_in_list_and_watch() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await (forever(reply) if request.watch else reply.json(listing(41)))

    async with following(script, namespace="shop", label_selector="a=b", field_selector="type=x") as (api, _):
        await eventually(lambda: api.asked(watch=True))
        for request in api.requests:
            assert request.path == "/api/v1/namespaces/shop/services"
            assert (request.params["labelSelector"], request.params["fieldSelector"]) == ("a=b", "type=x")


async def test_events_are_handed_over_in_their_order() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
            return
        await reply.event("ADDED", service("a", 2))
        await reply.event("MODIFIED", service("a", 3, port=81))
        await reply.event("DELETED", service("a", 4))
        await forever(reply)

    async with following(script) as (_, seen):
        await eventually(lambda: len(seen.changes) == 3)
        assert seen.words == ["+a", "+a", "-a"]
        assert decoded(seen, 1).spec.ports[0].port == 81


async def test_events_that_arrive_together_are_one_batch() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
            return
        lines = b"".join(
            b'{"type":"ADDED","object":{"metadata":{"name":"s%d","namespace":"shop","resourceVersion":"%d"}}}\n'
            % (number, number + 2)
            for number in range(50)
        )
        await reply.send(lines)
        await forever(reply)

    async with following(script) as (_, seen):
        await eventually(lambda: len(seen.changes) == 50)
        assert [len(batch.changes) for batch in seen.batches] == [0, 50]


async def test_an_event_cut_into_pieces_is_put_together() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
            return
        for byte in b'{"type":"ADDED","object":{"metadata":{"name":"cut","namespace":"shop","resourceVersion":"2"}}}\n':
            await reply.send(bytes([byte]))
        await forever(reply)

    async with following(script) as (_, seen):
        await eventually(lambda: seen.words == ["+cut"])


async def test_a_watch_that_ends_goes_on_from_the_last_event() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
        elif request.params["resourceVersion"] == "1":
            await reply.event("ADDED", service("a", 5))
        else:
            await forever(reply)

    async with following(script) as (api, _):
        await eventually(lambda: len(api.asked(watch=True)) == 2)
        assert api.asked(watch=True)[1].params["resourceVersion"] == "5"
        assert len(api.asked(watch=False)) == 1


async def test_a_watch_that_ends_goes_on_from_the_last_bookmark() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
        elif request.params["resourceVersion"] == "1":
            await reply.event("BOOKMARK", {"kind": "Service", "metadata": {"resourceVersion": "99"}})
        else:
            await forever(reply)

    async with following(script) as (api, seen):
        await eventually(lambda: len(api.asked(watch=True)) == 2)
        assert api.asked(watch=True)[1].params["resourceVersion"] == "99"
        assert seen.changes == []


async def test_a_connection_that_breaks_in_the_middle_of_an_event_loses_nothing() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
        elif request.params["resourceVersion"] == "1":
            await reply.event("ADDED", service("a", 5))
            await reply.send(b'{"type":"ADDED","object":{"metadata":{"name":"b"')
            reply.hang_up()
        else:
            await reply.event("ADDED", service("b", 6))
            await forever(reply)

    async with following(script) as (api, seen):
        await eventually(lambda: len(seen.changes) == 2)
        assert seen.words == ["+a", "+b"]
        assert len(api.asked(watch=False)) == 1


async def _forgets(request: Request, reply: Reply, *, as_event: bool, lists: list[dict[str, Any]]) -> None:
    if not request.watch:
        await reply.json(lists.pop(0) if len(lists) > 1 else lists[0])
    elif len(lists) > 1 or request.params["resourceVersion"] == "1":
        if as_event:
            await reply.event("ERROR", status_object(410, "Expired", "too old resource version"))
        else:
            await reply.refuse(410, "Expired")
    else:
        await forever(reply)


@pytest.mark.parametrize("as_event", [True, False], ids=["event", "answer"])
async def test_after_410_what_is_gone_is_handed_over_as_deleted(as_event: bool) -> None:
    lists = [listing(1, service("stays", 1), service("goes", 1)), listing(9, service("stays", 1), service("comes", 8))]

    async def script(request: Request, reply: Reply) -> None:
        await _forgets(request, reply, as_event=as_event, lists=lists)

    async with following(script) as (_, seen):
        await eventually(lambda: len(seen.batches) == 2)
        assert sorted(seen.words[2:]) == ["+comes", "-goes"]


async def test_a_relist_hands_over_objects_that_were_made_anew_under_the_same_name() -> None:
    lists = [listing(1, service("a", 1, uid="old")), listing(9, service("a", 1, uid="new"))]

    async def script(request: Request, reply: Reply) -> None:
        await _forgets(request, reply, as_event=True, lists=lists)

    async with following(script) as (_, seen):
        await eventually(lambda: len(seen.changes) == 2)
        assert decoded(seen, 1).metadata.uid == "new"


async def test_repeated_410s_are_backed_off_from() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if request.watch:
            await reply.event("ERROR", status_object(410, "Gone"))
        else:
            await reply.json(listing(1))

    async with following(script, timing=WatchTiming(SLOW, SLOW)) as (api, _):
        await eventually(lambda: len(api.asked(watch=True)) == 2)
        await asyncio.sleep(0)
        assert len(api.asked(watch=False)) == 2


async def test_after_an_outage_an_expired_watch_is_listed_without_the_delay_of_the_outage() -> None:
    hang_ups = itertools.repeat(None, 5)

    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(9))
        elif next(hang_ups, "over") is None:
            reply.hang_up()
        else:
            await reply.refuse(410, "Expired")

    async with following(script, timing=WatchTiming(SLOW, QUICK)) as (api, _):
        await eventually(lambda: len(api.asked(watch=False)) == 2)


async def test_an_object_that_does_not_decode_is_broken_and_the_others_go_on() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1, service("bad", 1, port="eighty"), service("good", 1)))
            return
        await reply.event("MODIFIED", service("worse", 2, port={}))
        await reply.event("MODIFIED", service("good", 3))
        await forever(reply)

    async with following(script) as (_, seen):
        await eventually(lambda: len(seen.changes) == 2)
        broken = [each for batch in seen.batches for each in batch.broken]
        assert [key.name for key, _ in broken] == ["bad", "worse"]
        assert broken[0][1].path == "spec.ports[0].port"


def nested(name: str, version: int) -> dict[str, Any]:
    """A Service with more levels than a recursive decoder follows; `json` of Python cannot write it."""
    return service(name, version) | {"deep": DEEP_MARK}


def broken_services() -> float:
    return REGISTRY.get_sample_value("headgate_undecodable_objects_total", {"kind": "Service"}) or 0.0


DEEP_MARK = "@deep@"
DEEP = b'{"f:a":' * 1200 + b"1" + b"}" * 1200


def with_depth(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode().replace(b'"@deep@"', DEEP)


async def test_an_object_of_any_depth_is_broken_and_its_neighbours_go_on() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.body(with_depth(listing(1, service("good", 1), nested("deep", 2), service("other", 1))))
            return
        events = [("MODIFIED", nested("deep", 3)), ("DELETED", nested("other", 4)), ("MODIFIED", service("good", 5))]
        for kind, obj in events:
            await reply.send(with_depth({"type": kind, "object": obj}) + b"\n")
        await forever(reply)

    before = broken_services()
    with capture_logs() as logs:
        async with following(script) as (_, seen):
            await eventually(lambda: len(seen.changes) == 4)
    assert [entry["key"] for entry in logs if entry["event"] == "object does not decode"] == ["shop/deep"] * 2
    async with following(script) as (_, seen):
        await eventually(lambda: len(seen.changes) == 4)
        assert seen.words == ["+good", "+other", "-other", "+good"]
        broken = [entry for batch in seen.batches for entry in batch.broken]
        assert [key.name for key, _ in broken] == ["deep", "deep"]
        assert "nested too deeply" in broken[0][1].message
    assert broken_services() - before == 4


async def test_a_list_leaves_out_and_names_what_is_nested_too_deeply() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await reply.body(with_depth(listing(1, service("good", 1), nested("deep", 2))))

    with capture_logs() as logs:
        async with ScriptedApi(script) as api, Client(Access(server=api.server)) as client:
            assert [obj.metadata.name for obj in (await client.list(Service)).items] == ["good"]
    assert [entry["key"] for entry in logs if entry["event"] == "object does not decode"] == ["shop/deep"]


async def test_an_undecoded_object_that_is_nested_too_deeply_is_a_decode_error() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await reply.body(with_depth(nested("deep", 2)))

    async with ScriptedApi(script) as api, Client(Access(server=api.server)) as client:
        with pytest.raises(DecodeError, match="nested too deeply"):
            await client.get_raw(Service, "deep", "shop")


async def test_a_broken_object_does_not_keep_a_collection_from_being_synced() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await (forever(reply) if request.watch else reply.json(listing(1, service("bad", 1, port="eighty"))))

    async with following(script) as (_, seen):
        await eventually(lambda: seen.synced)


async def test_the_version_of_a_broken_object_counts_for_going_on() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
        elif request.params["resourceVersion"] == "1":
            await reply.event("ADDED", service("bad", 6, port="eighty"))
        else:
            await forever(reply)

    async with following(script) as (api, _):
        await eventually(lambda: len(api.asked(watch=True)) == 2)
        assert api.asked(watch=True)[1].params["resourceVersion"] == "6"


async def test_errors_are_waited_out_and_the_watch_goes_on_where_it_was() -> None:
    failures = 3

    async def script(request: Request, reply: Reply) -> None:
        nonlocal failures
        if not request.watch:
            await reply.json(listing(4))
        elif failures:
            failures -= 1
            await reply.refuse(503, "ServiceUnavailable")
        else:
            await reply.event("ADDED", service("a", 5))
            await forever(reply)

    async with following(script) as (api, seen):
        await eventually(lambda: seen.words == ["+a"])
        assert [request.params["resourceVersion"] for request in api.asked(watch=True)] == ["4"] * 4


async def test_watches_that_end_at_once_without_events_are_backed_off_from() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if request.watch:
            await reply.start()
        else:
            await reply.json(listing(1))

    async with following(script, timing=WatchTiming(SLOW, SLOW)) as (api, _):
        await eventually(lambda: api.asked(watch=True))
        await asyncio.sleep(0)
        assert len(api.asked(watch=True)) == 1


async def test_a_kind_that_is_not_served_is_synced_and_empty() -> None:
    async def script(_: Request, reply: Reply) -> None:
        await reply.body(b"404 page not found\n", 404)

    async with following(script) as (_, seen):
        await eventually(lambda: seen.synced)
        assert seen.changes == []


async def test_a_kind_that_comes_to_be_served_is_followed_from_then_on() -> None:
    refusals = 3

    async def script(request: Request, reply: Reply) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            await reply.body(b"404 page not found\n", 404)
        elif request.watch:
            await forever(reply)
        else:
            await reply.json(listing(1, service("a", 1)))

    async with following(script) as (_, seen):
        await eventually(lambda: seen.words == ["+a"])


async def test_when_a_kind_is_served_no_longer_its_objects_are_gone() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if len(api_requests) > 1 or request.watch:
            await reply.body(b"404 page not found\n", 404)
        else:
            await reply.json(listing(1, service("a", 1)))

    api_requests: list[Request] = []
    async with following(script) as (api, seen):
        api_requests = api.requests
        await eventually(lambda: len(seen.changes) == 2)
        assert seen.words == ["+a", "-a"]


async def test_an_older_version_is_followed_where_the_newer_is_not_served() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if "/v1beta1/" not in request.path:
            await reply.body(b"404 page not found\n", 404)
        elif request.watch:
            await forever(reply)
        else:
            item = {
                "metadata": {"name": "grant", "namespace": "shop", "resourceVersion": "3"},
                "spec": {"from": [{"group": "", "kind": "x", "namespace": "y"}], "to": [{"group": "", "kind": "z"}]},
            }
            await reply.json(listing(3, item))

    async with following(script, ReferenceGrant) as (api, seen):
        await eventually(lambda: api.asked(watch=True))
        assert seen.words == ["+grant"]
        assert not seen.batches[0].broken
        assert api.asked(watch=True)[0].path == "/apis/gateway.networking.k8s.io/v1beta1/referencegrants"


async def test_an_exception_of_the_sink_ends_the_watch() -> None:
    async def script(request: Request, reply: Reply) -> None:
        await (forever(reply) if request.watch else reply.json(listing(1)))

    def sink(_: Batch[Service]) -> None:
        raise ZeroDivisionError("a bug")

    async with ScriptedApi(script) as api, Client(Access(server=api.server)) as client:
        with pytest.raises(ZeroDivisionError):
            await follow(client, Service, sink, timing=EAGER)


async def test_events_before_an_error_in_the_same_read_are_handed_over() -> None:
    async def script(request: Request, reply: Reply) -> None:
        if not request.watch:
            await reply.json(listing(1))
        elif request.params["resourceVersion"] == "1":
            await reply.send(
                b'{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"shop","resourceVersion":"2"}}}\n'
                b"this is no event\n"
            )
            await forever(reply)
        else:
            await forever(reply)

    async with following(script) as (api, seen):
        await eventually(lambda: len(api.asked(watch=True)) == 2)
        assert seen.words == ["+a"]
        assert api.asked(watch=True)[1].params["resourceVersion"] == "2"


async def test_an_error_is_logged_when_it_changes_and_not_at_every_attempt() -> None:
    attempts = 0

    async def script(request: Request, reply: Reply) -> None:
        nonlocal attempts
        attempts += 1
        if request.watch:
            await forever(reply)
        elif attempts <= 5:
            await reply.refuse(403, "Forbidden", "not you")
        elif attempts <= 8:
            await reply.refuse(500, "InternalError", "oh")
        else:
            await reply.json(listing(1))

    with capture_logs() as logs:
        async with following(script):
            await eventually(lambda: logs and logs[-1]["event"] == "watch re-established")
    assert [entry.get("why") for entry in logs] == ["Forbidden: not you", "InternalError: oh", None]


async def test_a_list_that_expires_between_its_pages_is_begun_again() -> None:
    expired = False

    async def script(request: Request, reply: Reply) -> None:
        nonlocal expired
        if request.watch:
            await forever(reply)
        elif "continue" not in request.params:
            await reply.json(listing(7, service("a", 1), more="token"))
        elif not expired:
            expired = True
            await reply.refuse(410, "Expired")
        else:
            await reply.json(listing(7, service("b", 2)))

    async with following(script) as (_, seen):
        await eventually(lambda: seen.synced)
        assert seen.words == ["+a", "+b"]
