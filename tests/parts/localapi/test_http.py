"""Requests over HTTP: discovery, bodies, patches, subresources."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from headgate import pki
from support.local_api import Http
from support.web import QuietHandler, serving

ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes"


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def deployments(namespace: str, name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments" + (f"/{name}" if name else "")


# --- discovery


def test_discovery_comes_aggregated(http: Http) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = http.get("/apis", accept)
    assert "as=APIGroupDiscoveryList" in answer.headers["content-type"]
    groups = {group["metadata"]["name"]: group for group in answer.json()["items"]}
    routes = next(
        resource
        for resource in groups["gateway.networking.k8s.io"]["versions"][0]["resources"]
        if resource["resource"] == "httproutes"
    )
    assert routes["responseKind"] == {"group": "gateway.networking.k8s.io", "version": "v1", "kind": "HTTPRoute"}
    assert [part["subresource"] for part in routes["subresources"]] == ["status"]


def test_discovery_comes_group_by_group_for_older_clients(http: Http) -> None:
    groups = {group["name"]: group for group in http.get("/apis").json()["groups"]}
    assert groups["gateway.networking.k8s.io"]["preferredVersion"]["version"] == "v1"
    names = [entry["name"] for entry in http.get("/api/v1").json()["resources"]]
    assert {"pods", "pods/status", "pods/log", "pods/binding", "serviceaccounts/token"} <= set(names)


def test_openapi_says_how_lists_are_merged(http: Http) -> None:
    document = http.get("/openapi/v3/apis/apps/v1").json()
    spec = document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]
    assert spec["properties"]["containers"]["x-kubernetes-patch-merge-key"] == "name"


def test_openapi_says_that_patches_take_field_validation(http: Http) -> None:
    document = http.get("/openapi/v3/apis/gateway.networking.k8s.io/v1").json()
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{name}"
    names = [parameter["name"] for parameter in document["paths"][path]["patch"]["parameters"]]
    assert "fieldValidation" in names


def test_every_reference_in_openapi_leads_somewhere(http: Http) -> None:
    for path in http.get("/openapi/v3").json()["paths"].values():
        text = http.get(path["serverRelativeURL"])
        schemas = text.json()["components"]["schemas"]
        found = {part.split('"')[0] for part in text.text.split("#/components/schemas/")[1:]}
        assert found <= set(schemas)


def test_the_version_is_kubernetes_own(http: Http) -> None:
    version = http.get("/version").json()
    assert (version["major"], version["minor"]) == ("1", "36")


@pytest.mark.parametrize(
    "path",
    ["/apis/nowhere", "/api/v1/things", "/apis/apps/v1/namespaces/default/deployments/x/scale/y", "/api/v1/pods/x"],
)
def test_what_is_not_served_is_not_found(http: Http, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()["kind"]) == (404, "Status")


def test_a_method_that_is_not_served_is_refused(http: Http, namespace: str) -> None:
    assert http.post(deployments(namespace, "x"), {}).status_code == 405


# --- bodies


def test_a_body_may_be_yaml(http: Http, namespace: str) -> None:
    answer = http.client.post(
        f"/api/v1/namespaces/{namespace}/configmaps",
        content="metadata: {name: a}\ndata: {x: 'y'}\n",
        headers={"content-type": "application/yaml"},
    )
    assert answer.json()["data"] == {"x": "y"}


@pytest.mark.parametrize(
    ("media", "body", "code"),
    [("application/json", "{", 400), ("application/xml", "<a/>", 415), ("application/json", "[]", 400)],
)
def test_a_body_that_cannot_be_read_is_refused(http: Http, namespace: str, media: str, body: str, code: int) -> None:
    answer = http.client.post(
        f"/api/v1/namespaces/{namespace}/configmaps", content=body, headers={"content-type": media}
    )
    assert answer.status_code == code


def test_a_body_that_is_too_large_is_refused(http: Http, namespace: str) -> None:
    answer = http.post(f"/api/v1/namespaces/{namespace}/configmaps", {"data": {"x": "y" * 4_000_000}})
    assert answer.status_code == 413


def test_unknown_fields_come_back_as_a_warning(http: Http, namespace: str) -> None:
    answer = http.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "a"}, "daat": {}})
    assert answer.headers["warning"] == '299 - "unknown field \\"daat\\""'


def test_a_warning_is_one_line_whatever_a_field_is_called(http: Http, namespace: str) -> None:
    answer = http.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "a"}, "x\r\ny: z": {}})
    assert answer.headers["warning"] == '299 - "unknown field \\"[x  y: z]\\""'


def test_a_manifest_that_does_not_fit_is_answered_with_every_path(http: Http, namespace: str) -> None:
    rule = {"backendRefs": [{"name": "a", "weight": -1}], "matches": [{"path": {"type": "Prefix"}}]}
    answer = http.post(ROUTES.format(namespace), {"metadata": {"name": "r"}, "spec": {"rules": [rule]}})
    assert answer.status_code == 422
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [
        "spec.rules[0].backendRefs[0].weight",
        "spec.rules[0].matches[0].path.type",
        "<nil>",  # that the rules in CEL were not asked
    ]


# --- patches


def test_a_json_patch_replaces_a_weight_that_only_a_default_put_there(http: Http, namespace: str) -> None:
    rule = {"backendRefs": [{"name": "a", "port": 80}]}
    http.post(ROUTES.format(namespace), {"metadata": {"name": "r"}, "spec": {"rules": [rule]}})
    patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 7}]
    answer = http.patch(f"{ROUTES.format(namespace)}/r", patch, "json-patch")
    assert answer.json()["spec"]["rules"][0]["backendRefs"][0]["weight"] == 7


def test_a_json_patch_whose_test_fails_is_refused(http: Http, namespace: str) -> None:
    http.post(ROUTES.format(namespace), {"metadata": {"name": "r"}, "spec": {}})
    patch = [{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]
    answer = http.patch(f"{ROUTES.format(namespace)}/r", patch, "json-patch")
    assert (answer.status_code, answer.json()["reason"]) == (422, "Invalid")


def test_a_strategic_patch_merges_containers_by_name(http: Http, namespace: str) -> None:
    http.post(deployments(namespace), deployment())
    patch = {
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i:2"}, {"name": "d", "image": "j"}]}}}
    }
    answer = http.patch(deployments(namespace, "web"), patch, "strategic-merge-patch")
    containers = answer.json()["spec"]["template"]["spec"]["containers"]
    assert [(container["name"], container["image"]) for container in containers] == [("c", "i:2"), ("d", "j")]


def test_a_strategic_patch_of_a_custom_kind_is_refused(http: Http, namespace: str) -> None:
    http.post(ROUTES.format(namespace), {"metadata": {"name": "r"}, "spec": {}})
    answer = http.patch(f"{ROUTES.format(namespace)}/r", {}, "strategic-merge-patch")
    assert answer.status_code == 415


def test_a_patch_with_an_old_revision_is_a_conflict(http: Http, namespace: str) -> None:
    created = http.post(ROUTES.format(namespace), {"metadata": {"name": "r"}, "spec": {}}).json()
    http.patch(f"{ROUTES.format(namespace)}/r", {"metadata": {"labels": {"a": "b"}}})
    old = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"], "labels": {"a": "c"}}}
    assert http.patch(f"{ROUTES.format(namespace)}/r", old).status_code == 409


def test_the_status_is_patched_by_itself(http: Http, namespace: str) -> None:
    http.post(deployments(namespace), deployment())
    answer = http.patch(f"{deployments(namespace, 'web')}/status", {"status": {"replicas": 2}, "spec": {"replicas": 9}})
    assert (answer.json()["status"]["replicas"], answer.json()["spec"]["replicas"]) == (2, 1)


# --- deletion


def test_a_deletion_answers_with_what_was_deleted(http: Http, namespace: str) -> None:
    created = http.post(deployments(namespace), deployment()).json()
    answer = http.delete(deployments(namespace, "web")).json()
    assert (answer["status"], answer["details"]["uid"]) == ("Success", created["metadata"]["uid"])


def test_a_collection_is_deleted_by_a_selection(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b"):
        http.post(path, {"metadata": {"name": name, "labels": {"name": name}}})
    http.delete(f"{path}?labelSelector=name%3Da")
    assert [item["metadata"]["name"] for item in http.get(path).json()["items"]] == ["b"]


# --- subresources


def test_a_deployment_is_scaled(http: Http, namespace: str) -> None:
    http.post(deployments(namespace), deployment())
    path = f"{deployments(namespace, 'web')}/scale"
    scale = http.get(path).json()
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["selector"]) == ("Scale", 1, "app=web")
    assert http.patch(path, {"spec": {"replicas": 3}}).json()["spec"]["replicas"] == 3
    assert http.get(deployments(namespace, "web")).json()["spec"]["replicas"] == 3


def test_a_scale_that_is_no_number_is_refused(http: Http, namespace: str) -> None:
    http.post(deployments(namespace), deployment())
    assert http.patch(f"{deployments(namespace, 'web')}/scale", {"spec": {"replicas": "x"}}).status_code == 422


def test_a_pod_is_bound_to_a_node_once(http: Http, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    http.post(pods, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}})
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    assert http.post(f"{pods}/p/binding", binding).status_code == 201
    bound = http.get(f"{pods}/p").json()
    assert bound["spec"]["nodeName"] == "n"
    assert [(c["type"], c["status"]) for c in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    assert http.post(f"{pods}/p/binding", binding).status_code == 409


def test_everything_is_allowed(http: Http) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}}
    answer = http.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert answer.json()["status"]["allowed"] is True


def test_who_asks_is_told_who_it_is(http: Http, namespace: str) -> None:
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    assert http.post(review, {}).json()["status"]["userInfo"]["username"] == "headgate:admin"


def test_a_token_is_known_by_its_account(http: Http, namespace: str) -> None:
    token = http.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token", {}).json()["status"]["token"]
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
    status = http.post(reviews, {"spec": {"token": token}}).json()["status"]
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert http.post(reviews, {"spec": {"token": "nobody's"}}).json()["status"]["authenticated"] is False


# --- logs


class Kubelet(QuietHandler):
    """Answers as a kubelet does, and says what it was asked."""

    def do_GET(self) -> None:
        missing = "/gone?" in f"{self.path}?"
        body = b"no such container" if missing else f"asked {self.path}\n".encode()
        self.send_response(404 if missing else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def kubelet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a kubelet with a certificate that nobody knows."""
    folder: Path = tmp_path_factory.mktemp("kubelet")
    certified = pki.issue_server(pki.create_ca(1_800_000_000.0), ["127.0.0.1"], 1_800_000_000.0)
    (folder / "crt").write_bytes(certified.certificate)
    (folder / "key").write_bytes(certified.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server.server_address[1]


@pytest.fixture
def pod(http: Http, namespace: str, kubelet: int) -> str:
    """The path of a pod that runs on the kubelet's node."""
    node = {
        "metadata": {"name": namespace},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet}},
        },
    }
    assert http.post("/api/v1/nodes", node).status_code == 201
    containers = [{"name": "c", "image": "i:1"}, {"name": "gone", "image": "i:1"}]
    spec = {"nodeName": namespace, "containers": containers}
    http.post(f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "p"}, "spec": spec})
    return f"/api/v1/namespaces/{namespace}/pods/p"


def test_a_log_comes_from_the_node_of_the_pod(http: Http, namespace: str, pod: str) -> None:
    answer = http.get(f"{pod}/log?container=c&tailLines=5&follow=true")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text == f"asked /containerLogs/{namespace}/p/c?follow=true&tailLines=5\n"


def test_what_the_node_refuses_is_passed_on(http: Http, pod: str) -> None:
    answer = http.get(f"{pod}/log?container=gone")
    assert (answer.status_code, answer.json()["message"]) == (404, "no such container")


def test_of_several_containers_one_must_be_named(http: Http, pod: str) -> None:
    answer = http.get(f"{pod}/log")
    assert answer.status_code == 400
    assert "choose one of: [c gone]" in answer.json()["message"]


def test_a_log_of_a_node_that_does_not_answer_is_an_error_that_says_so(http: Http, namespace: str, pod: str) -> None:
    http.patch(f"/api/v1/nodes/{namespace}/status", {"status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}})
    answer = http.get(f"{pod}/log?container=c")
    assert answer.status_code == 500
    assert "does the node" in answer.json()["message"]
