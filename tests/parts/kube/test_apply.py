"""Writing, against the local API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headgate.api.apps import Deployment, DeploymentSpec
from headgate.api.core import (
    ConfigMap,
    Container,
    Namespace,
    PodSpec,
    PodTemplateSpec,
    Service,
    ServicePort,
    ServiceSpec,
)
from headgate.api.gateway import HTTPRoute, HTTPRouteSpec, ParentReference, RouteParentStatus
from headgate.api.meta import Condition, Key, LabelSelector, ObjectMeta, OwnerReference
from headgate.kube.access import Access
from headgate.kube.apply import NotOwnedError, create_or_patch, entries_patch, optimistic_lock, patch_with_retry
from headgate.kube.client import ApiError, Client
from support.scripted_api import Reply, Request, ScriptedApi

NOW = 1_800_000_000.0


@asynccontextmanager
async def client_in(kubeconfig: Path, namespace: str) -> AsyncIterator[Client]:
    """A client of the API, and a new namespace."""
    async with Client.from_kubeconfig(kubeconfig) as client:
        await client.create(Namespace(metadata=ObjectMeta(name=namespace)))
        yield client


def set_data(raw: dict[str, Any], value: str) -> list[dict[str, Any]]:
    if raw.get("data") == {"a": value}:
        return []
    return [optimistic_lock(raw), {"op": "add", "path": "/data", "value": {"a": value}}]


async def test_a_write_returns_whether_it_wrote(local_api: Path) -> None:
    async with client_in(local_api, "write") as client:
        key = Key("write", "m")
        await client.create(ConfigMap(metadata=ObjectMeta(name="m", namespace="write")))
        assert await patch_with_retry(client, ConfigMap, key, lambda raw: set_data(raw, "x")) is True
        assert await patch_with_retry(client, ConfigMap, key, lambda raw: set_data(raw, "x")) is False


async def test_a_write_computed_from_an_old_object_is_computed_anew(local_api: Path) -> None:
    async with client_in(local_api, "stale") as client:
        key = Key("stale", "m")
        await client.create(ConfigMap(metadata=ObjectMeta(name="m", namespace="stale")))
        old = await client.get_raw(ConfigMap, "m", "stale")
        await client.merge_patch(ConfigMap, "m", "stale", {"data": {"b": "1"}})
        seen: list[str] = []

        def compute(raw: dict[str, Any]) -> list[dict[str, Any]]:
            seen.append(raw["metadata"]["resourceVersion"])
            return set_data(raw, "x")

        assert await patch_with_retry(client, ConfigMap, key, compute, cached_raw=old)
        assert len(seen) == 2


async def test_an_object_that_is_gone_is_not_written(local_api: Path) -> None:
    async with client_in(local_api, "gone") as client:
        assert await patch_with_retry(client, ConfigMap, Key("gone", "m"), lambda raw: set_data(raw, "x")) is False


async def test_a_permanent_error_is_not_retried(local_api: Path) -> None:
    async with client_in(local_api, "invalid") as client:
        spec = HTTPRouteSpec(parent_refs=(ParentReference(name="g"),))
        await client.create(HTTPRoute(metadata=ObjectMeta(name="r", namespace="invalid"), spec=spec))
        calls = 0

        def compute(_: dict[str, Any]) -> list[dict[str, Any]]:
            nonlocal calls
            calls += 1
            return [{"op": "add", "path": "/spec/rules", "value": "nonsense"}]

        with pytest.raises(ApiError) as caught:
            await patch_with_retry(client, HTTPRoute, Key("invalid", "r"), compute)
        assert (caught.value.status, calls) == (422, 1)


async def test_a_write_that_never_wins_gives_up() -> None:
    version = 0

    async def script(request: Request, reply: Reply) -> None:
        nonlocal version
        version += 1
        if request.method == "GET":
            await reply.json({"metadata": {"name": "m", "namespace": "n", "resourceVersion": str(version)}})
        else:
            await reply.refuse(409, "Conflict")

    async with ScriptedApi(script) as api, Client(Access(api.server)) as client:
        with pytest.raises(ApiError, match="Conflict"):
            await patch_with_retry(client, ConfigMap, Key("n", "m"), lambda raw: set_data(raw, "x"), attempts=4)
        assert len(api.asked("PATCH")) == 4


def parent(controller: str, name: str) -> RouteParentStatus:
    accepted = Condition(type="Accepted", status="True", reason="Accepted", message=f"by {controller}")
    return RouteParentStatus(parent_ref=ParentReference(name=name), controller_name=controller, conditions=(accepted,))


async def test_a_hundred_writers_at_once_leave_each_others_entries_as_they_are(local_api: Path) -> None:
    """25 controllers, each writing four times; seven foreign entries stand there from the beginning."""
    controllers = [f"example.com/controller-{number}" for number in range(25)]
    foreign = [
        {
            "parentRef": {"name": f"foreign-{number}", "group": "example.com", "kind": "Thing"},
            "controllerName": "example.com/foreign",
            "conditions": [
                {
                    "type": "Odd",
                    "status": "Unknown",
                    "reason": "Because",
                    "message": "ünï → 'quoted'",
                    "lastTransitionTime": "2020-01-01T00:00:00Z",
                }
            ],
        }
        for number in range(7)
    ]

    async def one(client: Client, key: Key, controller: str) -> None:
        for turn in range(4):

            def compute(raw: dict[str, Any], name: str = f"gateway-{turn}") -> list[dict[str, Any]]:
                mine = [parent(controller, name)]
                return entries_patch(raw, ("status", "parents"), mine, controllers=(controller,), now=NOW)

            assert await patch_with_retry(client, HTTPRoute, key, compute, subresource="status", attempts=400)

    async with client_in(local_api, "crowd") as client:
        key = Key("crowd", "r")
        spec = HTTPRouteSpec(parent_refs=(ParentReference(name="g"),))
        await client.create(HTTPRoute(metadata=ObjectMeta(name="r", namespace="crowd"), spec=spec))
        add = {"op": "add", "path": "/status", "value": {"parents": foreign}}
        await client.json_patch(HTTPRoute, "r", "crowd", [add], subresource="status")
        stored = (await client.get_raw(HTTPRoute, "r", "crowd"))["status"]["parents"]

        await asyncio.gather(*(one(client, key, controller) for controller in controllers))

        entries = (await client.get_raw(HTTPRoute, "r", "crowd"))["status"]["parents"]
        assert [entry for entry in entries if entry["controllerName"] == "example.com/foreign"] == stored
        ours = [entry for entry in entries if entry["controllerName"] != "example.com/foreign"]
        assert sorted(entry["controllerName"] for entry in ours) == sorted(controllers)
        assert {entry["parentRef"]["name"] for entry in ours} == {"gateway-3"}


# ── objects that are ours ────────────────────────────────────────────────────


def service(namespace: str, port: int = 80, **about: Any) -> Service:
    spec = ServiceSpec(type="LoadBalancer", selector={"app": "a"}, ports=(ServicePort(name="http", port=port),))
    return Service(metadata=ObjectMeta(name="s", namespace=namespace, **about), spec=spec)


def deployment(namespace: str, *arguments: str) -> Deployment:
    labels = {"app": "a"}
    container = Container(name="envoy", image="envoyproxy/envoy:v1.40.0", args=arguments)
    template = PodTemplateSpec(metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=(container,)))
    spec = DeploymentSpec(selector=LabelSelector(match_labels=labels), template=template)
    return Deployment(metadata=ObjectMeta(name="d", namespace=namespace), spec=spec)


async def test_an_object_is_created_then_left_then_changed(local_api: Path) -> None:
    async with client_in(local_api, "ensure") as client:
        assert await create_or_patch(client, service("ensure")) == "created"
        assert await create_or_patch(client, service("ensure")) == "unchanged"
        assert await create_or_patch(client, service("ensure", 81)) == "patched"
        assert (await client.get(Service, "s", "ensure")).spec.ports[0].port == 81


async def test_defaults_of_the_api_are_no_difference(local_api: Path) -> None:
    async with client_in(local_api, "defaults") as client:
        await create_or_patch(client, deployment("defaults", "-a"), owned=["/spec/replicas"])
        assert await create_or_patch(client, deployment("defaults", "-a"), owned=["/spec/replicas"]) == "unchanged"
        assert await create_or_patch(client, deployment("defaults", "-b"), owned=["/spec/replicas"]) == "patched"


async def test_ensuring_at_once_creates_one_object(local_api: Path) -> None:
    async with client_in(local_api, "race") as client:
        outcomes = await asyncio.gather(*(create_or_patch(client, service("race")) for _ in range(10)))
        assert sorted(outcomes) == ["created", *["unchanged"] * 9]


async def test_an_object_of_another_owner_stays_as_it_is(local_api: Path) -> None:
    async with client_in(local_api, "owned") as client:
        maps = [await client.create(ConfigMap(metadata=ObjectMeta(name=n, namespace="owned"))) for n in ("a", "b")]
        theirs, ours = (
            OwnerReference(api_version="v1", kind="ConfigMap", name=m.key.name, uid=m.metadata.uid, controller=True)
            for m in maps
        )
        await create_or_patch(client, service("owned", owner_references=(theirs,)))
        before = await client.get_raw(Service, "s", "owned")
        with pytest.raises(NotOwnedError, match="is owned by ConfigMap a"):
            await create_or_patch(client, service("owned", 81, owner_references=(ours,)))
        assert await client.get_raw(Service, "s", "owned") == before
