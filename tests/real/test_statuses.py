"""Statuses that several controllers write, on a real kube-apiserver: a hundred writers at once, nobody loses a word."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from headgate.api.core import Namespace
from headgate.api.gateway import (
    BackendTLSPolicy,
    BackendTLSPolicySpec,
    BackendTLSPolicyValidation,
    Gateway,
    GatewaySpec,
    GatewayStatus,
    Listener,
    ListenerStatus,
    LocalPolicyTargetReferenceWithSectionName,
    ParentReference,
    PolicyAncestorStatus,
    PolicyStatus,
    RouteGroupKind,
)
from headgate.api.meta import Condition, Key, Object, ObjectMeta, Value
from headgate.kube.apply import patch_with_retry, status_patch
from headgate.kube.client import ApiError, Client, UnreachableError
from support.control_plane import ControlPlane

#: Not the name of the controller that may run on this API: it would take back what it has not said.
OURS = "example.com/ours"
OWNED = ("Accepted", "Programmed", "ResolvedRefs", "OverlappingTLSConfig")
#: Writers beside us; how often we write.
WRITERS = 99
OURS_TURNS = 5
LAST = str(OURS_TURNS)
#: Types of foreign conditions: four of ours and these fill a list.
FOREIGN = 4


def condition(kind: str, message: str, generation: int = 1) -> Condition:
    return Condition(type=kind, status="True", reason="Because", message=message, observed_generation=generation)


def foreign(kind: str, message: str) -> dict[str, Any]:
    """A condition such as others write: an old generation, an old time, odd letters."""
    return {
        "type": kind,
        "status": "Unknown",
        "reason": "Because",
        "message": f"{message}: ünï → 'quoted'",
        "observedGeneration": 1,
        "lastTransitionTime": "2020-01-01T00:00:00Z",
    }


class Change(Protocol):
    """How a writer changes a status that was read, to be PUT."""

    def __call__(self, status: dict[str, Any], *, number: int) -> None: ...


class Operations(Protocol):
    """The JSON Patch of a writer."""

    def __call__(self, status: dict[str, Any], *, number: int) -> list[dict[str, Any]]: ...


async def replace_status(client: Client, cls: type[Object], key: Key, change: Callable[[dict[str, Any]], None]) -> int:
    """What most controllers do: read, change, PUT the whole status, again when somebody was faster; its version."""
    while True:
        raw = await client.get_raw(cls, key.name, key.namespace)
        change(raw.setdefault("status", {}))
        try:
            path = client.path(cls, key.namespace, key.name, "status")
            stored = msgspec.json.decode(await client.request("PUT", path, body=msgspec.json.encode(raw)))
        except ApiError as error:
            assert error.status in (0, 409), error  # 0: a timeout, which a crowd on two cores may cause
            await asyncio.sleep(random.uniform(0, 0.5))  # as clients do
        else:
            return int(stored["metadata"]["resourceVersion"])


async def patch_status(
    client: Client, cls: type[Object], key: Key, operations: Callable[[dict[str, Any]], list[dict[str, Any]]]
) -> int:
    """What others do: a patch of what is theirs."""
    while True:
        raw = await client.get_raw(cls, key.name, key.namespace)
        wanted = operations(raw.get("status", {}))
        try:
            stored = await client.json_patch(cls, key.name, key.namespace, wanted, subresource="status")
        except ApiError as error:
            assert error.status in (0, 409, 422), error
        else:
            return int(stored["metadata"]["resourceVersion"])


def put_or_add(path: str, items: list[dict[str, Any]], field: str, new: dict[str, Any]) -> list[dict[str, Any]]:
    """Operations that replace the item that has the same `field`, or add it."""
    for at, item in enumerate(items):
        if item[field] == new[field]:
            test = {"op": "test", "path": f"{path}/{at}/{field}", "value": new[field]}
            return [test, {"op": "replace", "path": f"{path}/{at}", "value": new}]
    return [{"op": "test", "path": path, "value": items}, {"op": "add", "path": f"{path}/-", "value": new}]


async def all_at_once(
    client: Client, cls: type[Object], key: Key, desired: list[Value], change: Change, patch: Operations
) -> tuple[dict[str, Any], list[int]]:
    """We write our statuses one after the other while everybody else writes theirs, every third with PUT.

    The status afterwards, and the others in the order in which the API took what they wrote.
    """
    taken: list[tuple[int, int]] = []

    async def other(number: int) -> None:
        if number % 3 == 0:
            version = await replace_status(client, cls, key, partial(change, number=number))
        else:
            version = await patch_status(client, cls, key, partial(patch, number=number))
        taken.append((version, number))

    async def we() -> None:
        for value in desired:
            compute = partial(
                status_patch,
                desired=value,
                now=time.time(),
                controllers=(OURS,),
                owned_conditions=OWNED,
                owned_in_items=OWNED,
            )
            while True:
                try:
                    await patch_with_retry(client, cls, key, compute, subresource="status", attempts=1000)
                    break
                except UnreachableError:  # the queue of statuses would try again, too
                    continue

    await asyncio.gather(we(), *(other(number) for number in range(WRITERS)))
    status = (await client.get_raw(cls, key.name, key.namespace))["status"]
    return status, [number for _, number in sorted(taken)]


def put(conditions: list[dict[str, Any]], new: dict[str, Any]) -> None:
    conditions[:] = [each for each in conditions if each["type"] != new["type"]] + [new]


def of_type(conditions: list[dict[str, Any]], *types: str) -> dict[str, dict[str, Any]]:
    return {each["type"]: each for each in conditions if each["type"] in types}


async def test_conditions_of_others_on_a_gateway_and_its_listeners_survive_a_hundred_writers(
    kubernetes: ControlPlane,
) -> None:
    key = Key("crowded-gateway", "g")
    kinds = [f"example.com/Foreign{number}" for number in range(FOREIGN)]

    def said(turn: int) -> Value:
        conditions = tuple(condition(kind, str(turn)) for kind in OWNED[: 4 if turn < OURS_TURNS else 3])
        listener = ListenerStatus(
            name="http",
            attached_routes=turn,
            supported_kinds=(RouteGroupKind(kind="HTTPRoute"),),
            conditions=conditions,
        )
        return GatewayStatus(conditions=conditions, listeners=(listener,))

    def put_both(status: dict[str, Any], *, number: int) -> None:
        for conditions in (status["conditions"], status["listeners"][0]["conditions"]):
            put(conditions, foreign(kinds[number % FOREIGN], str(number)))

    def patch_one(status: dict[str, Any], *, number: int) -> list[dict[str, Any]]:
        new = foreign(kinds[number % FOREIGN], str(number))
        return put_or_add("/status/conditions", status["conditions"], "type", new)

    async with Client.from_kubeconfig(kubernetes.kubeconfig) as client:
        await client.create(Namespace(metadata=ObjectMeta(name=key.namespace)))
        spec = GatewaySpec(gateway_class_name="c", listeners=(Listener(name="http", port=80, protocol="HTTP"),))
        await client.create(Gateway(metadata=ObjectMeta(name="g", namespace=key.namespace), spec=spec))
        begin = partial(status_patch, desired=said(0), now=time.time())
        await patch_with_retry(client, Gateway, key, begin, subresource="status")
        ours = [said(turn) for turn in range(1, OURS_TURNS + 1)]
        status, taken = await all_at_once(client, Gateway, key, ours, put_both, patch_one)
        last = {kinds[number % FOREIGN]: str(number) for number in taken}
        last_put = {kinds[number % FOREIGN]: str(number) for number in taken if number % 3 == 0}
        on_listener = status["listeners"][0]["conditions"]
        for conditions, by in ((status["conditions"], last), (on_listener, last_put)):
            assert of_type(conditions, *kinds) == {kind: foreign(kind, by[kind]) for kind in kinds}
            mine = of_type(conditions, *OWNED)
            assert {kind: each["message"] for kind, each in mine.items()} == dict.fromkeys(OWNED[:3], LAST)
        assert status["listeners"][0]["attachedRoutes"] == OURS_TURNS


async def test_ancestors_of_others_on_a_policy_survive_a_hundred_writers(kubernetes: ControlPlane) -> None:
    key = Key("crowded-policy", "p")
    controllers = [f"example.com/controller-{number}" for number in range(15)]

    def said(turn: int) -> Value:
        entry = PolicyAncestorStatus(
            ancestor_ref=ParentReference(name=f"g-{turn}"),
            controller_name=OURS,
            conditions=(condition("Accepted", str(turn)),),
        )
        return PolicyStatus(ancestors=(entry,))

    def entry(number: int) -> dict[str, Any]:
        return {
            "ancestorRef": {"name": "unmanaged-gateway"},
            "controllerName": controllers[number % len(controllers)],
            "conditions": [foreign("example.com/Stale", str(number))],
        }

    def put_theirs(status: dict[str, Any], *, number: int) -> None:
        new, ancestors = entry(number), status.setdefault("ancestors", [])
        ancestors[:] = [each for each in ancestors if each["controllerName"] != new["controllerName"]] + [new]

    def patch_theirs(status: dict[str, Any], *, number: int) -> list[dict[str, Any]]:
        return put_or_add("/status/ancestors", status["ancestors"], "controllerName", entry(number))

    async with Client.from_kubeconfig(kubernetes.kubeconfig) as client:
        await client.create(Namespace(metadata=ObjectMeta(name=key.namespace)))
        target = LocalPolicyTargetReferenceWithSectionName(group="", kind="Service", name="s")
        validation = BackendTLSPolicyValidation(hostname="a.example.com", well_known_ca_certificates="System")
        spec = BackendTLSPolicySpec(target_refs=(target,), validation=validation)
        await client.create(BackendTLSPolicy(metadata=ObjectMeta(name="p", namespace=key.namespace), spec=spec))
        begin = partial(status_patch, desired=said(0), now=time.time(), controllers=(OURS,))
        await patch_with_retry(client, BackendTLSPolicy, key, begin, subresource="status")
        ours = [said(turn) for turn in range(1, OURS_TURNS + 1)]
        status, taken = await all_at_once(client, BackendTLSPolicy, key, ours, put_theirs, patch_theirs)
        last = {controllers[number % len(controllers)]: str(number) for number in taken}
        others = {each["controllerName"]: each for each in status["ancestors"] if each["controllerName"] != OURS}
        assert sorted(others) == sorted(controllers)
        for controller, found in others.items():
            assert found["conditions"] == [foreign("example.com/Stale", last[controller])]
        mine = [each["ancestorRef"]["name"] for each in status["ancestors"] if each["controllerName"] == OURS]
        assert mine == [f"g-{OURS_TURNS}"]
