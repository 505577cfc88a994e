"""From a PATCH at a real kube-apiserver to the first answer from the other backend.

The controller is installed by its chart, in a pod with the chart's rights; its Envoy is a pod, too. N HTTPRoutes with
one hostname and two backends each; the weights of a random one go 100/0 <-> 0/100. The baseline in the same run is the
API alone: the same PATCH until the watch event of it arrives, without Headgate.

    PYTHONPATH=tests tests/real/netns python -m bench.weight_change_api [--routes 10,1000] [--changes 200] [-o json]

It needs what `make tools` builds and the network namespace of `tests/real/netns`; `make bench` gives both.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import rig
from headgate.api import core, discovery, gateway
from headgate.api.meta import Key, ObjectMeta
from headgate.kube.client import ApiError, Client
from headgate.kube.watch import Batch, follow
from support.control_plane import ControlPlane
from support.installed import Installed

NAMESPACE = "bench"
BACKENDS = {"a": "10.244.250.1", "b": "10.244.250.2"}
WRITERS = 16


async def prepare(client: Client) -> None:
    """Namespace, Gateway, and two Services whose endpoints are the bench's own backends."""
    await client.create(core.Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    listener = gateway.Listener(name="http", port=rig.PORT, protocol="HTTP")
    await client.create(
        gateway.Gateway(
            metadata=ObjectMeta(name="gateway", namespace=NAMESPACE),
            spec=gateway.GatewaySpec(gateway_class_name="headgate", listeners=(listener,)),
        )
    )
    for name, address in BACKENDS.items():
        meta = ObjectMeta(name=name, namespace=NAMESPACE, labels={"kubernetes.io/service-name": name})
        port = core.ServicePort(port=80, target_port=rig.PORT)
        await client.create(core.Service(metadata=meta, spec=core.ServiceSpec(ports=(port,))))
        await client.create(
            discovery.EndpointSlice(
                metadata=meta,
                endpoints=(discovery.Endpoint(addresses=(address,)),),
                ports=(discovery.EndpointPort(port=rig.PORT),),
            )
        )


def route(index: int) -> gateway.HTTPRoute:
    """A route with everything at `a`."""
    backends = tuple(
        gateway.HTTPBackendRef(name=name, port=80, weight=weight)
        for name, weight in zip(BACKENDS, (100, 0), strict=True)
    )
    return gateway.HTTPRoute(
        metadata=ObjectMeta(name=f"route-{index}", namespace=NAMESPACE),
        spec=gateway.HTTPRouteSpec(
            parent_refs=(gateway.ParentReference(name="gateway"),),
            hostnames=(f"host-{index}.example.com",),
            rules=(gateway.HTTPRouteRule(backend_refs=backends),),
        ),
    )


async def create_routes(client: Client, first: int, last: int) -> None:
    """Routes `first` to `last`, some at a time."""
    waiting = iter(range(first, last))

    async def write() -> None:
        for index in waiting:
            await client.create(route(index))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(write())


async def programmed(client: Client) -> str:
    """The Gateway's address once it is programmed."""
    deadline = time.monotonic() + 60
    while True:
        found = await client.get(gateway.Gateway, "gateway", NAMESPACE)
        states = {condition.type: condition.status for condition in found.status.conditions}
        if states.get("Programmed") == "True" and found.status.addresses:
            return found.status.addresses[0].value
        if time.monotonic() > deadline:
            raise SystemExit(f"the Gateway was not programmed in a minute: {found.status}")
        await asyncio.sleep(0.1)


def weights_patch(target: str) -> list[dict[str, Any]]:
    """What `kubectl patch --type=json` sends."""
    first, second = (100, 0) if target == "a" else (0, 100)
    return [
        {"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": first},
        {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": second},
    ]


class EventTimes:
    """When the watch event of each version of a route arrived, here, without Headgate."""

    def __init__(self) -> None:
        self.at: dict[tuple[Key, int], float] = {}
        self.changed = asyncio.Event()

    def __call__(self, batch: Batch[gateway.HTTPRoute]) -> None:
        """The sink of `follow`."""
        now = time.monotonic()
        for change in batch.changes:
            if change.object is not None:
                self.at.setdefault((change.key, change.object.metadata.generation), now)
        self.changed.set()

    async def wait(self, key: Key, generation: int) -> float:
        """The moment of that version."""
        while (found := self.at.get((key, generation))) is None:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), 30)
        return found


