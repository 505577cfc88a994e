"""What `headgate.kube.client` makes of a server's answers."""

import asyncio
from typing import Any

import msgspec
import pytest

from headgate.api.codec import DecodeError
from headgate.api.core import ConfigMap, Node, Secret
from headgate.api.meta import ObjectMeta
from headgate.kube.access import Access
from headgate.kube.client import ApiError, Client, UnreachableError
from headgate.kube.credentials import StaticCredentials
from support.scripted_api import Reply, Request, ScriptedApi, eventually

CONFIG_MAP: dict[str, Any] = {"metadata": {"name": "a", "namespace": "n", "resourceVersion": "1"}, "unknown": 1}


async def echo(_: Request, reply: Reply) -> None:
    await reply.json(CONFIG_MAP)


def client_of(api: ScriptedApi) -> Client:
    return Client(Access(server=api.server))


async def test_an_error_has_status_reason_and_message() -> None:
    async def script(_: Request, reply: Reply) -> None:
        await reply.refuse(409, "AlreadyExists", 'configmaps "a" already exists')

    async with ScriptedApi(script) as api, client_of(api) as client:
        with pytest.raises(ApiError) as caught:
            await client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace="n")))
        error = caught.value
        assert (error.status, error.reason, error.message) == (
            409,
            "AlreadyExists",
            'configmaps "a" already exists',
        )


async def test_an_error_without_a_status_object_has_its_text() -> None:
    async def script(_: Request, reply: Reply) -> None:
        await reply.body(b"upstream is asleep", 503)

    async with ScriptedApi(script) as api, client_of(api) as client:
        with pytest.raises(ApiError, match=r"ServiceUnavailable \(503\): upstream is asleep"):
            await client.get(ConfigMap, "a", "n")


async def test_no_listener_is_unreachable_and_names_the_request() -> None:
    async with Client(Access(server="http://127.0.0.1:1")) as client:
        with pytest.raises(UnreachableError, match=r"GET http://127\.0\.0\.1:1/api/v1/nodes/a"):
            await client.get(Node, "a")


async def test_an_answer_that_does_not_come_in_time_is_unreachable() -> None:
    async def script(_: Request, __: Reply) -> None:
        await asyncio.Event().wait()

    async with ScriptedApi(script) as api, client_of(api) as client:
        with pytest.raises(UnreachableError, match="timed out"):
            await client.request("GET", "/version", timeout=0.05)


async def test_requests_one_after_another_share_a_connection() -> None:
    async with ScriptedApi(echo) as api, client_of(api) as client:
        for _ in range(10):
            await client.get(ConfigMap, "a", "n")
        assert api.connections == 1


async def test_requests_at_once_are_bounded() -> None:
    together = most = 0
    all_here = asyncio.Event()

    async def script(_: Request, reply: Reply) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        if together == 32:
            all_here.set()
        await all_here.wait()
        together -= 1
        await reply.json(CONFIG_MAP)

    async with ScriptedApi(script) as api, client_of(api) as client:
        await asyncio.gather(*(client.get(ConfigMap, "a", "n") for _ in range(100)))
        assert most == 32


def _closing_after(first: int) -> Any:
    """A server that closes a kept connection when its next request comes."""
    count = 0

    async def script(_: Request, reply: Reply) -> None:
        nonlocal count
        count += 1
        if count == first + 1:
            reply.hang_up()
        else:
            await reply.json(CONFIG_MAP)

    return script


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_a_request_on_a_connection_that_was_closed_is_sent_again(method: str) -> None:
    async with ScriptedApi(_closing_after(1)) as api, client_of(api) as client:
        await client.request("GET", "/")
        await client.request(method, "/", body=b"[]")
        assert api.connections == 2


async def test_a_creation_without_a_name_is_never_sent_twice() -> None:
    async with ScriptedApi(_closing_after(1)) as api, client_of(api) as client:
        await client.request("GET", "/")
        with pytest.raises(UnreachableError):
            await client.create(ConfigMap(metadata=ObjectMeta(generate_name="a-", namespace="n")))
        assert len(api.asked("POST")) == 1


async def test_undecoded_objects_keep_what_our_types_leave_out() -> None:
    async with ScriptedApi(echo) as api, client_of(api) as client:
        assert (await client.get_raw(ConfigMap, "a", "n"))["unknown"] == 1


async def test_a_list_is_read_page_by_page() -> None:
    async def script(request: Request, reply: Reply) -> None:
        token = request.params.get("continue", "")
        more = {"": "two", "two": "three", "three": ""}[token]
        item = {"metadata": {"name": token or "one"}}
        await reply.json({"metadata": {"resourceVersion": "9", "continue": more}, "items": [item]})

    async with ScriptedApi(script) as api, client_of(api) as client:
        found = await client.list(Node)
        assert [node.metadata.name for node in found.items] == ["one", "two", "three"]
        assert found.resource_version == "9"
        assert [request.params["limit"] for request in api.requests] == ["500"] * 3


