"""Changing objects."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from headgate.localapi.registry.status_errors import StatusError
from headgate.localapi.registry.strategy import DeleteOptions
from support.local_api import InProcessApi, decoded

ROUTES = "httproutes.gateway.networking.k8s.io"


@pytest.fixture
def route(desk: InProcessApi) -> dict[str, Any]:
    return desk.create(ROUTES, {"metadata": {"name": "r"}, "spec": {"hostnames": ["a.example"]}})


def changed(obj: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(obj), **more}


STATUS = {
    "parents": [
        {
            "parentRef": {"name": "g"},
            "controllerName": "example.com/c",
            "conditions": [
                {
                    "type": "Accepted",
                    "status": "True",
                    "reason": "Accepted",
                    "message": "",
                    "lastTransitionTime": "2027-01-15T08:00:00Z",
                }
            ],
        }
    ]
}


def test_the_generation_counts_changes_of_the_spec(desk: InProcessApi, route: dict[str, Any]) -> None:
    updated = desk.put(ROUTES, changed(route, spec={"hostnames": ["b.example"]}))
    assert (route["metadata"]["generation"], updated["metadata"]["generation"]) == (1, 2)


def test_a_label_does_not_count_as_a_change_of_the_spec(desk: InProcessApi, route: dict[str, Any]) -> None:
    route["metadata"]["labels"] = {"a": "b"}
    assert desk.put(ROUTES, route)["metadata"]["generation"] == 1


def test_an_update_leaves_the_status(desk: InProcessApi, route: dict[str, Any]) -> None:
    with_status = desk.put(ROUTES, changed(route, status=STATUS), "status")
    updated = desk.put(ROUTES, changed(with_status, status={"parents": []}, spec={}))
    assert updated["status"]["parents"][0]["controllerName"] == "example.com/c"


def test_an_update_of_the_status_leaves_everything_else(desk: InProcessApi, route: dict[str, Any]) -> None:
    asked = changed(route, status=STATUS, spec={})
    asked["metadata"]["labels"] = {"a": "b"}
    updated = desk.put(ROUTES, asked, "status")
    assert updated["spec"] == route["spec"]
    assert "labels" not in updated["metadata"]
    assert updated["metadata"]["generation"] == 1


def test_a_status_that_does_not_fit_is_refused(desk: InProcessApi, route: dict[str, Any]) -> None:
    with pytest.raises(StatusError) as caught:
        desk.put(ROUTES, changed(route, status={"parents": [{"controllerName": "x"}]}), "status")
    assert "status.parents[0].parentRef" in {cause["field"] for cause in caught.value.details["causes"]}


def test_an_update_of_an_older_object_is_a_conflict(desk: InProcessApi, route: dict[str, Any]) -> None:
    desk.put(ROUTES, changed(route, spec={}))
    with pytest.raises(StatusError) as caught:
        desk.put(ROUTES, changed(route, spec={"hostnames": []}))
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")


def test_an_update_of_a_custom_object_needs_its_revision(desk: InProcessApi, route: dict[str, Any]) -> None:
    del route["metadata"]["resourceVersion"]
    with pytest.raises(StatusError) as caught:
        desk.put(ROUTES, route)
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["metadata.resourceVersion"]


def test_an_update_of_another_object_with_the_same_name_is_a_conflict(
    desk: InProcessApi, route: dict[str, Any]
) -> None:
    route["metadata"]["uid"] = "another"
    with pytest.raises(StatusError) as caught:
        desk.put(ROUTES, route)
    assert caught.value.code == 409


def test_an_update_of_a_missing_object_is_not_found(desk: InProcessApi, route: dict[str, Any]) -> None:
    route["metadata"]["name"] = "other"
    with pytest.raises(StatusError) as caught:
        desk.put(ROUTES, route)
    assert caught.value.code == 404


def test_an_update_that_changes_nothing_has_no_revision(desk: InProcessApi, route: dict[str, Any]) -> None:
    before = desk.store.revision
    assert desk.put(ROUTES, route) == route
    assert desk.store.revision == before


def test_a_dry_run_of_an_update_keeps_the_revision(desk: InProcessApi, route: dict[str, Any]) -> None:
    updated = desk.put(ROUTES, changed(route, spec={}), dry_run=True)
    assert updated["metadata"]["resourceVersion"] == route["metadata"]["resourceVersion"]
    assert desk.get(ROUTES, "r") == route


def test_the_identity_of_an_object_never_changes(desk: InProcessApi, route: dict[str, Any]) -> None:
    asked = changed(route, spec={})
    asked["metadata"] |= {"creationTimestamp": "2020-01-01T00:00:00Z", "generation": 77}
    updated = desk.put(ROUTES, asked)
    assert updated["metadata"]["creationTimestamp"] == route["metadata"]["creationTimestamp"]
    assert updated["metadata"]["generation"] == 2


# --- deletion


def with_finalizer(desk: InProcessApi) -> dict[str, Any]:
    return desk.create("configmaps", {"metadata": {"name": "a", "finalizers": ["example.com/wait"]}})


def test_a_finalizer_holds_an_object(desk: InProcessApi) -> None:
    with_finalizer(desk)
    assert desk.delete("configmaps", "a") is False
    assert desk.get("configmaps", "a")["metadata"]["deletionTimestamp"] == "2027-01-15T08:00:00Z"


def test_an_object_goes_with_its_last_finalizer(desk: InProcessApi) -> None:
    with_finalizer(desk)
    desk.delete("configmaps", "a")
    waiting = desk.get("configmaps", "a")
    waiting["metadata"]["finalizers"] = []
    desk.put("configmaps", waiting)
    assert not desk.there("configmaps", "a")


def test_an_object_that_waits_for_its_end_takes_no_new_finalizer(desk: InProcessApi) -> None:
    with_finalizer(desk)
    desk.delete("configmaps", "a")
    waiting = desk.get("configmaps", "a")
    waiting["metadata"]["finalizers"].append("example.com/more")
    with pytest.raises(StatusError) as caught:
        desk.put("configmaps", waiting)
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["metadata.finalizers"]


@pytest.mark.parametrize("how", [{"uid": "another"}, {"revision": "1"}])
def test_a_deletion_of_another_object_than_meant_is_a_conflict(desk: InProcessApi, how: dict[str, str]) -> None:
    desk.create("configmaps", {"metadata": {"name": "a"}})
    with pytest.raises(StatusError) as caught:
        desk.delete("configmaps", "a", **how)
    assert caught.value.code == 409


def test_a_removal_has_a_revision_of_its_own(desk: InProcessApi) -> None:
    desk.create("configmaps", {"metadata": {"name": "a"}})
    before = desk.store.revision
    record, gone = desk.api.delete(desk.resource("configmaps"), "default", "a", DeleteOptions())
    assert gone
    assert int(decoded(record)["metadata"]["resourceVersion"]) == desk.store.revision == before + 1


POD: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}


def test_a_pod_without_a_node_goes_at_once(desk: InProcessApi) -> None:
    desk.create("pods", POD)
    assert desk.delete("pods", "p") is True


def test_a_pod_on_a_node_waits_until_the_node_confirms(desk: InProcessApi) -> None:
    desk.create("pods", {**POD, "spec": {**POD["spec"], "nodeName": "n"}})
    assert desk.delete("pods", "p") is False
    metadata = desk.get("pods", "p")["metadata"]
    assert (metadata["deletionGracePeriodSeconds"], metadata["deletionTimestamp"]) == (30, "2027-01-15T08:00:30Z")
    assert desk.delete("pods", "p", grace=0) is True


def test_a_second_deletion_can_only_shorten_the_grace_of_a_pod(desk: InProcessApi) -> None:
    desk.create("pods", {**POD, "spec": {**POD["spec"], "nodeName": "n"}})
    desk.delete("pods", "p", grace=10)
    desk.delete("pods", "p", grace=60)
    assert desk.get("pods", "p")["metadata"]["deletionGracePeriodSeconds"] == 10
