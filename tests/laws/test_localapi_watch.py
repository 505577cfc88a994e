"""Who follows the events of a collection has what a list shows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.api.meta import Key
from headgate.api.selectors import parse_labels
from headgate.localapi.http.read_handlers import Representation, Selection, Watch
from headgate.localapi.registry.status_errors import StatusError
from support.local_api import InProcessApi, decoded

NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(st.just("app"), st.sampled_from(["web", "db"]), max_size=1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, LABELS),
        st.tuples(st.just("update"), NAMES, LABELS),
        st.tuples(st.just("delete"), NAMES, st.just({})),
        st.tuples(st.just("hold"), NAMES, st.just({})),
    ),
    max_size=12,
)


def do(desk: InProcessApi, step: tuple[str, str, dict[str, str]]) -> None:
    """One step; what is refused changes nothing."""
    what, name, labels = step
    try:
        if what == "create":
            desk.create("configmaps", {"metadata": {"name": name, "labels": labels}})
        elif what == "delete":
            desk.delete("configmaps", name)
        else:
            obj = desk.get("configmaps", name)
            obj["metadata"]["labels"] = labels
            if what == "hold":
                obj["metadata"]["finalizers"] = ["example.com/wait"]
            else:
                obj["metadata"].pop("finalizers", None)
            desk.put("configmaps", obj)
    except StatusError:
        return


def listed(desk: InProcessApi, selection: Selection) -> dict[str, Any]:
    """What a list shows."""
    collection = desk.api.cache.collection("configmaps")
    return {
        record.key.name: decoded(record)
        for record in collection.after(Key("", ""), "default")
        if selection.takes(record)
    }


def followed(desk: InProcessApi, watch: Watch, state: dict[str, Any]) -> dict[str, Any]:
    """A list from before with the events since then."""
    import json  # noqa: PLC0415

    events = desk.api.cache.collection("configmaps").since(watch.revision or 0)
    assert events is not None
    for line in watch.lines(events, desk.now):
        event = json.loads(line)
        name = event["object"]["metadata"]["name"]
        assert (event["type"] == "ADDED") == (name not in state)
        if event["type"] == "DELETED":
            del state[name]
        else:
            state[name] = event["object"]
    return state


@settings(max_examples=60)
@given(STEPS, STEPS, st.sampled_from(["", "app=web", "app", "!app", "app!=db"]))
def test_a_list_and_the_events_since_then_are_a_list(before: Any, after: Any, labels: str) -> None:
    with TemporaryDirectory() as folder, InProcessApi(Path(folder) / "o") as desk:
        for step in before:
            do(desk, step)
        selection = Selection("default", parse_labels(labels))
        resource = desk.resource("configmaps")
        watch = Watch(
            form=Representation("json", resource, "v1"),
            selection=selection,
            revision=desk.store.revision,
            bookmarks=False,
            initial_end=False,
            seconds=1.0,
        )
        state = listed(desk, selection)
        for step in after:
            do(desk, step)
        assert followed(desk, watch, state) == listed(desk, selection)


@settings(max_examples=30)
@given(STEPS)
def test_what_is_in_memory_is_on_disk(steps: Any) -> None:
    with TemporaryDirectory() as folder:
        with InProcessApi(Path(folder) / "o") as desk:
            for step in steps:
                do(desk, step)
            before = listed(desk, Selection("default")), desk.store.revision
        with InProcessApi(Path(folder) / "o") as desk:
            assert (listed(desk, Selection("default")), desk.store.revision) == before


@settings(max_examples=30)
@given(STEPS)
def test_revisions_only_grow(steps: Any) -> None:
    with TemporaryDirectory() as folder, InProcessApi(Path(folder) / "o") as desk:
        start = desk.store.revision
        for step in steps:
            do(desk, step)
        events = desk.api.cache.collection("configmaps").since(start)
        assert events is not None
        revisions = [event.record.revision for event in events]
        assert revisions == sorted(set(revisions))
