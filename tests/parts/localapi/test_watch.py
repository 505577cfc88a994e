"""Lists and watches over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from support.local_api import Http

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def path(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def create(http: Http, namespace: str, name: str, **labels: str) -> dict[str, Any]:
    answer = http.post(path(namespace), {"metadata": {"name": name, "labels": labels}})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def seen(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"].get("name", "")


# --- lists


def test_a_list_is_in_the_order_of_names(http: Http, namespace: str) -> None:
    for name in ("b", "a", "c"):
        create(http, namespace, name)
    found = http.get(path(namespace)).json()
    assert found["kind"] == "ConfigMapList"
    assert [item["metadata"]["name"] for item in found["items"]] == ["a", "b", "c"]


def test_a_list_comes_in_pages_that_carry_the_revision_of_the_first(http: Http, namespace: str) -> None:
    for name in ("a", "b", "c"):
        create(http, namespace, name)
    first = http.get(f"{path(namespace)}?limit=2").json()
    create(http, namespace, "d")
    second = http.get(f"{path(namespace)}?limit=2&continue={first['metadata']['continue']}").json()
    assert [item["metadata"]["name"] for item in first["items"] + second["items"]] == ["a", "b", "c", "d"]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert first["metadata"]["remainingItemCount"] == 1
    assert "continue" not in second["metadata"]


def test_a_continue_token_that_is_none_is_refused(http: Http, namespace: str) -> None:
    assert http.get(f"{path(namespace)}?continue=x").status_code == 400


def test_a_list_is_selected_by_labels(http: Http, namespace: str) -> None:
    create(http, namespace, "a", app="web")
    create(http, namespace, "b", app="db")
    found = http.get(f"{path(namespace)}?labelSelector=app%20in%20(web)").json()
    assert [item["metadata"]["name"] for item in found["items"]] == ["a"]


def test_pods_are_selected_by_their_node(http: Http, namespace: str) -> None:
    for name, node in (("a", "n1"), ("b", "n2")):
        spec = {"nodeName": node, "containers": [{"name": "c", "image": "i:1"}]}
        http.post(f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": name}, "spec": spec})
    found = http.get(f"/api/v1/namespaces/{namespace}/pods?fieldSelector=spec.nodeName%3Dn2").json()
    assert [item["metadata"]["name"] for item in found["items"]] == ["b"]


def test_events_are_selected_by_what_they_are_about(http: Http, namespace: str) -> None:
    for name in ("a", "b"):
        about = {"kind": "Pod", "name": name, "namespace": namespace, "uid": f"uid-{name}"}
        event = {"metadata": {"name": f"event-{name}"}, "involvedObject": about, "type": "Warning"}
        http.post(f"/api/v1/namespaces/{namespace}/events", event)
    fields = f"involvedObject.name=a,involvedObject.uid=uid-a,involvedObject.namespace={namespace},type=Warning"
    query = f"fieldSelector={quote(fields)}"
    found = http.get(f"/api/v1/namespaces/{namespace}/events?{query}").json()
    assert [item["metadata"]["name"] for item in found["items"]] == ["event-a"]


def test_a_field_that_cannot_select_is_refused_with_those_that_can(http: Http, namespace: str) -> None:
    answer = http.get(f"{path(namespace)}?fieldSelector=data.a%3Db")
    assert answer.status_code == 400
    assert "metadata.name" in answer.json()["message"]


# --- watches


def test_a_watch_from_a_revision_tells_what_happened_since(http: Http, namespace: str) -> None:
    revision = http.get(path(namespace)).json()["metadata"]["resourceVersion"]
    create(http, namespace, "a")
    http.patch(path(namespace, "a"), {"data": {"x": "y"}})
    http.delete(path(namespace, "a"))
    with http.watch(f"{path(namespace)}?resourceVersion={revision}") as events:
        assert [seen(next(events)) for _ in range(3)] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_without_a_revision_begins_with_what_is_there(http: Http, namespace: str) -> None:
    create(http, namespace, "a")
    with http.watch(path(namespace)) as events:
        assert seen(next(events)) == ("ADDED", "a")


def test_a_watch_tells_changes_as_they_happen(http: Http, namespace: str) -> None:
    revision = http.get(path(namespace)).json()["metadata"]["resourceVersion"]
    with http.watch(f"{path(namespace)}?resourceVersion={revision}") as events:
        created = create(http, namespace, "a")
        event = next(events)
    assert (seen(event), event["object"]) == (("ADDED", "a"), created)


def test_initial_events_end_with_a_bookmark_that_says_so(http: Http, namespace: str) -> None:
    create(http, namespace, "a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    with http.watch(f"{path(namespace)}?{query}") as events:
        first, second = next(events), next(events)
    assert seen(first) == ("ADDED", "a")
    assert second["type"] == "BOOKMARK"
    assert second["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_initial_events_need_bookmarks(http: Http, namespace: str) -> None:
    assert http.get(f"{path(namespace)}?watch=true&sendInitialEvents=true").status_code == 400


def test_an_object_that_enters_or_leaves_the_selection_is_added_or_deleted(http: Http, namespace: str) -> None:
    revision = create(http, namespace, "a", app="db")["metadata"]["resourceVersion"]
    with http.watch(f"{path(namespace)}?resourceVersion={revision}&labelSelector=app%3Dweb") as events:
        for app in ("web", "db"):
            http.patch(path(namespace, "a"), {"metadata": {"labels": {"app": app}}})
        assert [seen(next(events)) for _ in range(2)] == [("ADDED", "a"), ("DELETED", "a")]


def test_one_object_is_watched_by_its_name(http: Http, namespace: str) -> None:
    revision = create(http, namespace, "a")["metadata"]["resourceVersion"]
    with http.watch(f"{path(namespace)}?resourceVersion={revision}&fieldSelector=metadata.name%3Db") as events:
        http.delete(path(namespace, "a"))
        create(http, namespace, "b")
        assert seen(next(events)) == ("ADDED", "b")


def test_a_watch_ends_after_its_time(http: Http, namespace: str) -> None:
    with http.watch(f"{path(namespace)}?timeoutSeconds=1") as events:
        assert list(events) == []


def test_a_revision_from_the_future_has_to_list_again(http: Http, namespace: str) -> None:
    with http.watch(f"{path(namespace)}?resourceVersion=999999999") as events:
        (event,) = list(events)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_deleted_object_carries_the_revision_of_its_removal(http: Http, namespace: str) -> None:
    created = create(http, namespace, "a")
    http.delete(path(namespace, "a"))
    with http.watch(f"{path(namespace)}?resourceVersion={created['metadata']['resourceVersion']}") as events:
        event = next(events)
    assert event["type"] == "DELETED"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])


def test_an_older_version_is_watched_in_its_own_form(http: Http, namespace: str) -> None:
    base = f"/apis/gateway.networking.k8s.io/{{}}/namespaces/{namespace}/httproutes"
    revision = http.get(base.format("v1")).json()["metadata"]["resourceVersion"]
    http.post(base.format("v1"), {"metadata": {"name": "r"}, "spec": {}})
    with http.watch(f"{base.format('v1beta1')}?resourceVersion={revision}") as events:
        assert next(events)["object"]["apiVersion"] == "gateway.networking.k8s.io/v1beta1"


# --- tables


def test_a_list_comes_as_a_table(http: Http, namespace: str) -> None:
    create(http, namespace, "a")
    table = http.get(path(namespace), TABLE).json()
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 0]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_a_table_may_carry_whole_objects(http: Http, namespace: str) -> None:
    create(http, namespace, "a")
    table = http.get(f"{path(namespace)}?includeObject=Object", TABLE).json()
    assert table["rows"][0]["object"]["kind"] == "ConfigMap"


def test_a_watch_comes_as_tables(http: Http, namespace: str) -> None:
    revision = http.get(path(namespace)).json()["metadata"]["resourceVersion"]
    create(http, namespace, "a")
    with http.watch(f"{path(namespace)}?resourceVersion={revision}", TABLE) as events:
        event = next(events)
    assert event["type"] == "ADDED"
    assert event["object"]["rows"][0]["cells"][0] == "a"


def test_metadata_comes_alone_when_asked_for(http: Http, namespace: str) -> None:
    create(http, namespace, "a")
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    found = http.get(path(namespace), accept).json()
    assert found["kind"] == "PartialObjectMetadataList"
    assert set(found["items"][0]) == {"kind", "apiVersion", "metadata"}
