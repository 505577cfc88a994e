"""Objects wait for what they reference, so no request fails because watches differ in speed."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.api import codec, core, discovery, gateway
from headgate.api.meta import Key, Object, Ref
from headgate.controllers.gateways.reference_barrier import REFERENCE_WAIT, ReferenceBarrier
from headgate.incremental import Engine
from headgate.world import World

ROUTE = Key("shop", "route")


class BarrierScenario:
    """A world behind a reference barrier. `passed` is set when an object was applied without a watch event."""

    def __init__(self, *, complete: bool = True, wait: float = REFERENCE_WAIT) -> None:
        self.world = World(Engine())
        self.delayed: list[Key] = []
        self.passed = asyncio.Event()
        #: Names of objects that the API server does not have; None: it does not answer.
        self.absent: set[str] | None = set()
        self.barrier = ReferenceBarrier(
            self.world,
            lambda: complete,
            lambda _cls, keys: self.delayed.extend(keys),
            self.passed.set,
            self._is_absent,
            wait=wait,
        )

    async def _is_absent(self, named: Ref) -> bool:
        if self.absent is None:
            await asyncio.Event().wait()
        return self.absent is not None and named.name in self.absent

    def apply(self, found: Object) -> None:
        self.barrier.apply(type(found), found.key, found)

    def backend(self) -> str | None:
        """The backend of the route in the world."""
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


async def test_a_route_that_arrives_before_its_service_waits_for_it() -> None:
    scenario = BarrierScenario()
    scenario.apply(route("a"))
    assert scenario.backend() is None
    scenario.apply(service("a"))
    assert scenario.backend() is None
    scenario.apply(endpoints("a"))
    assert scenario.backend() == "a"
    assert scenario.delayed == [ROUTE]


async def test_a_route_keeps_its_previous_backend_until_the_new_service_arrives() -> None:
    scenario = BarrierScenario()
    for each in (service("a"), endpoints("a"), route("a"), route("b")):
        scenario.apply(each)
    assert scenario.backend() == "a"
    scenario.apply(service("b"))
    scenario.apply(endpoints("b"))
    assert scenario.backend() == "b"


async def test_a_route_is_applied_when_its_time_to_wait_is_over() -> None:
    scenario = BarrierScenario()
    scenario.apply(route("a"))
    await scenario.passed.wait()
    assert scenario.backend() == "a"


async def test_a_target_that_the_api_server_does_not_have_is_not_waited_for() -> None:
    scenario = BarrierScenario(wait=1_000)
    scenario.absent = {"a"}
    scenario.apply(route("a"))
    assert scenario.backend() is None
    await scenario.passed.wait()
    assert scenario.backend() == "a"


async def test_a_target_that_exists_is_waited_for_though_another_does_not_exist() -> None:
    scenario = BarrierScenario(wait=1_000)
    scenario.absent = {"nowhere"}
    scenario.apply(route("a", "nowhere"))
    for _ in range(10):
        await asyncio.sleep(0)  # the answers are there
    assert scenario.backend() is None
    scenario.apply(service("a"))
    scenario.apply(endpoints("a"))
    assert scenario.backend() == "a"


async def test_an_api_server_that_does_not_answer_delays_a_route_no_longer_than_the_wait() -> None:
    scenario = BarrierScenario()
    scenario.absent = None
    scenario.apply(route("a"))
    await scenario.passed.wait()
    assert scenario.backend() == "a"


async def test_an_answer_holds_only_for_the_spec_that_it_was_looked_up_for() -> None:
    scenario = BarrierScenario(wait=1_000)
    scenario.absent = None
    scenario.apply(route("a"))
    await asyncio.sleep(0)
    scenario.absent = {"b"}
    scenario.apply(route("b"))
    await scenario.passed.wait()
    assert scenario.backend() == "b"


async def test_a_deleted_service_stays_for_a_moment() -> None:
    scenario = BarrierScenario()
    scenario.apply(service("a"))
    scenario.barrier.apply(core.Service, Key("shop", "a"), None)
    assert Key("shop", "a") in scenario.world.services
    await scenario.passed.wait()
    assert Key("shop", "a") not in scenario.world.services


async def test_a_service_that_is_created_again_at_once_stays() -> None:
    scenario = BarrierScenario()
    scenario.apply(service("a"))
    scenario.barrier.apply(core.Service, Key("shop", "a"), None)
    scenario.apply(service("a"))
    scenario.apply(route("missing"))
    await scenario.passed.wait()  # of the route, whose patience began later
    assert Key("shop", "a") in scenario.world.services


async def test_a_route_that_is_deleted_while_it_waits_is_not_applied() -> None:
    scenario = BarrierScenario()
    scenario.apply(route("a"))
    scenario.barrier.apply(gateway.HTTPRoute, ROUTE, None)
    scenario.apply(service("a"))
    scenario.apply(endpoints("a"))
    assert scenario.backend() is None


async def test_a_reference_to_another_namespace_waits_for_its_grant() -> None:
    scenario = BarrierScenario()
    for each in (service("a", "other"), endpoints("a", "other"), route("a", namespace="other")):
        scenario.apply(each)
    assert scenario.backend() is None
    scenario.apply(grant())
    assert scenario.backend() == "a"


async def test_nothing_waits_before_all_collections_are_complete() -> None:
    scenario = BarrierScenario(complete=False)
    scenario.apply(route("a"))
    assert scenario.backend() == "a"