def controller_pid() -> int:
    """The one `headgate controller` of this network namespace."""
    here = Path("/proc/self/ns/net").readlink()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"controller" in words and b"headgate" in b" ".join(words) and (folder / "ns/net").readlink() == here:
                return int(folder.name)
        except OSError:
            continue
    raise SystemExit("no process `headgate controller` was found")


async def measure(client: Client, address: str, routes: int, changes: int) -> dict[str, Any]:
    """One row; routes exist already."""
    seen = EventTimes()
    floor, latencies = [], []
    loop = asyncio.get_running_loop()
    following = asyncio.create_task(follow(client, gateway.HTTPRoute, seen, namespace=NAMESPACE))
    try:
        with rig.probe(address) as orders:

            async def answered() -> tuple[float, int, str]:
                while not await loop.run_in_executor(None, orders.poll, 0.05):
                    pass
                result: tuple[float, int, str] = orders.recv()
                return result

            for index in (0, routes - 1):
                orders.send((f"host-{index}.example.com", "a", time.monotonic() + 60, True))
                failure = (await answered())[2]
                if failure:
                    raise SystemExit(f"host-{index} {failure}")
            pid = controller_pid()
            used = rig.cpu(pid)
            now_at = dict.fromkeys(range(routes), "a")
            for change in range(changes):
                index = random.randrange(routes)
                target = now_at[index] = "b" if now_at[index] == "a" else "a"
                orders.send((f"host-{index}.example.com", target, time.monotonic() + 30, False))
                await asyncio.sleep(0.02)
                start = time.monotonic()
                body = await client.json_patch(gateway.HTTPRoute, f"route-{index}", NAMESPACE, weights_patch(target))
                end, _, failure = await answered()
                if failure:
                    raise SystemExit(f"change {change}: host-{index} {failure}")
                latencies.append((end - start) * 1000)
                key = Key(NAMESPACE, f"route-{index}")
                floor.append((await seen.wait(key, body["metadata"]["generation"]) - start) * 1000)
            used = rig.cpu(pid) - used
            for index, target in now_at.items():
                if target == "b":
                    await client.json_patch(gateway.HTTPRoute, f"route-{index}", NAMESPACE, weights_patch("a"))
    finally:
        following.cancel()
    return {
        "routes": routes,
        "changes": changes,
        "p50_ms": round(rig.quantile(latencies, 0.5), 2),
        "p99_ms": round(rig.quantile(latencies, 0.99), 2),
        "api_alone_p50_ms": round(rig.quantile(floor, 0.5), 2),
        "api_alone_p99_ms": round(rig.quantile(floor, 0.99), 2),
        "controller_cpu_ms_per_change": round(used / changes * 1000, 2),
        "controller_mb": round(rig.resident(pid)),
        "failed": 0,
    }


async def run(counts: list[int], changes: int) -> list[dict[str, Any]]:
    """All rows on one control plane; routes are added from row to row."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, ControlPlane(Path(folder)) as plane:
        plane.apply_crds()
        with Installed(plane, Path(folder)), rig.backends(BACKENDS):
            async with Client.from_kubeconfig(plane.kubeconfig) as client:
                await prepare(client)
                address, there = await programmed(client), 0
                for count in sorted(counts):
                    began = time.monotonic()
                    await create_routes(client, there, count)
                    created, there = time.monotonic() - began, count
                    row = await measure(client, address, count, changes)
                    rows.append(row | {"created_s": round(created, 1)})
                    print("  ".join(f"{name}={value}" for name, value in rows[-1].items()), file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", default="10,1000")
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    try:
        rows = asyncio.run(run([int(count) for count in options.routes.split(",")], options.changes))
    except ApiError as error:
        raise SystemExit(str(error)) from None
    if options.output == "json":
        print(json.dumps(rows, indent=2))
    print(
        "goal: p50 <= 10 ms, p99 <= 30 ms (Envoy Gateway 1.9 on the same kind of machine: 131 ms p50 at 1,000 routes)"
    )


if __name__ == "__main__":
    main()
