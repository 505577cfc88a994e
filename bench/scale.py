"""Many routes on a real kube-apiserver: what a new one and a change cost, what memory is held, how a start goes.

The controller and its Envoy are pods of the chart. Three measurements, each with the goal it has:

    new       3,000 routes are created one after the other; each is asked from the moment that the API took it until its
              first 200 (as in howardjohn/gateway-api-bench, whose routes go to one shared Service)
    churn     5,000 routes with a Service and an EndpointSlice each; then one endpoint, one path or one weight at a time
              changes: CPU of the controller per change, memory of both
    start     10,000 routes: the controller is killed and comes back while Envoy runs (statuses written, resources sent,
              seconds until it is ready); then Envoy is killed and comes back empty (seconds until every 100th route
              answers); then both

    PYTHONPATH=tests tests/real/netns python -m bench.scale [new|churn|start]... [--routes N]

Load of the machine is printed beside each figure: other work makes figures worthless.
"""

import argparse
import asyncio
import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench import rig
from bench.bench_cluster import NAMESPACE, BenchCluster, in_parallel, rule, staged, to
from headgate.api import discovery, gateway
from headgate.kube.client import ApiError
from support.installed import NAMESPACE as SYSTEM

PUBLISHED = {
    "new": "mean / max ms over 3,000: Agentgateway 17 / 75, Istio 221 / 1,240, Envoy Gateway 320 / 1,210; kgateway "
    "with Envoy 75 / 237 (howardjohn/gateway-api-bench)",
    "churn": "5,000 routes: Agentgateway 511 MiB, Istio 718 MiB, kgateway (Envoy) 2.4 GiB, Envoy Gateway 2.7 GiB; "
    "their proxies 46 MiB, 1.7 GiB, 1.4 GiB, 1.2 GiB",
    "start": "NGINX Gateway Fabric 2.6: 31 s with 450 routes",
}
GOALS = {
    "new": "mean <= 20 ms",
    "churn": "controller <= 100 MB and <= 3 ms CPU per change, Envoy <= 256 MB",
    "start": "running Envoy: <= 3 s, 0 status writes, 0 resources sent; empty Envoy: <= 10 s",
}
Row = dict[str, Any]


class Rows(list[Row]):
    """Rows that are told as they come: a measurement may take many minutes."""

    def append(self, row: Row) -> None:
        """Add and tell."""
        super().append(row)
        print("  ".join(f"{key}={value}" for key, value in row.items()), file=sys.stderr, flush=True)


def spread(latencies: list[float]) -> Row:
    """Of seconds, in milliseconds."""
    return {
        "mean_ms": round(1000 * sum(latencies) / len(latencies), 1),
        "p50_ms": round(1000 * rig.quantile(latencies, 0.5), 1),
        "p99_ms": round(1000 * rig.quantile(latencies, 0.99), 1),
        "max_ms": round(1000 * max(latencies), 1),
    }


def machine() -> Row:
    """What else is going on."""
    return {"machine_load": round(os.getloadavg()[0], 1)}


# ── a new route ──────────────────────────────────────────────────────────────


