"""Watches of different kinds are not in step, and no request fails for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from headgate.api import codec, core, discovery, gateway
from headgate.api.meta import Key, Object, Ref
from headgate.controllers.gateways.reference_barrier import REFERENCE_WAIT, ReferenceBarrier
from headgate.incremental import Engine
from headgate.world import World

ROUTE = Key("shop", "route")


class Scene:
    """A world that objects arrive in; `steps` counts how often something had waited to the end of its patience."""

    def __init__(self, *, complete: bool = True, wait: float = REFERENCE_WAIT) -> None:
        self.world = World(Engine())
        self.late: list[Key] = []
        self.stepped = asyncio.Event()
        #: What the API says that it does not have; None: it does not answer.
        self.absent: set[str] | None = set()
        self.barrier = ReferenceBarrier(
            self.world,
            lambda: complete,
            lambda _cls, keys: self.late.extend(keys),
            self.stepped.set,
            self._is_absent,
            wait=wait,
        )

    async def _is_absent(self, named: Ref) -> bool:
        if self.absent is None:
            await asyncio.Event().wait()
        return self.absent is not None and named.name in self.absent

    def take(self, found: Object) -> None:
        self.barrier.apply(type(found), found.key, found)

    def leads_to(self) -> str | None:
        """Where the route that is in the world leads to."""
        found = self.world.http_routes.get(ROUTE)
        return found.spec.rules[0].backend_refs[0].name if found else None


def route(*services: str, namespace: str | None = None) -> gateway.HTTPRoute:
    refs = [{"name": name, "port": 80} | ({"namespace": namespace} if namespace else {}) for name in services]
    return codec.convert(gateway.HTTPRoute, _about("route") | {"spec": {"rules": [{"backendRefs": refs}]}})


def service(name: str, namespace: str = "shop") -> core.Service:
    return codec.convert(core.Service, _about(name, namespace) | {"spec": {"ports": [{"port": 80}]}})


def endpoints(name: str, namespace: str = "shop") -> discovery.EndpointSlice:
    about: dict[str, Any] = _about(f"{name}-1", namespace)
    about["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    return codec.convert(discovery.EndpointSlice, about | {"addressType": "IPv4", "endpoints": []})


def grant() -> gateway.ReferenceGrant:
    who = {"group": gateway.GROUP, "kind": "HTTPRoute", "namespace": "shop"}
    spec = {"from": [who], "to": [{"group": "", "kind": "Service"}]}
    return codec.convert(gateway.ReferenceGrant, _about("grant", "other") | {"spec": spec})


def _about(name: str, namespace: str = "shop") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}}


def playing(story: Callable[[], Any]) -> None:
    async def play() -> None:
        async with asyncio.timeout(10):
            await story()

    asyncio.run(play())


def test_a_route_that_comes_before_its_service_waits_for_it() -> None:
    async def story() -> None:
        scene = Scene()
        scene.take(route("a"))
        assert scene.leads_to() is None
        scene.take(service("a"))
        assert scene.leads_to() is None
        scene.take(endpoints("a"))
        assert scene.leads_to() == "a"
        assert scene.late == [ROUTE]

    playing(story)


def test_a_route_that_moves_to_a_service_that_is_not_there_yet_stays_where_it_was() -> None:
    async def story() -> None:
        scene = Scene()
        for each in (service("a"), endpoints("a"), route("a"), route("b")):
            scene.take(each)
        assert scene.leads_to() == "a"
        scene.take(service("b"))
        scene.take(endpoints("b"))
        assert scene.leads_to() == "b"

    playing(story)


def test_what_a_route_names_may_never_come() -> None:
    async def story() -> None:
        scene = Scene()
        scene.take(route("a"))
        await scene.stepped.wait()
        assert scene.leads_to() == "a"

    playing(story)


def test_nobody_waits_for_what_the_api_does_not_have() -> None:
    async def story() -> None:
        scene = Scene(wait=1_000)
        scene.absent = {"a"}
        scene.take(route("a"))
        assert scene.leads_to() is None
        await scene.stepped.wait()
        assert scene.leads_to() == "a"

    playing(story)


def test_what_the_api_has_is_waited_for_though_something_else_is_nowhere() -> None:
    async def story() -> None:
        scene = Scene(wait=1_000)
        scene.absent = {"nowhere"}
        scene.take(route("a", "nowhere"))
        for _ in range(10):
            await asyncio.sleep(0)  # the answers are there
        assert scene.leads_to() is None
        scene.take(service("a"))
        scene.take(endpoints("a"))
        assert scene.leads_to() == "a"

    playing(story)


def test_an_api_that_does_not_answer_costs_no_more_than_patience() -> None:
    async def story() -> None:
        scene = Scene()
        scene.absent = None
        scene.take(route("a"))
        await scene.stepped.wait()
        assert scene.leads_to() == "a"

    playing(story)


def test_an_answer_counts_for_the_spec_that_was_asked_about() -> None:
    async def story() -> None:
        scene = Scene(wait=1_000)
        scene.absent = None
        scene.take(route("a"))
        await asyncio.sleep(0)
        scene.absent = {"b"}
        scene.take(route("b"))
        await scene.stepped.wait()
        assert scene.leads_to() == "b"

    playing(story)


def test_a_service_is_there_for_a_moment_after_it_was_deleted() -> None:
    async def story() -> None:
        scene = Scene()
        scene.take(service("a"))
        scene.barrier.apply(core.Service, Key("shop", "a"), None)
        assert Key("shop", "a") in scene.world.services
        await scene.stepped.wait()
        assert Key("shop", "a") not in scene.world.services

    playing(story)


def test_a_service_that_comes_back_at_once_stays() -> None:
    async def story() -> None:
        scene = Scene()
        scene.take(service("a"))
        scene.barrier.apply(core.Service, Key("shop", "a"), None)
        scene.take(service("a"))
        scene.take(route("missing"))
        await scene.stepped.wait()  # of the route, whose patience began later
        assert Key("shop", "a") in scene.world.services

    playing(story)


def test_a_route_that_was_deleted_while_it_waited_does_not_come() -> None:
    async def story() -> None:
        scene = Scene()
        scene.take(route("a"))
        scene.barrier.apply(gateway.HTTPRoute, ROUTE, None)
        scene.take(service("a"))
        scene.take(endpoints("a"))
        assert scene.leads_to() is None

    playing(story)


def test_a_route_across_namespaces_waits_for_its_permission() -> None:
    async def story() -> None:
        scene = Scene()
        for each in (service("a", "other"), endpoints("a", "other"), route("a", namespace="other")):
            scene.take(each)
        assert scene.leads_to() is None
        scene.take(grant())
        assert scene.leads_to() == "a"

    playing(story)


def test_nothing_waits_before_all_collections_are_complete() -> None:
    async def story() -> None:
        scene = Scene(complete=False)
        scene.take(route("a"))
        assert scene.leads_to() == "a"

    playing(story)
