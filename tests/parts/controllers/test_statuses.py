"""The writer of statuses, on a local API: one patch for an object, and none without a change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from headgate.api import codec, gateway
from headgate.api.meta import Object
from headgate.controllers.gateways.pipeline import Pipeline
from headgate.controllers.gateways.statuses import StatusWriter
from headgate.kube.client import Client
from headgate.kube.served_kinds import ServedKinds
from headgate.world import Settings
from headgate.world.objects import KINDS
from support.local_api import LocalApi
from support.manifests import decode_manifest

NAMES = ("headgate.dev/gateway-controller", "example.com/second-name")
MANIFESTS = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: first}
spec: {controllerName: headgate.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: second}
spec: {controllerName: example.com/second-name}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: one, namespace: default}
spec:
  gatewayClassName: first
  allowedListeners: {namespaces: {from: Same}}
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: two, namespace: default}
spec:
  gatewayClassName: second
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: more, namespace: default}
spec:
  parentRef: {name: one}
  listeners: [{name: extra, port: 8080, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: default}
spec: {parentRefs: [{name: one}, {name: two}]}
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    with LocalApi(tmp_path_factory.mktemp("api")) as api:
        yield api


@dataclass
class Writing:
    """A world that is filled from an API server on demand, and the writer over it."""

    client: Client
    pipeline: Pipeline
    writer: StatusWriter

    async def see(self) -> None:
        """Read all objects into the world, and run a pass."""
        for kind in KINDS:
            if kind.status is not None and kind.group == gateway.GROUP:
                for found in (await self.client.list(kind.type)).items:
                    self.pipeline.world.sources[kind.type].set(found.key, found)
        self.pipeline.run_pass()

    async def settle(self) -> int:
        """Write everything that there is to write; how many writes it took."""
        before = self.writer.writes
        self.writer.add_all()
        await self.writer.queue.settled()
        return self.writer.writes - before

    async def get(self, cls: type[Object], name: str) -> dict[str, Any]:
        namespaced = codec.kind_of(cls).namespaced
        return await self.client.get_raw(cls, name, "default" if namespaced else None)


@asynccontextmanager
async def writing(api: LocalApi, *, holding: bool = True) -> AsyncIterator[Writing]:
    """With all manifests fresh on the API."""
    pipeline = Pipeline(Settings(controller_names=NAMES), lambda *_: None, lambda _: None)
    objects = [decode_manifest(document) for document in codec.manifests(MANIFESTS)]
    async with Client.from_kubeconfig(api.kubeconfig) as client:
        for each in objects:
            await client.create(each)
        defined = ServedKinds(client, ())
        writer = StatusWriter(client, pipeline.world, pipeline.outputs, NAMES, lambda: holding, defined)
        queue = asyncio.create_task(writer.queue.run())
        try:
            made = Writing(client, pipeline, writer)
            await made.see()
            yield made
        finally:
            queue.cancel()
            for each in reversed(objects):
                await client.delete(type(each), each.metadata.name, each.metadata.namespace or None)


def reasons(conditions: list[dict[str, Any]]) -> dict[str, str]:
    return {each["type"]: each["reason"] for each in conditions}


async def test_every_status_is_written_once(api: LocalApi) -> None:
    async with writing(api) as made:
        assert await made.settle() == 6
        await made.see()
        assert await made.settle() == 0
        listeners = (await made.get(gateway.ListenerSet, "more"))["status"]["listeners"]
        assert reasons(listeners[0]["conditions"])["Accepted"] == "Accepted"
        parents = (await made.get(gateway.HTTPRoute, "shop"))["status"]["parents"]
        assert [(each["parentRef"]["name"], each["controllerName"]) for each in parents] == [
            ("one", NAMES[0]),
            ("two", NAMES[1]),
        ]


async def test_what_was_computed_from_an_older_generation_is_not_written(api: LocalApi) -> None:
    async with writing(api) as made:
        hostname = [{"op": "add", "path": "/spec/hostnames", "value": ["a.example.com"]}]
        await made.client.json_patch(gateway.HTTPRoute, "shop", "default", hostname)
        assert await made.settle() == 5
        assert "parents" not in (await made.get(gateway.HTTPRoute, "shop")).get("status", {})
        await made.see()
        assert await made.settle() == 1


async def test_conditions_of_other_controllers_stay(api: LocalApi) -> None:
    stale = {
        "type": "example.com/Stale",
        "status": "True",
        "reason": "Old",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": "2020-01-01T00:00:00Z",
    }

    async with writing(api) as made:
        await made.settle()
        found = await made.get(gateway.Gateway, "one")
        found["status"]["conditions"].append(stale)
        found["status"]["listeners"][0]["conditions"].insert(0, stale)
        path = made.client.path(gateway.Gateway, "default", "one", "status")
        await made.client.request("PUT", path, body=msgspec.json.encode(found))
        hostname = [{"op": "add", "path": "/spec/listeners/0/hostname", "value": "a.example.com"}]
        await made.client.json_patch(gateway.Gateway, "one", "default", hostname)
        await made.see()
        assert await made.settle() >= 1
        status = (await made.get(gateway.Gateway, "one"))["status"]
        for conditions in (status["conditions"], status["listeners"][0]["conditions"]):
            assert [each for each in conditions if each["type"] == stale["type"]] == [stale]
            ours = [each for each in conditions if each["type"] != stale["type"]]
            assert {each["observedGeneration"] for each in ours} == {2}


async def test_the_entry_of_a_parent_that_a_route_left_is_removed(api: LocalApi) -> None:
    async with writing(api) as made:
        await made.settle()
        left = [{"op": "remove", "path": "/spec/parentRefs/1"}]
        await made.client.json_patch(gateway.HTTPRoute, "shop", "default", left)
        await made.see()
        assert await made.settle() >= 1
        parents = (await made.get(gateway.HTTPRoute, "shop"))["status"]["parents"]
        assert [each["parentRef"]["name"] for each in parents] == ["one"]


async def test_a_replica_that_does_not_lead_writes_nothing(api: LocalApi) -> None:
    async with writing(api, holding=False) as made:
        assert await made.settle() == 0
