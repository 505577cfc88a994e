"""A real control plane with Headgate installed, a namespace, and two backends: what benchmarks on an API share."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench import rig
from headgate.api import codec, core, discovery, gateway
from headgate.api.meta import Object
from headgate.kube.client import Client
from support.control_plane import ControlPlane
from support.installed import Installed

NAMESPACE = "bench"
#: Backends answer with their letter; 10.244.250.x belongs to no pod of the node.
BACKENDS = {"a": "10.244.250.1", "b": "10.244.250.2"}
WRITERS = 16


class BenchCluster:
    """The API, and what is written to it. `rate` is that of the load on kept connections."""

    def __init__(self, plane: ControlPlane, client: Client, rate: float) -> None:
        self.plane = plane
        self.client = client
        self.rate = rate

    async def gateway(self, name: str, *listeners: dict[str, Any]) -> str:
        """A Gateway of its own; its address once it is programmed."""
        plain = {"name": "http", "port": rig.PORT, "protocol": "HTTP"}
        spec = {"gatewayClassName": "headgate", "listeners": list(listeners) or [plain]}
        await self.create(gateway.Gateway, name, spec=spec)
        return await self.programmed(name)

    async def create(self, cls: type[Object], name: str, **fields: Any) -> dict[str, Any]:
        """An object of the bench's namespace."""
        metadata = {"name": name, "namespace": NAMESPACE} | fields.pop("metadata", {})
        return await create(self.client, cls, {"metadata": metadata, **fields})

    async def service(self, name: str, address: str) -> None:
        """A Service and the endpoint that serves it."""
        labels = {"kubernetes.io/service-name": name}
        await self.create(core.Service, name, spec={"ports": [{"port": 80, "targetPort": rig.PORT}]})
        await self.create(
            discovery.EndpointSlice,
            name,
            metadata={"labels": labels},
            addressType="IPv4",
            endpoints=[{"addresses": [address]}],
            ports=[{"name": "", "port": rig.PORT, "protocol": "TCP"}],
        )

    async def route(self, name: str, parent: str, host: str, rules: list[dict[str, Any]]) -> None:
        """An HTTPRoute."""
        spec = {"parentRefs": [{"name": parent}], "hostnames": [host], "rules": rules}
        await self.create(gateway.HTTPRoute, name, spec=spec)

    async def patch_route(self, name: str, operations: list[dict[str, Any]]) -> None:
        """A JSON patch of an HTTPRoute."""
        await self.client.json_patch(gateway.HTTPRoute, name, NAMESPACE, operations)

    async def programmed(self, name: str) -> str:
        """A Gateway's address once it is programmed."""
        deadline = time.monotonic() + 60
        while True:
            found = await self.client.get(gateway.Gateway, name, NAMESPACE)
            states = {condition.type: condition.status for condition in found.status.conditions}
            if states.get("Programmed") == "True" and found.status.addresses:
                return found.status.addresses[0].value
            if time.monotonic() > deadline:
                raise SystemExit(f"Gateway {name} was not programmed in a minute: {found.status}")
            await asyncio.sleep(0.1)


async def create(client: Client, cls: type[Object], plain: dict[str, Any]) -> dict[str, Any]:
    """An object from its fields; its kind is that of the class."""
    kind = codec.kind_of(cls)
    return await client.create_raw(cls, {"apiVersion": kind.api_version, "kind": kind.kind, **plain})


def to(name: str, weight: int = 1) -> dict[str, Any]:
    """A backendRef."""
    return {"name": name, "port": 80, "weight": weight}


def rule(path: str, *backends: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A rule for everything under a path."""
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": list(backends), **fields}


@contextlib.asynccontextmanager
async def staged(folder: Path, rate: float = 1000) -> AsyncIterator[BenchCluster]:
    """Everything up: control plane, node, chart, backends `a` and `b` with a Service each."""
    with ControlPlane(folder) as plane:
        plane.apply_crds()
        with Installed(plane, folder), rig.backends(BACKENDS):
            async with Client.from_kubeconfig(plane.kubeconfig) as client:
                stage = BenchCluster(plane, client, rate)
                await create(client, core.Namespace, {"metadata": {"name": NAMESPACE}})
                for name, address in BACKENDS.items():
                    await stage.service(name, address)
                yield stage


async def in_parallel(work: list[Any], writers: int = WRITERS) -> None:
    """Awaits what the functions of a list return, some at a time, in their order."""
    waiting = iter(work)

    async def one() -> None:
        for each in waiting:
            await each()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(writers):
            tasks.create_task(one())
