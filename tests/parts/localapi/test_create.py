"""Creating objects."""

from __future__ import annotations

import re
from typing import Any

import pytest

from headgate.localapi.registry.status_errors import StatusError
from support.local_api import InProcessApi

ROUTE = {"metadata": {"name": "r"}, "spec": {"rules": [{"backendRefs": [{"name": "a", "port": 80}]}]}}


def config_map(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **more}


def test_a_new_object_gets_uid_time_revision_and_namespace(desk: InProcessApi) -> None:
    metadata = desk.create("configmaps", config_map("a"))["metadata"]
    assert re.fullmatch(r"[0-9a-f-]{36}", metadata["uid"])
    assert metadata["creationTimestamp"] == "2027-01-15T08:00:00Z"
    assert metadata["namespace"] == "default"
    assert int(metadata["resourceVersion"]) == desk.store.revision


def test_defaults_are_stored(desk: InProcessApi) -> None:
    desk.create("httproutes.gateway.networking.k8s.io", ROUTE)
    stored = desk.get("httproutes.gateway.networking.k8s.io", "r")
    assert stored["spec"]["rules"][0]["backendRefs"][0]["weight"] == 1


def test_fields_that_only_the_server_writes_are_not_taken_from_a_client(desk: InProcessApi) -> None:
    given = {"uid": "mine", "resourceVersion": "7", "deletionTimestamp": "2020-01-01T00:00:00Z", "generation": 9}
    metadata = desk.create("configmaps", {"metadata": {"name": "a", **given}})["metadata"]
    assert metadata["uid"] != "mine"
    assert "deletionTimestamp" not in metadata


def test_the_status_of_a_new_object_is_not_taken_from_a_client(desk: InProcessApi) -> None:
    created = desk.create("httproutes.gateway.networking.k8s.io", {**ROUTE, "status": {"parents": []}})
    assert "status" not in created


def test_a_gateway_waits_for_its_controller(desk: InProcessApi) -> None:
    gateway = {
        "metadata": {"name": "g"},
        "spec": {"gatewayClassName": "c", "listeners": [{"name": "l", "port": 80, "protocol": "HTTP"}]},
    }
    conditions = desk.create("gateways.gateway.networking.k8s.io", gateway)["status"]["conditions"]
    assert {(c["type"], c["status"], c["reason"]) for c in conditions} == {
        ("Accepted", "Unknown", "Pending"),
        ("Programmed", "Unknown", "Pending"),
    }


def test_a_name_is_generated(desk: InProcessApi) -> None:
    created = desk.create("configmaps", {"metadata": {"generateName": "web-"}})
    assert re.fullmatch(r"web-[a-z0-9]{5}", created["metadata"]["name"])


def test_a_long_base_of_a_generated_name_is_cut(desk: InProcessApi) -> None:
    created = desk.create("configmaps", {"metadata": {"generateName": "x" * 80}})
    assert len(created["metadata"]["name"]) == 63


def test_a_second_object_of_the_same_name_is_refused(desk: InProcessApi) -> None:
    desk.create("configmaps", config_map("a"))
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", config_map("a"))
    assert (caught.value.code, caught.value.reason) == (409, "AlreadyExists")


def test_an_object_in_a_missing_namespace_is_refused(desk: InProcessApi) -> None:
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", config_map("a"), "nowhere")
    assert (caught.value.code, caught.value.message) == (404, 'namespaces "nowhere" not found')


def test_an_object_of_another_namespace_is_refused(desk: InProcessApi) -> None:
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", {"metadata": {"name": "a", "namespace": "kube-system"}})
    assert caught.value.code == 400


def test_an_object_of_another_kind_is_refused(desk: InProcessApi) -> None:
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})
    assert caught.value.code == 400


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "", "x" * 254])
def test_a_name_that_cannot_be_is_refused_with_its_path(desk: InProcessApi, name: str) -> None:
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", config_map(name))
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["metadata.name"]


@pytest.mark.parametrize(("plural", "name"), [("services", "1st"), ("services", "a.b"), ("namespaces", "a.b")])
def test_some_kinds_take_labels_as_names_only(desk: InProcessApi, plural: str, name: str) -> None:
    with pytest.raises(StatusError) as caught:
        desk.create(plural, {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}})
    assert caught.value.code == 422


def test_a_label_that_cannot_be_is_refused(desk: InProcessApi) -> None:
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", {"metadata": {"name": "a", "labels": {"a b": "c", "d": "e f"}}})
    assert len(caught.value.details["causes"]) == 2


def test_unknown_fields_are_dropped_and_told(desk: InProcessApi) -> None:
    warnings: list[str] = []
    created = desk.create("configmaps", config_map("a", daat={"x": "y"}), warnings=warnings)
    assert "daat" not in created
    assert warnings == ['unknown field "daat"']


def test_unknown_fields_are_refused_when_the_client_is_strict(desk: InProcessApi) -> None:
    with pytest.raises(StatusError) as caught:
        desk.create("configmaps", config_map("a", daat={}, metdata={}), validation="Strict")
    assert caught.value.code == 400
    assert [cause["field"] for cause in caught.value.details["causes"]] == ["daat", "metdata"]


def test_unknown_fields_may_be_ignored(desk: InProcessApi) -> None:
    warnings: list[str] = []
    desk.create("configmaps", config_map("a", daat={}), validation="Ignore", warnings=warnings)
    assert warnings == []


def test_every_problem_of_a_route_is_told_with_its_path(desk: InProcessApi) -> None:
    rule = {"backendRefs": [{"port": 0, "weight": -1}], "matches": [{"method": "get"}]}
    with pytest.raises(StatusError) as caught:
        desk.create("httproutes.gateway.networking.k8s.io", {"metadata": {"name": "r"}, "spec": {"rules": [rule]}})
    assert {cause["field"] for cause in caught.value.details["causes"]} == {
        "spec.rules[0].backendRefs[0].name",
        "spec.rules[0].backendRefs[0].port",
        "spec.rules[0].backendRefs[0].weight",
        "spec.rules[0].matches[0].method",
        "<nil>",  # that the rules in CEL were not asked
    }


def test_a_dry_run_answers_and_stores_nothing(desk: InProcessApi) -> None:
    before = desk.store.revision
    created = desk.create("configmaps", config_map("a"), dry_run=True)
    assert "uid" in created["metadata"]
    assert "resourceVersion" not in created["metadata"]
    assert (desk.there("configmaps", "a"), desk.store.revision) == (False, before)


def test_an_older_version_of_a_kind_is_stored_in_the_same_form(desk: InProcessApi) -> None:
    kind = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "HTTPRoute"}
    desk.create("httproutes.gateway.networking.k8s.io", {**kind, **ROUTE})
    assert desk.get("httproutes.gateway.networking.k8s.io", "r")["apiVersion"] == "gateway.networking.k8s.io/v1"


def test_a_new_namespace_has_its_label_its_finalizer_and_an_account(desk: InProcessApi) -> None:
    created = desk.create("namespaces", {"metadata": {"name": "shop"}})
    assert created["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert created["spec"] == {"finalizers": ["kubernetes"]}
    assert created["status"] == {"phase": "Active"}
    assert desk.names("serviceaccounts", "shop") == ["default"]
