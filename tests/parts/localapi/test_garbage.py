"""Owners, namespaces, definitions: what goes with what."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.localapi.registry.status_errors import StatusError
from support.local_api import InProcessApi


def owned(name: str, *owners: dict[str, Any], block: bool = False) -> dict[str, Any]:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            **({"blockOwnerDeletion": True} if block else {}),
        }
        for owner in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


@pytest.fixture
def owner(desk: InProcessApi) -> dict[str, Any]:
    return desk.create("configmaps", {"metadata": {"name": "owner"}})


def test_what_is_owned_goes_with_its_owner(desk: InProcessApi, owner: dict[str, Any]) -> None:
    child = desk.create("configmaps", owned("child", owner))
    desk.create("secrets", owned("grandchild", child))
    desk.delete("configmaps", "owner")
    desk.garbage.settle()
    assert not desk.there("configmaps", "child")
    assert not desk.there("secrets", "grandchild")


def test_an_object_with_another_owner_stays_and_forgets_the_gone_one(desk: InProcessApi, owner: dict[str, Any]) -> None:
    other = desk.create("configmaps", {"metadata": {"name": "other"}})
    desk.create("configmaps", owned("child", owner, other))
    desk.delete("configmaps", "owner")
    desk.garbage.settle()
    assert [r["name"] for r in desk.get("configmaps", "child")["metadata"]["ownerReferences"]] == ["other"]


def test_an_object_whose_owner_was_never_there_goes(desk: InProcessApi) -> None:
    desk.create("configmaps", owned("child", {"metadata": {"name": "ghost", "uid": "none"}}))
    desk.garbage.settle()
    assert not desk.there("configmaps", "child")


def test_an_owner_of_the_same_name_is_not_the_same_owner(desk: InProcessApi, owner: dict[str, Any]) -> None:
    desk.create("configmaps", owned("child", owner))
    desk.delete("configmaps", "owner")
    desk.create("configmaps", {"metadata": {"name": "owner"}})
    desk.garbage.settle()
    assert not desk.there("configmaps", "child")


def test_orphans_stay_and_forget_their_owner(desk: InProcessApi, owner: dict[str, Any]) -> None:
    desk.create("configmaps", owned("child", owner))
    desk.delete("configmaps", "owner", propagation="Orphan")
    desk.garbage.settle()
    assert not desk.there("configmaps", "owner")
    assert "ownerReferences" not in desk.get("configmaps", "child")["metadata"]


def test_in_the_foreground_the_owner_goes_last(desk: InProcessApi, owner: dict[str, Any]) -> None:
    child = owned("child", owner, block=True)
    child["metadata"]["finalizers"] = ["example.com/wait"]
    desk.create("configmaps", child)
    desk.delete("configmaps", "owner", propagation="Foreground")
    desk.garbage.settle()
    assert desk.there("configmaps", "owner")
    waiting = desk.get("configmaps", "child")
    waiting["metadata"]["finalizers"] = [f for f in waiting["metadata"]["finalizers"] if f != "example.com/wait"]
    desk.put("configmaps", waiting)
    desk.garbage.settle()
    assert not desk.there("configmaps", "child")
    assert not desk.there("configmaps", "owner")


def test_garbage_left_by_a_stop_is_collected_after_the_next_start(desk: InProcessApi, owner: dict[str, Any]) -> None:
    desk.create("configmaps", owned("child", owner))
    desk.delete("configmaps", "owner")
    desk.garbage = type(desk.garbage)(desk.api)
    desk.garbage.settle()
    assert not desk.there("configmaps", "child")


# --- namespaces


def test_a_namespace_goes_after_what_is_in_it(desk: InProcessApi) -> None:
    desk.create("namespaces", {"metadata": {"name": "shop"}})
    desk.create("configmaps", {"metadata": {"name": "a"}}, "shop")
    assert desk.delete("namespaces", "shop", "") is False
    assert desk.get("namespaces", "shop", "")["status"]["phase"] == "Terminating"
    desk.garbage.settle()
    assert not desk.there("namespaces", "shop")
    assert desk.names("configmaps", "shop") == []


def test_a_namespace_waits_for_what_is_held_in_it(desk: InProcessApi) -> None:
    desk.create("namespaces", {"metadata": {"name": "shop"}})
    desk.create("configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/wait"]}}, "shop")
    desk.delete("namespaces", "shop", "")
    desk.garbage.settle()
    assert desk.there("namespaces", "shop")
    held = desk.get("configmaps", "a", "shop")
    held["metadata"]["finalizers"] = []
    desk.put("configmaps", held)
    desk.garbage.settle()
    assert not desk.there("namespaces", "shop")


def test_nothing_new_comes_into_a_namespace_that_goes(desk: InProcessApi) -> None:
    desk.create("namespaces", {"metadata": {"name": "shop"}})
    desk.delete("namespaces", "shop", "")
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", {"metadata": {"name": "a"}}, "shop")
    assert caught.value.code == 403
    assert caught.value.details["causes"][0]["reason"] == "NamespaceTerminating"


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_a_namespace_of_the_system_stays(desk: InProcessApi, name: str) -> None:
    with pytest.raises(StatusError) as caught:
        desk.delete("namespaces", name, "")
    assert caught.value.code == 403


# --- events


def test_an_event_goes_an_hour_after_it_was_last_seen(desk: InProcessApi) -> None:
    from headgate.localapi.maintenance import expire_events  # noqa: PLC0415

    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    old = {"metadata": {"name": "old"}, "involvedObject": about, "lastTimestamp": "2027-01-15T07:00:00Z"}
    new = {"metadata": {"name": "new"}, "involvedObject": about, "lastTimestamp": "2027-01-15T07:59:00Z"}
    desk.create("events", old)
    desk.create("events", new)
    desk.now += 60.0
    assert expire_events(desk.api) == 1
    assert desk.names("events") == ["new"]
