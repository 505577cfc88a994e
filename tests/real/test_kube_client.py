"""The client against a real kube-apiserver: what only the real one decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headgate import fleet
from headgate.api.apps import Deployment
from headgate.api.coordination import Lease
from headgate.api.core import ConfigMap, Event, Namespace
from headgate.api.gateway import (
    Gateway,
    GatewaySpec,
    GatewayStatus,
    GatewayStatusAddress,
    HTTPRoute,
    HTTPRouteSpec,
    Listener,
    ListenerStatus,
    ParentReference,
    ReferenceGrant,
    RouteGroupKind,
    RouteParentStatus,
    RouteStatus,
)
from headgate.api.meta import Condition, Key, Object, ObjectMeta
from headgate.kube.apply import create_or_patch, patch_with_retry, status_patch
from headgate.kube.client import ApiError, Client
from headgate.kube.events import EventRecorder
from headgate.kube.leases import LeaderElector, LeaseTiming
from headgate.kube.watch import Batch, Change, follow
from support.control_plane import ControlPlane
from support.scripted_api import eventually

OURS = "headgate.dev/gateway-controller"


@asynccontextmanager
async def client_in(kubernetes: ControlPlane, namespace: str) -> AsyncIterator[Client]:
    """A client of the API, and a new namespace."""
    async with Client.from_kubeconfig(kubernetes.kubeconfig) as client:
        await client.create(Namespace(metadata=ObjectMeta(name=namespace)))
        yield client


async def test_discovery_names_the_kinds_with_the_preferred_version_first(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-discovery") as client:
        served = await client.served()
        assert served["", "Pod"] == ("v1",)
        assert served["gateway.networking.k8s.io", "HTTPRoute"][0] == "v1"
        assert "v1beta1" in served["flagger.app", "Canary"]


async def test_refusals_carry_the_reasons_of_the_api(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-reasons") as client:
        about = ObjectMeta(name="m", namespace="client-reasons")
        created = await client.create(ConfigMap(metadata=about))
        reasons: list[tuple[int, str]] = []

        async def refused(request: Awaitable[object]) -> None:
            with pytest.raises(ApiError) as caught:
                await request
            reasons.append((caught.value.status, caught.value.reason))

        await refused(client.create(ConfigMap(metadata=about)))
        await refused(client.get(ConfigMap, "n", about.namespace))
        await refused(client.delete(ConfigMap, "m", about.namespace, uid="another"))
        old = {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}
        await refused(client.json_patch(ConfigMap, "m", about.namespace, [old]))
        assert reasons == [(409, "AlreadyExists"), (404, "NotFound"), (409, "Conflict"), (422, "Invalid")]
        await client.delete(ConfigMap, "m", about.namespace, uid=created.metadata.uid)


async def test_changes_are_followed(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-follow") as client:
        seen: list[Change[ConfigMap]] = []
        synced = asyncio.Event()

        def sink(batch: Batch[ConfigMap]) -> None:
            seen.extend(change for change in batch.changes if change.key.name == "m")
            if batch.synced:
                synced.set()

        task = asyncio.create_task(follow(client, ConfigMap, sink, namespace="client-follow"))
        await synced.wait()
        await client.create(ConfigMap(metadata=ObjectMeta(name="m", namespace="client-follow")))
        await client.merge_patch(ConfigMap, "m", "client-follow", {"data": {"a": "b"}})
        await client.delete(ConfigMap, "m", "client-follow")
        await eventually(lambda: len(seen) == 3)
        task.cancel()
        assert [change.kind for change in seen] == ["set", "set", "delete"]
        assert seen[1].object
        assert seen[1].object.data == {"a": "b"}


@pytest.mark.parametrize("cls", [ReferenceGrant, HTTPRoute, Lease])
async def test_an_empty_collection_of_any_kind_is_synced(kubernetes: ControlPlane, cls: type[Object]) -> None:
    async def test(client: Client) -> None:
        batches: list[Batch[Any]] = []
        task = asyncio.create_task(follow(client, cls, batches.append, namespace="client-empty"))
        await eventually(lambda: batches and batches[-1].synced)
        task.cancel()

    async with Client.from_kubeconfig(kubernetes.kubeconfig) as client:
        await test(client)


def accepted(message: str = "fine") -> Condition:
    return Condition(type="Accepted", status="True", reason="Accepted", message=message, observed_generation=1)


async def test_a_gateway_status_is_written_once(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-gateway") as client:
        key = Key("client-gateway", "g")
        spec = GatewaySpec(gateway_class_name="c", listeners=(Listener(name="http", port=80, protocol="HTTP"),))
        await client.create(Gateway(metadata=ObjectMeta(name="g", namespace=key.namespace), spec=spec))
        listener = ListenerStatus(
            name="http", supported_kinds=(RouteGroupKind(kind="HTTPRoute"),), conditions=(accepted(),)
        )
        desired = GatewayStatus(
            addresses=(GatewayStatusAddress(value="10.245.0.1"),), conditions=(accepted(),), listeners=(listener,)
        )

        def compute(raw: dict[str, Any]) -> list[dict[str, Any]]:
            return status_patch(raw, desired, time.time(), owned_conditions=("Accepted", "Programmed"))

        assert await patch_with_retry(client, Gateway, key, compute, subresource="status")
        assert not await patch_with_retry(client, Gateway, key, compute, subresource="status")
        status = (await client.get(Gateway, "g", key.namespace)).status
        assert {each.type: each.status for each in status.conditions}["Accepted"] == "True"
        assert status.listeners[0].attached_routes == 0


def parents(controller: str, name: str) -> RouteStatus:
    entry = RouteParentStatus(
        parent_ref=ParentReference(name=name), controller_name=controller, conditions=(accepted(controller),)
    )
    return RouteStatus(parents=(entry,))


async def test_a_hundred_writers_at_once_leave_each_others_entries_as_they_are(kubernetes: ControlPlane) -> None:
    """Ten controllers, each writing ten times, beside foreign entries."""
    controllers = [f"example.com/controller-{number}" for number in range(10)]

    async def one(client: Client, key: Key, controller: str) -> None:
        for turn in range(10):

            def compute(raw: dict[str, Any], turn: int = turn) -> list[dict[str, Any]]:
                return status_patch(raw, parents(controller, f"g-{turn}"), time.time(), controllers=(controller,))

            assert await patch_with_retry(client, HTTPRoute, key, compute, subresource="status", attempts=400)

    async with client_in(kubernetes, "client-crowd") as client:
        key = Key("client-crowd", "r")
        spec = HTTPRouteSpec(parent_refs=(ParentReference(name="g"),))
        await client.create(HTTPRoute(metadata=ObjectMeta(name="r", namespace=key.namespace), spec=spec))
        condition = {
            "type": "Odd",
            "status": "Unknown",
            "reason": "Because",
            "message": "ünï → 'quoted'",
            "lastTransitionTime": "2020-01-01T00:00:00Z",
        }
        foreign = [
            {
                "parentRef": {"name": f"f-{number}"},
                "controllerName": "example.com/foreign",
                "conditions": [condition],
            }
            for number in range(7)
        ]
        add = {"op": "add", "path": "/status", "value": {"parents": foreign}}
        raw = await client.json_patch(HTTPRoute, "r", key.namespace, [add], subresource="status")
        stored = raw["status"]["parents"]
        await asyncio.gather(*(one(client, key, controller) for controller in controllers))
        entries = (await client.get_raw(HTTPRoute, "r", key.namespace))["status"]["parents"]
        assert [entry for entry in entries if entry["controllerName"] == "example.com/foreign"] == stored
        ours = [entry for entry in entries if entry["controllerName"] != "example.com/foreign"]
        assert sorted(entry["controllerName"] for entry in ours) == sorted(controllers)
        assert {entry["parentRef"]["name"] for entry in ours} == {"g-9"}


async def test_what_the_api_refuses_for_good_is_asked_once(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-invalid") as client:
        await client.create(ConfigMap(metadata=ObjectMeta(name="m", namespace="client-invalid")))
        calls = 0

        def compute(_: dict[str, Any]) -> list[dict[str, Any]]:
            nonlocal calls
            calls += 1
            return [{"op": "add", "path": "/data", "value": {"not a key": "x"}}]

        with pytest.raises(ApiError, match="not a key"):
            await patch_with_retry(client, ConfigMap, Key("client-invalid", "m"), compute)
        assert calls == 1


async def test_the_envoys_of_a_gateway_are_made_once_and_then_left(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-fleet") as client:
        where = "client-fleet"
        spec = GatewaySpec(gateway_class_name="c", listeners=(Listener(name="http", port=80, protocol="HTTP"),))
        owner = await client.create(Gateway(metadata=ObjectMeta(name="g", namespace=where), spec=spec))

        def made(*ports: int, labels: dict[str, str]) -> list[Object]:
            envoys = fleet.Envoys(
                gateway=owner.key,
                uid=owner.metadata.uid,
                api_version=owner.api_version,
                class_name="c",
                controller="example.com/another",
                ports=tuple(("TCP", port) for port in ports),
                labels=labels,
            )
            found = fleet.objects(envoys, fleet.Settings(xds_address="headgate.x.svc:18000"), {"tls.crt": b"x"})
            assert found.service
            return [found.secret, found.service_account, found.service, found.deployment]

        for each in made(80, labels={"team": "a"}):
            assert await create_or_patch(client, each) == "created"
        deployment = next(each for each in made(80, labels={}) if isinstance(each, Deployment))
        await client.merge_patch(
            Deployment, deployment.key.name, where, {"metadata": {"labels": {"example.com/theirs": "1"}}}
        )
        for each in made(80, labels={"team": "a"}):
            assert await create_or_patch(client, each) == "unchanged"
        for each in made(80, 443, labels={"team": "b"}):
            await create_or_patch(client, each)
        for each in made(80, 443, labels={"team": "b"}):
            assert await create_or_patch(client, each) == "unchanged"
        labels = (await client.get(Deployment, deployment.key.name, where)).metadata.labels
        assert (labels["example.com/theirs"], labels["team"]) == ("1", "b")


async def test_events_are_told_and_counted_and_kubectl_shows_them(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-events") as client:
        about = await client.create(ConfigMap(metadata=ObjectMeta(name="m", namespace="client-events")))
        async with EventRecorder(client, "headgate") as events:
            for _ in range(3):
                events.event(about, "Normal", "Tried", "it works")
        (event,) = (await client.list(Event, "client-events")).items
        assert event.count == 3
        assert "it works" in kubernetes.kubectl("describe", "configmap", "m", "--namespace=client-events")


async def test_a_lease_is_held_given_back_and_taken_over(kubernetes: ControlPlane) -> None:
    async with client_in(kubernetes, "client-lease") as client:
        key = Key("client-lease", "controller")
        terms = LeaseTiming(lease_duration=2, renew_deadline=1.5, retry_period=0.05)
        first, second = (LeaderElector(client, key, name, timing=terms) for name in ("first", "second"))
        one = asyncio.create_task(first.run())
        await first.until_held()
        two = asyncio.create_task(second.run())
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        await second.until_held()
        spec = (await client.get(Lease, key.name, key.namespace)).spec
        assert (spec.holder_identity, spec.lease_transitions) == ("second", 1)
        two.cancel()
        await asyncio.gather(two, return_exceptions=True)
