"""Requests that are small and would cost much, or are too large: each gets its Status, and the API goes on."""

import json
from typing import Any

import httpx
import pytest

from support.local_api import Http

JSON, YAML = "application/json", "application/yaml"
APPLY = "application/apply-patch+yaml"


def config_maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def config_map(name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} | fields


def refused(answer: httpx.Response, code: int, message: str) -> None:
    """The answer is a Status with this code and text, and the API answers the next request."""
    status = answer.json()
    assert (answer.status_code, status["kind"], status["code"]) == (code, "Status", code), status
    assert message in status["message"]


def send(http: Http, method: str, path: str, media: str, body: str) -> httpx.Response:
    answer = http.client.request(method, path, content=body, headers={"content-type": media})
    assert http.client.get("/healthz").text == "ok"
    return answer


def bomb() -> str:
    lines = ["l0: &l0 [x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 11)]
    return "\n".join(lines)


@pytest.mark.parametrize("media", [JSON, YAML])
@pytest.mark.parametrize("depth", [101, 20_000, 200_000])
def test_a_deep_body_is_refused(http: Http, namespace: str, media: str, depth: int) -> None:
    answer = send(http, "POST", config_maps(namespace), media, "[" * depth + "]" * depth)
    refused(answer, 400, "nested deeper than 100 levels")


@pytest.mark.parametrize(
    "kind", ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"]
)
def test_a_deep_patch_is_refused(http: Http, namespace: str, kind: str) -> None:
    http.post(config_maps(namespace), config_map("a"))
    path = config_maps(namespace, "a") + "?fieldManager=test"
    answer = send(http, "PATCH", path, f"application/{kind}", '{"a":' * 100_000 + "1" + "}" * 100_000)
    refused(answer, 400, "nested deeper than 100 levels")


def test_aliases_that_expand_without_end_are_refused(http: Http, namespace: str) -> None:
    refused(send(http, "POST", config_maps(namespace), YAML, bomb()), 400, "aliases stand for more than")
    path = config_maps(namespace, "a") + "?fieldManager=test"
    refused(send(http, "PATCH", path, APPLY, bomb()), 400, "aliases stand for more than")


def test_yaml_values_that_cannot_be_read_are_refused(http: Http, namespace: str) -> None:
    path = config_maps(namespace, "a") + "?fieldManager=test"
    refused(send(http, "PATCH", path, APPLY, "a: 2001-99-99"), 400, "error decoding YAML")


def test_copies_that_double_are_refused(http: Http, namespace: str) -> None:
    http.post(config_maps(namespace), config_map("a", data={"a": "x" * 50}))
    copies = [{"op": "copy", "from": "/data", "path": f"/data/k{n}"} for n in range(27)]
    refused(http.patch(config_maps(namespace, "a"), copies, "json-patch"), 413, "copy more than")


def test_many_operations_are_refused(http: Http, namespace: str) -> None:
    http.post(config_maps(namespace), config_map("a"))
    operations = [{"op": "test", "path": "/data", "value": None}] * 10_001
    refused(http.patch(config_maps(namespace, "a"), operations, "json-patch"), 413, "at most 10000 operations")


def test_data_above_one_mebibyte_is_refused(http: Http, namespace: str) -> None:
    path = config_maps(namespace)
    assert http.post(path, config_map("fits", data={"a": "x" * 1024 * 1024})).status_code == 201
    refused(http.post(path, config_map("large", data={"a": "x" * (1024 * 1024 + 1)})), 422, "Too long")
    more = {"data": {"b": "y"}}
    refused(http.patch(config_maps(namespace, "fits"), more), 422, "Too long")


def test_an_object_above_the_limit_of_etcd_is_refused(http: Http, namespace: str) -> None:
    container = {"name": "c", "image": "i:1", "args": ["x" * 1536 * 1024]}
    pod = {"metadata": {"name": "large"}, "spec": {"containers": [container]}}
    path = f"/api/v1/namespaces/{namespace}/pods"
    refused(http.post(path, pod), 413, "Request entity too large: the object has")
    refused(http.post(path + "?dryRun=All", pod), 413, "Request entity too large: the object has")


def test_a_body_above_three_mebibytes_is_refused(http: Http, namespace: str) -> None:
    refused(http.post(config_maps(namespace), config_map("a", data={"a": "x" * 3 * 1024 * 1024})), 413, "3 MiB")


@pytest.mark.parametrize(
    "query",
    [
        "limit=many",
        "limit=-1",
        "limit=1e3",
        f"limit={2**63}",
        "watch=1&timeoutSeconds=nan",
        "watch=1&resourceVersion=²",
    ],
)
def test_a_query_that_does_not_parse_is_refused(http: Http, namespace: str, query: str) -> None:
    name = query.rpartition("&")[2].partition("=")[0]
    refused(http.get(f"{config_maps(namespace)}?{query}"), 400, f"{name} is ")


@pytest.mark.parametrize("body", [None, {"gracePeriodSeconds": "soon"}, {"gracePeriodSeconds": 1.5}])
def test_a_grace_period_that_does_not_parse_is_refused(http: Http, namespace: str, body: Any) -> None:
    query = "" if body else "?gracePeriodSeconds=soon"
    answer = http.client.request(
        "DELETE", config_maps(namespace, "a") + query, content=json.dumps(body) if body else ""
    )
    refused(answer, 400, "gracePeriodSeconds is")


def test_an_object_at_the_limit_of_depth_is_stored_and_changed(http: Http, namespace: str) -> None:
    fields: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": fields}}}
    group = f"{namespace}.example.com"
    definition = {
        "metadata": {"name": f"deeps.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Deep", "plural": "deeps"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    assert http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).status_code == 201
    spec: dict[str, Any] = {"a": 1}
    for _ in range(98):
        spec = {"a": spec}
    deep = {"apiVersion": f"{group}/v1", "kind": "Deep", "metadata": {"name": "a"}, "spec": spec}
    path = f"/apis/{group}/v1/namespaces/{namespace}/deeps"
    created = http.post(path, deep)
    assert created.status_code == 201, created.text
    assert http.patch(f"{path}/a", {"metadata": {"labels": {"x": "y"}}}).status_code == 200
    deeper = [{"op": "copy", "from": "/spec", "path": "/spec/b"}]
    refused(http.patch(f"{path}/a", deeper, "json-patch"), 400, "nested deeper")
    applied = send(http, "PATCH", f"{path}/a?fieldManager=other&force=true", APPLY, json.dumps(deep))
    assert applied.status_code == 200, applied.text
