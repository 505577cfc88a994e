"""From the bytes of a watch event to the first answer from the other backend, on a real Envoy.

N HTTPRoutes with one hostname and two backends each; the weights of a random one go 100/0 <-> 0/100. Measured is all
that Headgate does: decode, the engine, translate, xDS, and Envoy taking it, seen by a probe that asks every 0.2 ms.
The baseline in the same run is the same program without the weight overlay: every change is a RouteConfiguration.

    python -m bench.weight_change [--routes 10,1000,10000] [--changes 300] [-o json]
"""

import argparse
import asyncio
import gc
import json
import random
import time
from typing import Any

import msgspec

from bench import rig
from headgate.api import codec, core, discovery, gateway
from headgate.api.meta import Key
from headgate.controllers.gateways.pipeline import Pipeline
from headgate.envoy.names import LISTENER
from headgate.world import EnvoyFleetStatus, Settings
from headgate.world.facts import ListenerFact
from headgate.world.fleets import binding_from
from headgate.xds.desired import Update
from headgate.xds.facts import Connected, Fact, Outcome
from headgate.xds.server import XdsServer

CLASS = {"metadata": {"name": "headgate"}, "spec": {"controllerName": "headgate.dev/gateway-controller"}}
GATEWAY = {
    "metadata": {"name": rig.GATEWAY.name, "namespace": rig.GATEWAY.namespace, "uid": "g", "generation": 1},
    "spec": {
        "gatewayClassName": "headgate",
        "listeners": [
            {"name": "http", "port": rig.PORT, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
        ],
    },
}


def route_event(index: int, weights: tuple[int, int], generation: int) -> bytes:
    """A watch event as the API sends it."""
    backends = [
        {"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight}
        for name, weight in zip(rig.BACKENDS, weights, strict=True)
    ]
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway", "namespace": "infra"}
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": f"route-{index}",
            "namespace": "shop",
            "uid": f"uid-{index}",
            "generation": generation,
            "resourceVersion": str(generation),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "parentRefs": [parent],
            "hostnames": [f"host-{index}.example.com"],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}],
        },
    }
    return json.dumps({"type": "MODIFIED", "object": route}).encode()


class _Event(msgspec.Struct):
    type: str
    object: gateway.HTTPRoute


class Rig:
    """The core of the controller between bytes and a real xDS server."""

    def __init__(self, *, overlay: bool) -> None:
        self._overlay = overlay
        self._decode = msgspec.json.Decoder(_Event).decode
        authority, certified = rig.authority_and_server()
        self.authority = authority
        self.server = XdsServer("127.0.0.1", 0, certified, on_fact=self._hear, on_metrics=lambda *_: None)
        self.pipeline = Pipeline(Settings(), self._send, self.server.drop)
        world = self.pipeline.world
        world.gateway_classes.set(Key("", "headgate"), codec.convert(gateway.GatewayClass, CLASS))
        world.gateways.set(rig.GATEWAY, codec.convert(gateway.Gateway, GATEWAY))
        for name in ("infra", "shop"):
            world.namespaces.set(Key("", name), codec.convert(core.Namespace, {"metadata": {"name": name}}))
        for name, address in rig.BACKENDS.items():
            self._backend(name, address)
        world.fleet_statuses.set(rig.GATEWAY, EnvoyFleetStatus("gateway-headgate", (rig.ENVOY_ADDRESS,)))

    def _backend(self, name: str, address: str) -> None:
        meta: dict[str, Any] = {"name": name, "namespace": "shop"}
        service = codec.convert(core.Service, {"metadata": meta, "spec": {"ports": [{"port": 80}]}})
        labels = {"kubernetes.io/service-name": name}
        endpoints = codec.convert(
            discovery.EndpointSlice,
            {
                "metadata": meta | {"labels": labels},
                "endpoints": [{"addresses": [address]}],
                "ports": [{"port": rig.PORT}],
            },
        )
        self.pipeline.world.services.set(service.key, service)
        self.pipeline.world.endpoint_slices.set(endpoints.key, endpoints)

    def _send(self, key: Any, update: Update) -> None:
        if not self._overlay:
            hosts = {
                name: msgspec.structs.replace(
                    host, routes=tuple(msgspec.structs.replace(route, overlay_allowed=False) for route in host.routes)
                )
                for name, host in update.hosts.items()
            }
            update = msgspec.structs.replace(update, hosts=hosts)
        self.server.update(key, update)

    def _hear(self, fact: Fact) -> None:
        if isinstance(fact, Connected):
            self.pipeline.world.bindings.set(fact.gateway, binding_from(fact.metadata))
            self.pipeline.run_pass()
        elif isinstance(fact, Outcome):
            if fact.message:
                raise SystemExit(f"Envoy refused {fact.name}: {fact.message}")
            if fact.type_url == LISTENER:
                self.pipeline.facts.listeners.set((fact.gateway, fact.name), ListenerFact(acked=fact.version))
                self.pipeline.run_pass()

    def feed(self, event: bytes) -> None:
        """What a watch does with the bytes of an event."""
        route = self._decode(event).object
        self.pipeline.world.http_routes.set(route.key, route)


