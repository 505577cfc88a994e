"""Fleets after a restart: what an earlier run left serves on until it is known that no Gateway needs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from headgate import fleet, pki
from headgate.api import apps, gateway
from headgate.api.meta import Key, ObjectMeta
from headgate.controllers.gateways.fleets import FleetReconciler
from headgate.controllers.gateways.pipeline import Pipeline
from headgate.kube.client import ApiError, Client
from headgate.world import Settings
from support.local_api import LocalApi

OURS = "headgate.dev/gateway-controller"
FRONT = gateway.Gateway(
    metadata=ObjectMeta(name="front", namespace="default"),
    spec=gateway.GatewaySpec(
        gateway_class_name="headgate", listeners=(gateway.Listener(name="http", port=80, protocol="HTTP"),)
    ),
)
CLASS = gateway.GatewayClass(metadata=ObjectMeta(name="headgate"), spec=gateway.GatewayClassSpec(controller_name=OURS))
ENVOYS = Key("default", "front-headgate")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalApi]:
    with LocalApi(tmp_path_factory.mktemp("api")) as api:
        yield api


@asynccontextmanager
async def restarted(api: LocalApi, *, left_by: str = OURS) -> AsyncIterator[tuple[Pipeline, FleetReconciler, Client]]:
    """A reconciler that has seen the Deployment of an earlier run, and its Gateway; nothing else yet."""
    pipeline = Pipeline(Settings(controller_names=(OURS,)), lambda *_: None, lambda _: None)
    ca = pki.create_ca(time.time())
    async with Client.from_kubeconfig(api.kubeconfig) as client:
        fleets = FleetReconciler(
            client,
            pipeline.world,
            pipeline.outputs,
            fleet.Settings(xds_address="127.0.0.1:18000"),
            ca=lambda: ca,
            is_leader=lambda: True,
            world_changed=lambda: None,
        )
        queue = asyncio.create_task(fleets.queue.run())
        front = await client.create(FRONT)
        pipeline.world.gateways.set(front.key, front)
        pipeline.run_pass()
        left = await client.create(left_behind(front, left_by))
        fleets.observe(apps.Deployment, left.key, left)
        await fleets.queue.settled()
        try:
            yield pipeline, fleets, client
        finally:
            queue.cancel()
            if await there(client):
                await client.delete(apps.Deployment, ENVOYS.name, ENVOYS.namespace)
            await client.delete(gateway.Gateway, FRONT.key.name, FRONT.key.namespace)


def left_behind(front: gateway.Gateway, controller: str) -> apps.Deployment:
    envoys = fleet.Envoys(
        front.key, front.metadata.uid, "gateway.networking.k8s.io/v1", "headgate", controller, (("TCP", 80),)
    )
    made = fleet.objects(envoys, fleet.Settings(xds_address="127.0.0.1:1"), {}).deployment
    assert made.key == ENVOYS
    return made


async def there(client: Client) -> bool:
    try:
        await client.get(apps.Deployment, ENVOYS.name, ENVOYS.namespace)
    except ApiError as error:
        assert error.status == 404
        return False
    return True


async def test_envoys_stay_before_the_specs_of_all_fleets_are_known(api: LocalApi) -> None:
    async with restarted(api) as (_, _, client):
        assert await there(client)


async def test_envoys_that_are_needed_stay(api: LocalApi) -> None:
    async with restarted(api) as (pipeline, fleets, client):
        pipeline.world.gateway_classes.set(CLASS.key, CLASS)
        pipeline.run_pass()
        fleets.reconcile_all()
        await fleets.queue.settled()
        assert await there(client)


async def test_envoys_that_no_gateway_needs_are_deleted(api: LocalApi) -> None:
    async with restarted(api) as (pipeline, fleets, client):
        pipeline.run_pass()
        fleets.reconcile_all()
        await fleets.queue.settled()
        assert not await there(client)


async def test_envoys_of_an_invalid_gateway_stay(api: LocalApi) -> None:
    reference = gateway.LocalParametersReference(group="example.com", kind="Proxy", name="none")
    infrastructure = gateway.GatewayInfrastructure(parameters_ref=reference)

    async with restarted(api) as (pipeline, fleets, client):
        pipeline.world.gateway_classes.set(CLASS.key, CLASS)
        front = pipeline.world.gateways.get(FRONT.key)
        assert front is not None
        refused = msgspec.structs.replace(front.spec, infrastructure=infrastructure)
        pipeline.world.gateways.set(FRONT.key, msgspec.structs.replace(front, spec=refused))
        pipeline.run_pass()
        assert pipeline.outputs.fleet_specs.get(FRONT.key) is None
        fleets.reconcile_all()
        await fleets.queue.settled()
        assert await there(client)


async def test_what_another_controller_made_for_a_gateway_stays(api: LocalApi) -> None:
    async with restarted(api, left_by="example.com/another") as (pipeline, fleets, client):
        pipeline.run_pass()
        fleets.reconcile_all()
        await fleets.queue.settled()
        assert await there(client)