async def new(stage: BenchCluster, count: int) -> list[Row]:
    """One after the other, as the published probe does: the mean is over a growing number."""
    address = await stage.gateway("new")
    latencies: list[float] = []
    errors = 0
    with rig.probe(address) as orders:
        for index in range(count):
            host = f"probe-{index}.example.com"
            await stage.route(f"probe-{index}", "new", host, [rule("/", to("a")), rule("/broken", to("nowhere"))])
            began = time.monotonic()
            orders.send((host, "a", began + 30, True))
            end, _, failure = await _heard(orders)
            errors += bool(failure)
            latencies.append(end - began)
    pids = await processes(stage)
    share = max(1, min(100, count // 10))
    return [
        {"routes": f"0 to {count}", **spread(latencies), "errors": errors, **machine()},
        {"routes": f"the last {share}", **spread(latencies[-share:]), **memory(*pids)},
    ]


async def _heard(orders: Any) -> Any:
    loop = asyncio.get_running_loop()
    while not await loop.run_in_executor(None, orders.poll, 0.05):
        pass
    return orders.recv()


# ── changes among many ───────────────────────────────────────────────────────


async def churn(stage: BenchCluster, count: int) -> list[Row]:
    """Routes with a Service each; then changes of three kinds, one every 50 ms."""
    address = await stage.gateway("churn")
    began = time.monotonic()
    await in_parallel([lambda index=index: _application(stage, "churn", index) for index in range(count)])
    created = time.monotonic() - began
    await live(address, range(count))
    pids = await processes(stage)
    await _still(pids[0])
    rows = Rows()
    rows.append({"routes": count, "created_s": round(created, 1), **memory(*pids), **machine()})
    for name, change in (("endpoints", _endpoints), ("path", _path), ("weights", _weights)):
        before = [rig.cpu(pid) for pid in pids]
        changes = 100
        for index in range(changes):
            await change(stage, index * (count // changes), index)
            await asyncio.sleep(0.05)
        await _still(pids[0])
        used = [1000 * (rig.cpu(pid) - cpu) / changes for pid, cpu in zip(pids, before, strict=True)]
        rows.append(
            {
                "change": name,
                "controller_cpu_ms": round(used[0], 2),
                "envoy_cpu_ms": round(used[1], 2),
                **memory(*pids),
                **machine(),
            }
        )
    return rows


async def _application(stage: BenchCluster, parent: str, index: int) -> None:
    name = f"app-{index}"
    await stage.service(name, "10.244.250.1")
    backends = [to(name), to("b", 0)]
    await stage.route(name, parent, f"{name}.example.com", [rule("/", *backends)])


async def _endpoints(stage: BenchCluster, index: int, turn: int) -> None:
    there = ["10.244.250.1", "10.244.250.2"][turn % 2]
    await stage.client.merge_patch(
        discovery.EndpointSlice, f"app-{index}", NAMESPACE, {"endpoints": [{"addresses": [there]}]}
    )


async def _path(stage: BenchCluster, index: int, turn: int) -> None:
    value = {"op": "replace", "path": "/spec/rules/0/matches/0/path/value", "value": f"/turn-{turn}"}
    await stage.patch_route(f"app-{index}", [value])


async def _weights(stage: BenchCluster, index: int, turn: int) -> None:
    value = {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": turn + 1}
    await stage.patch_route(f"app-{index}", [value])


# ── starts ───────────────────────────────────────────────────────────────────


async def start(stage: BenchCluster, count: int) -> list[Row]:
    """The controller is killed, then Envoy, then both; the node starts them again."""
    address = await stage.gateway("start")
    routes = [
        lambda index=index: stage.route(f"app-{index}", "start", f"app-{index}.example.com", [rule("/", to("a"))])
        for index in range(count)
    ]
    began = time.monotonic()
    await in_parallel(routes)
    created = time.monotonic() - began
    sample = range(0, count, 100)
    await live(address, sample)
    controller, envoy = await processes(stage)
    await _still(controller)
    rows = Rows()
    rows.append({"routes": count, "created_s": round(created, 1), **memory(controller, envoy), **machine()})
    await _judged(stage)
    versions = await _versions(stage)
    since = datetime.datetime.now(datetime.UTC)
    restarted = await _restart(stage, [controller])
    await _still((await processes(stage))[0])
    sent = {"changed_resources": await _changed(envoy, since)}
    rows.append({"killed": "controller", **restarted, **sent, **await _unchanged(stage, versions)})
    controller, envoy = await processes(stage)
    both = await _restart(stage, [controller, envoy], address, sample)
    rows.append({"killed": "both", **both, **memory(*await processes(stage)), **machine()})
    controller, envoy = await processes(stage)
    rows.append({"killed": "Envoy", **await _restart(stage, [envoy], address, sample), **machine()})
    return rows


async def _restart(stage: BenchCluster, pids: list[int], address: str = "", sample: Any = ()) -> Row:
    """Kill processes; seconds from then until the controller is ready and the sample answers, and until each of them
    was started again: a node lets a container wait that has died before.
    """
    before = await processes(stage)
    since, began = datetime.datetime.now(datetime.UTC), time.monotonic()
    for pid in pids:
        os.kill(pid, 9)
    while not (now := await processes(stage, patient=False)) or set(pids) & set(now):  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.01)
    row: Row = {
        f"{name}_started_s": round((rig.started(pid) - since).total_seconds(), 2)
        for name, pid, old in zip(("controller", "envoy"), now, before, strict=True)
        if pid != old
    }
    if address:
        await live(address, sample)
        row["answering_s"] = round(time.monotonic() - began, 2)
    if len(pids) > 1 or not address:  # the controller was among them
        row["ready_s"] = round((await _synced(stage, since) - since).total_seconds(), 2)
    return row


async def _synced(stage: BenchCluster, since: datetime.datetime) -> datetime.datetime:
    """When a controller that began after a moment had everything, by its log."""
    deadline = time.monotonic() + 120
    logs = ("logs", f"--namespace={SYSTEM}", "deployment/headgate", "--tail=-1")
    while time.monotonic() < deadline:
        done = await asyncio.to_thread(stage.plane.kubectl.run, *logs)
        for line in done.stdout.splitlines():
            if '"event": "synced"' in line:
                moment = datetime.datetime.fromisoformat(json.loads(line)["timestamp"])
                if moment > since:
                    return moment
        await asyncio.sleep(0.2)
    raise SystemExit("the controller was not ready in two minutes")


async def _judged(stage: BenchCluster) -> None:
    """Until every route has its status, and the Gateway counts them all."""
    while True:
        routes = (await stage.client.list(gateway.HTTPRoute, NAMESPACE)).items
        counts = [each.status.listeners for each in (await stage.client.list(gateway.Gateway, NAMESPACE)).items]
        attached = sum(listener.attached_routes for listeners in counts for listener in listeners)
        if attached == len(routes) and all(each.status.parents for each in routes):
            return
        await asyncio.sleep(1)


async def _versions(stage: BenchCluster) -> dict[str, str]:
    found = await stage.client.list(gateway.HTTPRoute, NAMESPACE)
    gateways = await stage.client.list(gateway.Gateway, NAMESPACE)
    return {str(each.ref): each.metadata.resource_version for each in (*found.items, *gateways.items)}


async def _unchanged(stage: BenchCluster, before: dict[str, str]) -> Row:
    """How many objects were written since."""
    after = await _versions(stage)
    return {"status_writes": sum(after[name] != version for name, version in before.items()), **machine()}


async def _changed(envoy: int, since: datetime.datetime) -> int:
    """How many resources of an Envoy were updated after a moment, by its own word."""
    through = aiohttp.UnixConnector(_admin(envoy))
    async with aiohttp.ClientSession(connector=through) as session, session.get("http://admin/config_dump") as answer:
        dump = await answer.read()
    return sum(datetime.datetime.fromisoformat(moment) > since for moment in _updates(json.loads(dump)))


def _admin(envoy: int) -> str:
    """The socket of an Envoy's admin API, as its bootstrap says."""
    words = Path(f"/proc/{envoy}/cmdline").read_bytes().split(b"\0")
    bootstrap = json.loads(words[words.index(b"--config-yaml") + 1])
    return str(bootstrap["admin"]["address"]["pipe"]["path"])


def _updates(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(moment := value.get("last_updated"), str):
            yield moment
        for inner in value.values():
            yield from _updates(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _updates(inner)


# ── processes ────────────────────────────────────────────────────────────────


async def live(address: str, indexes: Any) -> None:
    """Until these routes answer 200, asked in turn on one connection."""
    await rig.listening(address, rig.PORT, 120)
    reader, writer = await asyncio.open_connection(address, rig.PORT)
    try:
        for index in indexes:
            while await _status(reader, writer, f"app-{index}.example.com") != rig.GOOD:  # noqa: ASYNC110 - we ask
                await asyncio.sleep(0.01)
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> int:
    writer.write(f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


async def processes(stage: BenchCluster, *, patient: bool = True) -> tuple[int, ...]:
    """The controller and the one Envoy of this network namespace; () while one of them is missing."""
    while True:
        found = tuple(pid for pid in (_process(b"controller"), _process(b"--config-yaml")) if pid)
        if len(found) == 2:
            return found
        if not patient:
            return ()
        await asyncio.sleep(0.05)


def _process(word: bytes) -> int:
    here = Path("/proc/self/ns/net").readlink()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word in (folder / "cmdline").read_bytes().split(b"\0") and (folder / "ns/net").readlink() == here:
                return int(folder.name)
        except OSError:
            continue
    return 0


def memory(controller: int, envoy: int) -> Row:
    """In MB: all pages that are resident, and the share that is not another process's (PSS)."""
    return {
        "controller_mb": round(rig.resident(controller)),
        "controller_pss_mb": round(rig.proportional(controller)),
        "envoy_mb": round(rig.resident(envoy)),
    }


async def _still(pid: int) -> None:
    """Until a process has used no CPU to speak of for a second."""
    before = -1.0
    while (now := rig.cpu(pid)) - before > 0.05:
        before = now
        await asyncio.sleep(1)


MEASUREMENTS: dict[str, tuple[Callable[[BenchCluster, int], Awaitable[list[Row]]], int]] = {
    "new": (new, 3_000),
    "churn": (churn, 5_000),
    "start": (start, 10_000),
}


async def run(name: str, count: int | None) -> list[Row]:
    """One measurement, on a control plane of its own."""
    measure, ordinary = MEASUREMENTS[name]
    with tempfile.TemporaryDirectory() as folder:
        async with staged(Path(folder)) as stage:
            return await measure(stage, count or ordinary)


def main() -> None:
    """Print the figures, their goals and what is published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="|".join(MEASUREMENTS), help="all of them unless told")
    parser.add_argument("--routes", type=int, help="instead of the number above")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    if unknown := set(options.what) - MEASUREMENTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    for name in options.what or MEASUREMENTS:
        try:
            rows = asyncio.run(run(name, options.routes))
        except ApiError as error:
            raise SystemExit(str(error)) from None
        if options.output == "json":
            print(msgspec.json.encode({"measurement": name, "rows": rows}).decode(), flush=True)
            continue
        for row in rows:
            print(f"{name}: " + "  ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        print(f"  goal: {GOALS[name]}\n  published: {PUBLISHED[name]}", flush=True)


if __name__ == "__main__":
    main()