async def measure(routes: int, changes: int, *, overlay: bool) -> dict[str, Any]:
    """One row."""
    bench = Rig(overlay=overlay)
    for index in range(routes):
        bench.feed(route_event(index, (100, 0), 1))
    began = time.perf_counter()
    bench.pipeline.run_pass()
    cold = time.perf_counter() - began
    gc.collect()
    gc.freeze()
    await bench.server.start()
    bench.server.open()
    latencies: list[float] = []
    asked = 0
    loop = asyncio.get_running_loop()
    try:
        with rig.backends():
            async with rig.envoy(bench.authority, bench.server.port) as child:
                await rig.listening(rig.ENVOY_ADDRESS, rig.PORT)
                with rig.probe() as orders:

                    async def answered(host: str, letter: str) -> tuple[float, int, str]:
                        orders.send((host, letter, time.monotonic() + 30, False))
                        while not await loop.run_in_executor(None, orders.poll, 0.05):
                            pass
                        result: tuple[float, int, str] = orders.recv()
                        return result

                    await _settled(answered, routes)
                    now_at = dict.fromkeys(range(routes), "a")
                    before = time.process_time(), rig.cpu(child.pid)
                    for change in range(changes):
                        index = random.randrange(routes)
                        target = now_at[index] = "b" if now_at[index] == "a" else "a"
                        event = route_event(index, (100, 0) if target == "a" else (0, 100), change + 2)
                        orders.send((f"host-{index}.example.com", target, time.monotonic() + 30, False))
                        await asyncio.sleep(0.004)
                        start = time.monotonic()
                        bench.feed(event)
                        bench.pipeline.run_pass()
                        while not await loop.run_in_executor(None, orders.poll, 0.05):
                            pass
                        end, requests, failure = orders.recv()
                        if failure:
                            raise SystemExit(f"change {change}: host-{index} {failure}")
                        latencies.append((end - start) * 1000)
                        asked += requests
                    used = time.process_time() - before[0], rig.cpu(child.pid) - before[1]
                    memory = rig.resident(), rig.resident(child.pid)
    finally:
        await bench.server.stop()
    return {
        "weights": "RTDS" if overlay else "RDS",
        "routes": routes,
        "changes": changes,
        "p50_ms": round(rig.quantile(latencies, 0.5), 2),
        "p99_ms": round(rig.quantile(latencies, 0.99), 2),
        "max_ms": round(max(latencies), 2),
        "controller_cpu_ms_per_change": round(used[0] / changes * 1000, 2),
        "envoy_cpu_ms_per_change": round(used[1] / changes * 1000, 2),
        "controller_mb": round(memory[0]),
        "envoy_mb": round(memory[1]),
        "first_pass_s": round(cold, 2),
        "requests": asked,
        "failed": 0,
    }


async def _settled(answered: Any, routes: int) -> None:
    """Until Envoy answers for the last route: everything is loaded."""
    deadline = time.monotonic() + 60
    while (await answered(f"host-{routes - 1}.example.com", "a"))[2]:
        if time.monotonic() > deadline:
            raise SystemExit("Envoy did not get the routes in a minute")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routes", default="10,1000,10000")
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    rows = []
    for count in map(int, options.routes.split(",")):
        rows.append(asyncio.run(measure(count, options.changes, overlay=True)))
        rows.append(asyncio.run(measure(count, min(options.changes, 60 if count > 1000 else 200), overlay=False)))
        if options.output == "table":
            for row in rows[-2:]:
                print("  ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    if options.output == "json":
        print(json.dumps(rows, indent=2))
    print("goal (RTDS): p50 <= 4 ms, p99 <= 10 ms, flat in the number of routes")


if __name__ == "__main__":
    main()