async def test_a_list_whose_items_are_null_is_empty() -> None:
    async def script(_: Request, reply: Reply) -> None:
        await reply.json({"metadata": {"resourceVersion": "9"}, "items": None})

    async with ScriptedApi(script) as api, client_of(api) as client:
        assert (await client.list(Node)).items == ()


async def test_an_object_that_does_not_decode_names_its_field() -> None:
    async def script(_: Request, reply: Reply) -> None:
        await reply.json({"metadata": {"name": 7}})

    async with ScriptedApi(script) as api, client_of(api) as client:
        with pytest.raises(DecodeError) as caught:
            await client.get(Node, "a")
        assert caught.value.path == "metadata.name"


async def test_patches_say_what_they_are() -> None:
    async with ScriptedApi(echo) as api, client_of(api) as client:
        await client.json_patch(ConfigMap, "a", "n", [{"op": "add", "path": "/data", "value": {}}])
        await client.merge_patch(ConfigMap, "a", "n", {"data": {}}, subresource="status")
        kinds = [(each.headers["content-type"], each.path) for each in api.requests]
        assert kinds == [
            ("application/json-patch+json", "/api/v1/namespaces/n/configmaps/a"),
            ("application/merge-patch+json", "/api/v1/namespaces/n/configmaps/a/status"),
        ]


async def test_a_deletion_has_its_propagation_and_preconditions() -> None:
    async with ScriptedApi(echo) as api, client_of(api) as client:
        await client.delete(ConfigMap, "a", "n", grace_period=0, uid="u", resource_version="7")
        assert msgspec.json.decode(api.requests[0].body) == {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": "u", "resourceVersion": "7"},
        }


async def test_a_created_object_carries_its_api_version_and_kind() -> None:
    async with ScriptedApi(echo) as api, client_of(api) as client:
        await client.create(Secret(metadata=ObjectMeta(name="a", namespace="n"), data={"k": "dg=="}))
        assert msgspec.json.decode(api.requests[0].body) == {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "a", "namespace": "n"},
            "data": {"k": "dg=="},
        }


async def test_closing_a_client_ends_its_streams() -> None:
    async def script(_: Request, reply: Reply) -> None:
        await reply.send(b"first")
        await asyncio.Event().wait()

    async with ScriptedApi(script) as api:
        client = client_of(api)
        chunks: list[bytes] = []

        async def read() -> None:
            async with client.stream("/") as stream:
                async for chunk in stream:
                    chunks.append(chunk)

        task = asyncio.create_task(read())
        await eventually(lambda: chunks)
        await client.close()
        with pytest.raises(UnreachableError):
            await task


async def test_a_token_is_sent_and_shown_nowhere() -> None:
    async def script(_: Request, reply: Reply) -> None:
        await reply.refuse(403, "Forbidden")

    async with ScriptedApi(script) as api:
        access = Access(server=api.server, credentials=StaticCredentials.bearer("very-secret"))
        async with Client(access) as client:
            with pytest.raises(ApiError) as caught:
                await client.get(Node, "a")
        assert api.requests[0].headers["authorization"] == "Bearer very-secret"
        assert "very-secret" not in f"{access!r} {client!r} {caught.value!r} {caught.value}"


async def test_discovery_reads_the_aggregated_document() -> None:
    async def script(request: Request, reply: Reply) -> None:
        def resource(kind: str) -> dict[str, Any]:
            return {"resource": kind.lower() + "s", "responseKind": {"kind": kind}}

        core = {"metadata": {}, "versions": [{"version": "v1", "resources": [resource("Pod")]}]}
        gateway = {
            "metadata": {"name": "gateway.networking.k8s.io"},
            "versions": [
                {"version": "v1", "resources": [resource("HTTPRoute")]},
                {"version": "v1beta1", "resources": [resource("HTTPRoute"), resource("ReferenceGrant")]},
            ],
        }
        items = [core] if request.path == "/api" else [gateway]
        await reply.json({"kind": "APIGroupDiscoveryList", "items": items})

    async with ScriptedApi(script) as api, client_of(api) as client:
        assert await client.served() == {
            ("", "Pod"): ("v1",),
            ("gateway.networking.k8s.io", "HTTPRoute"): ("v1", "v1beta1"),
            ("gateway.networking.k8s.io", "ReferenceGrant"): ("v1beta1",),
        }


async def test_discovery_asks_group_by_group_where_it_must() -> None:
    answers: dict[str, Any] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "groups": [{"name": "apps", "versions": [{"version": "v1"}]}]},
        "/api/v1": {"resources": [{"name": "pods", "kind": "Pod"}, {"name": "pods/log", "kind": "Pod"}]},
        "/apis/apps/v1": {"resources": [{"name": "deployments", "kind": "Deployment"}]},
    }

    async def script(request: Request, reply: Reply) -> None:
        await reply.json(answers[request.path])

    async with ScriptedApi(script) as api, client_of(api) as client:
        assert await client.served() == {("", "Pod"): ("v1",), ("apps", "Deployment"): ("v1",)}
