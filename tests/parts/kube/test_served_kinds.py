"""Kinds are followed as their definitions say, while definitions come and go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from structlog.testing import capture_logs

from headgate.api.gateway import HTTPRoute, ReferenceGrant
from headgate.kube.access import Access
from headgate.kube.backoff import Backoff
from headgate.kube.client import Client
from headgate.kube.served_kinds import ServedKinds, follow_served
from headgate.kube.watch import Batch, WatchTiming
from support.scripted_api import Reply, Request, ScriptedApi, eventually

QUICK = Backoff(first=0.002, limit=0.01)
EAGER = WatchTiming(QUICK, QUICK, unserved=60, watch=60)
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GRANTS = "referencegrants.gateway.networking.k8s.io"
ROUTES = "httproutes.gateway.networking.k8s.io"


class Cluster:
    """An API with definitions, and one object of each kind that is defined; watches see what changes."""

    def __init__(self) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}
        self.version = 1
        self._changes: list[tuple[str, dict[str, Any]]] = []
        self._changed = asyncio.Condition()

    async def define(self, name: str, *versions: str, established: bool = True, **fields: Any) -> None:
        """Create or change a definition: these versions are served, with these fields in the spec."""
        self.version += 1
        properties = {"spec": {"type": "object", "properties": fields}}
        definition = {
            "metadata": {"name": name, "uid": f"u-{name}", "resourceVersion": str(self.version)},
            "spec": {
                "versions": [
                    {
                        "name": each,
                        "served": True,
                        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                    }
                    for each in versions
                ]
            },
            "status": {"conditions": [{"type": "Established", "status": str(established)}]},
        }
        kind = "MODIFIED" if name in self.definitions else "ADDED"
        self.definitions[name] = definition
        await self._tell(kind, definition)

    async def drop(self, name: str) -> None:
        """Delete a definition."""
        self.version += 1
        gone = self.definitions.pop(name)
        await self._tell("DELETED", gone | {"metadata": gone["metadata"] | {"resourceVersion": str(self.version)}})

    async def _tell(self, kind: str, definition: dict[str, Any]) -> None:
        async with self._changed:
            self._changes.append((kind, {"metadata": definition["metadata"]}))
            self._changed.notify_all()

    async def answer(self, request: Request, reply: Reply) -> None:
        if request.path == DEFINITIONS:
            await (self._watch(reply) if request.watch else reply.json(self._list()))
        elif request.path.startswith(f"{DEFINITIONS}/"):
            found = self.definitions.get(request.path.rpartition("/")[2])
            await (reply.json(found) if found else reply.refuse(404, "NotFound"))
        else:
            await self._objects(request, reply)

    def _list(self) -> dict[str, Any]:
        items = [{"metadata": each["metadata"]} for each in self.definitions.values()]
        return {"metadata": {"resourceVersion": str(self.version)}, "items": items}

    async def _watch(self, reply: Reply) -> None:
        await reply.start()
        told = len(self._changes)
        while True:
            async with self._changed:
                while len(self._changes) == told:
                    await self._changed.wait()
            for kind, definition in self._changes[told:]:
                await reply.event(kind, definition)
            told = len(self._changes)

    async def _objects(self, request: Request, reply: Reply) -> None:
        _, _, group, version, plural = request.path.split("/")
        definition = self.definitions.get(f"{plural}.{group}")
        if definition is None or version not in [each["name"] for each in definition["spec"]["versions"]]:
            await reply.body(b"404 page not found\n", 404)
        elif request.watch:
            await reply.start()
            await asyncio.Event().wait()
        else:
            about = {"name": "one", "namespace": "shop", "uid": "u-one", "resourceVersion": "1"}
            spec: dict[str, Any] = {"parentRefs": []} if plural == "httproutes" else {"from": [], "to": []}
            await reply.json({"metadata": {"resourceVersion": "7"}, "items": [{"metadata": about, "spec": spec}]})


class Following:
    """What followers of both kinds said."""

    def __init__(self, api: ScriptedApi, defined: ServedKinds) -> None:
        self.api = api
        self.defined = defined
        self.words: dict[str, list[str]] = {"HTTPRoute": [], "ReferenceGrant": []}
        self.synced: set[str] = set()

    def sink(self, kind: str) -> Any:
        def take(batch: Batch[Any]) -> None:
            self.words[kind] += [("+" if each.kind == "set" else "-") + each.key.name for each in batch.changes]
            if batch.synced:
                self.synced.add(kind)

        return take

    def watched(self, path: str) -> bool:
        return any(each.path == path for each in self.api.asked(watch=True))


@asynccontextmanager
async def following(cluster: Cluster) -> AsyncIterator[Following]:
    async with ScriptedApi(cluster.answer) as api, Client(Access(server=api.server)) as client:
        defined = ServedKinds(client, (HTTPRoute, ReferenceGrant), timing=EAGER)
        seen = Following(api, defined)
        tasks = [
            asyncio.create_task(defined.run()),
            *(
                asyncio.create_task(follow_served(defined, client, cls, seen.sink(cls.__name__), timing=EAGER))
                for cls in (HTTPRoute, ReferenceGrant)
            ),
        ]
        try:
            yield seen
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_kind_without_a_definition_is_synced_and_empty_and_not_requested() -> None:
    cluster = Cluster()
    await cluster.define(ROUTES, "v1")
    async with following(cluster) as seen:
        await eventually(lambda: seen.synced == {"HTTPRoute", "ReferenceGrant"})
        assert seen.words == {"HTTPRoute": ["+one"], "ReferenceGrant": []}
        assert not [each for each in seen.api.requests if "referencegrants" in each.path]


async def test_a_kind_is_watched_when_its_definition_is_created() -> None:
    cluster = Cluster()
    async with following(cluster) as seen:
        await eventually(lambda: seen.api.asked(watch=True))
        await cluster.define(ROUTES, "v1")
        await eventually(lambda: seen.words["HTTPRoute"] == ["+one"])


async def test_a_definition_that_is_not_established_yet_defines_nothing() -> None:
    cluster = Cluster()
    await cluster.define(ROUTES, "v1", established=False)
    async with following(cluster) as seen:
        await eventually(lambda: "HTTPRoute" in seen.synced)
        assert seen.words["HTTPRoute"] == []
        await cluster.define(ROUTES, "v1")
        await eventually(lambda: seen.words["HTTPRoute"] == ["+one"])


async def test_deleting_a_definition_deletes_the_objects_of_its_kind() -> None:
    cluster = Cluster()
    await cluster.define(ROUTES, "v1")
    async with following(cluster) as seen:
        await eventually(lambda: seen.watched("/apis/gateway.networking.k8s.io/v1/httproutes"))
        await cluster.drop(ROUTES)
        await eventually(lambda: seen.words["HTTPRoute"] == ["+one", "-one"])


async def test_the_newest_version_that_is_known_and_served_is_watched() -> None:
    cluster = Cluster()
    await cluster.define(GRANTS, "v1alpha2", "v1beta1")
    async with following(cluster) as seen:
        await eventually(lambda: seen.watched("/apis/gateway.networking.k8s.io/v1beta1/referencegrants"))


async def test_a_kind_whose_versions_are_all_unknown_is_not_followed() -> None:
    cluster = Cluster()
    await cluster.define(GRANTS, "v1alpha2")
    async with following(cluster) as seen:
        await eventually(lambda: "ReferenceGrant" in seen.synced)
        assert seen.words["ReferenceGrant"] == []


async def test_when_a_newer_version_is_served_it_is_watched_and_nothing_seems_to_have_changed() -> None:
    cluster = Cluster()
    await cluster.define(GRANTS, "v1beta1")
    async with following(cluster) as seen:
        await eventually(lambda: seen.watched("/apis/gateway.networking.k8s.io/v1beta1/referencegrants"))
        await cluster.define(GRANTS, "v1", "v1beta1")
        await eventually(lambda: seen.watched("/apis/gateway.networking.k8s.io/v1/referencegrants"))
        assert seen.words["ReferenceGrant"] == ["+one"]


async def test_the_fields_of_the_watched_version_are_known() -> None:
    cluster = Cluster()
    rules = {"type": "array", "items": {"type": "object", "properties": {"retry": {"type": "object"}}}}
    await cluster.define(ROUTES, "v1", rules=rules)
    async with following(cluster) as seen:
        await eventually(lambda: seen.defined.complete)
        found = seen.defined.served(HTTPRoute)
        assert found is not None
        assert found.fields == {"spec", "spec.rules", "spec.rules.retry"}


async def test_what_is_watched_of_a_kind_is_logged_once_for_each_change() -> None:
    with capture_logs() as logs:
        cluster = Cluster()
        await cluster.define(GRANTS, "v1beta1")
        async with following(cluster) as seen:
            await eventually(lambda: seen.watched("/apis/gateway.networking.k8s.io/v1beta1/referencegrants"))
            await cluster.define(GRANTS, "v1", "v1beta1")
            await eventually(lambda: seen.watched("/apis/gateway.networking.k8s.io/v1/referencegrants"))
    assert [(each["event"].partition(":")[0], each["kind"], each.get("version", "")) for each in logs] == [
        ("not served", "HTTPRoute", ""),
        ("watched", "ReferenceGrant", "gateway.networking.k8s.io/v1beta1"),
        ("watched", "ReferenceGrant", "gateway.networking.k8s.io/v1"),
    ]


async def test_only_the_metadata_of_definitions_are_watched() -> None:
    async with following(Cluster()) as seen:
        await eventually(lambda: seen.api.asked(watch=True))
        asked = [each.headers["accept"] for each in seen.api.requests if each.path == DEFINITIONS]
        assert ["PartialObjectMetadata" in each for each in asked] == [True, True]


async def test_a_definition_that_cannot_be_read_now_is_read_later() -> None:
    cluster = Cluster()
    await cluster.define(ROUTES, "v1")
    refusals = 3

    async def answer(request: Request, reply: Reply) -> None:
        nonlocal refusals
        if request.path.endswith(ROUTES) and refusals:
            refusals -= 1
            await reply.refuse(500, "InternalError")
        else:
            await Cluster.answer(cluster, request, reply)

    cluster.answer = answer  # type: ignore[method-assign]
    async with following(cluster) as seen:
        await eventually(lambda: seen.words["HTTPRoute"] == ["+one"])
