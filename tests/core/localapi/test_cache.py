"""What is remembered of a collection, and for whom."""

from __future__ import annotations

import asyncio

from headgate.api.meta import Key
from headgate.localapi.storage.cache import BACKLOG, WINDOW, Collection, Event, Record, Watcher


def record(name: str, revision: int) -> Record:
    return Record(key=Key("ns", name), uid=name, revision=revision, body=b"{}", labels={}, fields={})


def added(name: str, revision: int) -> Event:
    return Event("ADDED", record(name, revision))


def test_events_since_a_revision_are_those_after_it() -> None:
    collection = Collection(10)
    for revision in (11, 12, 13):
        collection.apply(added(f"o{revision}", revision))
    events = collection.since(11)
    assert events is not None
    assert [event.record.revision for event in events] == [12, 13]


def test_a_revision_before_the_collection_was_loaded_is_too_old() -> None:
    assert Collection(10).since(9) is None


def test_a_revision_that_fell_out_of_the_window_is_too_old() -> None:
    collection = Collection(0)
    for revision in range(1, WINDOW + 3):
        collection.apply(Event("ADDED" if revision == 1 else "MODIFIED", record("o", revision)))
    assert collection.since(1) is None
    remembered = collection.since(2)
    assert remembered is not None
    assert len(remembered) == WINDOW


def test_objects_are_in_the_order_of_namespace_and_name() -> None:
    collection = Collection(0)
    for place, name in enumerate(("c", "a", "b")):
        collection.apply(added(name, place + 1))
    collection.apply(Event("DELETED", record("b", 4)))
    assert [found.key.name for found in collection] == ["a", "c"]


async def test_a_watcher_that_is_far_behind_is_cut_off() -> None:
    watcher = Watcher()
    for revision in range(BACKLOG + 1):
        watcher.offer(added("o", revision))
    assert watcher.closed


async def test_a_watcher_waits_no_longer_than_it_was_told() -> None:
    watcher = Watcher()
    await watcher.wait(0.01)
    assert watcher.drain() == []


async def test_a_watcher_wakes_for_an_event() -> None:
    watcher = Watcher()
    asyncio.get_running_loop().call_soon(watcher.offer, added("o", 1))
    await watcher.wait(60.0)
    assert len(watcher.drain()) == 1
