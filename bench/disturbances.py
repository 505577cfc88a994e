"""What happens while the load of `bench.unfailing` runs; each returns what came of it."""

import asyncio
import base64
import ssl
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from bench import rig
from bench.bench_cluster import NAMESPACE, BenchCluster, rule, to
from bench.certificates import self_signed
from bench.load import LoadResult, Wish, loads
from headgate.api import core
from headgate.kube.client import Client
from support.waiting import until

HOST = "stable.example.com"
#: Requests per second with a connection each, as a share of the others.
FRESH = 0.1
#: Rules that a route may have (a limit of its CRD).
RULES = 16


class Done(msgspec.Struct, frozen=True):
    """How many changes in how many seconds, and what came of each load."""

    changes: int
    seconds: float
    seen: list[LoadResult]
    says: str = ""


def wishes(stage: BenchCluster, address: str, paths: tuple[str, ...] = ("/",), **fields: Any) -> list[Wish]:
    """The two loads: kept connections, and one for each request."""
    kept = Wish(address, rig.PORT, HOST, stage.rate, "kept", paths, **fields)
    return [kept, msgspec.structs.replace(kept, rate=stage.rate * FRESH, clients="fresh")]


async def answers(address: str, host: str, path: str = "/", tls: bool = False) -> None:
    """Until the Gateway answers 200 for a host."""
    deadline = time.monotonic() + 60
    while await _status(address, host, path, tls) != rig.GOOD:
        if time.monotonic() > deadline:
            raise SystemExit(f"{host}{path} was not served in a minute")
        await asyncio.sleep(0.02)


async def _status(address: str, host: str, path: str, tls: bool = False) -> int:
    """The status of one request on a connection of its own; 0 without an answer."""
    context = _trusting() if tls else None
    try:
        reader, writer = await asyncio.open_connection(
            address, rig.PORT, ssl=context, server_hostname=host if tls else None
        )
    except OSError:
        return 0
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        words = (await reader.readline()).split(b" ")
        return int(words[1]) if len(words) > 1 else 0
    except OSError:
        return 0
    finally:
        writer.close()


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# ── 1: routes are created ────────────────────────────────────────────────────


async def routes(stage: BenchCluster, changes: int) -> Done:
    """Routes one after the other, each with a Service of its own; the newest are asked without a pause."""
    address = await stage.gateway("routes")
    await stage.route("routes-stable", "routes", HOST, [rule("/", to("a"))])
    await answers(address, HOST)
    seen: list[LoadResult] = []
    asked = _Newcomers(address)
    async with loads(wishes(stage, address), seen), asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(asked.ask()) for _ in range(4)]
        began = time.monotonic()
        for index in range(changes):
            name, host = f"new-{index}", f"new-{index}.example.com"
            asked.hosts.append(host)
            await stage.service(name, rig_address(index))
            await stage.route(name, "routes", host, [rule("/", to(name)), rule("/broken", to("nowhere"))])
        await asked.all_live()
        seconds = time.monotonic() - began
        for task in asking:
            task.cancel()
    return Done(changes, seconds, [*seen, asked.seen()], f"{len(asked.live)} of them live")


def rig_address(index: int) -> str:
    """Which backend serves the route of this index."""
    return ("10.244.250.1", "10.244.250.2")[index % 2]


class _Newcomers:
    """Asks the newest routes, on kept connections: 404 to who asked before the first 200 is right, all else is not."""

    def __init__(self, address: str) -> None:
        self.hosts: list[str] = []
        self.live: set[str] = set()
        self._address = address
        self._counts: dict[str, int] = {}
        self._seen = LoadResult("new")
        self._at = 0
        self._began = time.monotonic()

    async def ask(self) -> None:
        reader, writer = await asyncio.open_connection(self._address, rig.PORT)
        try:
            while True:
                host = self._next()
                if host is not None:
                    was_live = host in self.live
                    writer.write(f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
                    self._count(host, was_live, *await _answer(reader))
                await asyncio.sleep(0.002)
        finally:
            writer.close()

    def _next(self) -> str | None:
        """One of the ten newest, or one that is not live yet."""
        self._at += 1
        newest = self.hosts[-10:]
        return newest[self._at % len(newest)] if newest else None

    def _count(self, host: str, was_live: bool, status: int, body: bytes) -> None:
        seen = self._seen
        seen.sent += 1
        self._counts[str(status)] = self._counts.get(str(status), 0) + 1
        if status == rig.GOOD:
            self.live.add(host)
            letter = body.decode()
            seen.by[letter] = seen.by.get(letter, 0) + 1
        elif status != rig.NOT_FOUND or was_live:
            seen.failed += 1

    async def all_live(self) -> None:
        """Until every route answers."""
        for host in self.hosts:
            if host not in self.live:
                await answers(self._address, host)
                self.live.add(host)

    def seen(self) -> LoadResult:
        """The counts; 404 of a route that is not there yet is no failure."""
        seen = self._seen
        seen.statuses = self._counts
        seen.seconds = time.monotonic() - self._began
        return seen


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


# ── 2: a route flips ─────────────────────────────────────────────────────────

#: The filter that comes and goes.
FILTER = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-flip", "value": "yes"}]}}


async def flips(stage: BenchCluster, changes: int) -> Done:
    """A route goes from one Service to the other and back; each time a filter is added or removed."""
    address = await stage.gateway("flips")
    await stage.route("flips", "flips", HOST, [rule("/", to("a"))])
    await answers(address, HOST)
    seen: list[LoadResult] = []
    async with loads(wishes(stage, address), seen):
        began = time.monotonic()
        for index in range(changes):
            there = "ba"[index % 2]
            filters = [FILTER] if there == "b" else []
            await stage.patch_route(
                "flips", [{"op": "replace", "path": "/spec/rules/0", "value": rule("/", to(there), filters=filters)}]
            )
            await asyncio.sleep(0.02)
        seconds = time.monotonic() - began
    return Done(changes, seconds, seen)


# ── 3: rules are inserted ────────────────────────────────────────────────────


async def rules(stage: BenchCluster, changes: int) -> Done:
    """Rules come at index 0 and go from behind the four that are asked, so that every index moves."""
    address = await stage.gateway("rules")
    paths = ("/one", "/two", "/three", "/four")
    asked = [rule(path, to("a", 1 + at), to("b", 9 - at)) for at, path in enumerate(paths)]
    await stage.route("rules", "rules", HOST, asked)
    for path in paths:
        await answers(address, HOST, path)
    seen: list[LoadResult] = []
    inserted = 0
    async with loads(wishes(stage, address, paths), seen):
        began = time.monotonic()
        for index in range(changes):
            new = rule(f"/new-{index}", to("a", 1 + index % 7), to("b", 3))
            operations: list[dict[str, Any]] = [{"op": "add", "path": "/spec/rules/0", "value": new}]
            if inserted == RULES - len(paths):
                operations.insert(0, {"op": "remove", "path": f"/spec/rules/{inserted - 1}"})
            else:
                inserted += 1
            await stage.patch_route("rules", operations)
            await asyncio.sleep(0.01)
        seconds = time.monotonic() - began
    return Done(changes, seconds, seen)


# ── 4: certificates are replaced ─────────────────────────────────────────────


async def certificates(stage: BenchCluster, changes: int) -> Done:
    """The Secret of an HTTPS listener gets new content; at the end the last one must be shown."""
    await stage.create(core.Secret, "certificate", type="kubernetes.io/tls", data=_secret(HOST))
    listener = {
        "name": "https",
        "port": rig.PORT,
        "protocol": "HTTPS",
        "hostname": HOST,
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "certificate"}]},
    }
    address = await stage.gateway("certificates", listener)
    await stage.route("certificates", "certificates", HOST, [rule("/", to("a"))])
    await answers(address, HOST, tls=True)
    seen: list[LoadResult] = []
    shown: set[bytes] = set()
    async with loads(wishes(stage, address, tls=True), seen):
        began = time.monotonic()
        for _ in range(changes):
            latest = _secret(HOST)
            await stage.client.merge_patch(core.Secret, "certificate", NAMESPACE, {"data": latest})
            await asyncio.sleep(0.05)
            shown.add(await _shown(address))
        await _shows(address, latest)
        seconds = time.monotonic() - began
    return Done(changes, seconds, seen, f"{len(shown)} different ones seen in {changes} looks; the last is shown")


def _secret(host: str) -> dict[str, str]:
    certificate, key = self_signed(host)
    return {"tls.crt": base64.b64encode(certificate).decode(), "tls.key": base64.b64encode(key).decode()}


async def _shown(address: str) -> bytes:
    """The certificate that a new connection is shown, in DER."""
    _, writer = await asyncio.open_connection(address, rig.PORT, ssl=_trusting(), server_hostname=HOST)
    try:
        return bytes(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    finally:
        writer.close()


async def _shows(address: str, secret: dict[str, str]) -> None:
    wanted = ssl.PEM_cert_to_DER_cert(base64.b64decode(secret["tls.crt"]).decode())
    deadline = time.monotonic() + 30
    while await _shown(address) != wanted:
        if time.monotonic() > deadline:
            raise SystemExit("the last certificate was not shown in 30 s")
        await asyncio.sleep(0.02)


# ── 5: backends restart ──────────────────────────────────────────────────────

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: rolling, namespace: bench}
spec:
  replicas: 3
  selector: {matchLabels: {app: rolling}}
  strategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}
  template:
    metadata: {labels: {app: rolling}}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
        - name: echo
          image: ghcr.io/headgate/headgate-echo:1.0.0
          env:
            - {name: GRACE, value: 5s}
            - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: rolling, namespace: bench}
spec:
  selector: {app: rolling}
  ports: [{name: http, port: 80, targetPort: http}]
"""


async def restart(stage: BenchCluster, changes: int) -> Done:
    """`kubectl rollout restart` of three replicas, again and again; each time until the old pods are gone."""
    kubectl = stage.plane.kubectl
    await asyncio.to_thread(kubectl.apply, DEPLOYMENT)
    await asyncio.to_thread(kubectl, "rollout", "status", "deployment/rolling", "-n", NAMESPACE, "--timeout=55s")
    address = await stage.gateway("restart")
    await stage.route("restart", "restart", HOST, [rule("/", to("rolling"))])
    await answers(address, HOST)
    seen: list[LoadResult] = []
    async with loads(wishes(stage, address), seen):
        began = time.monotonic()
        for _ in range(changes):
            before = await _pods(stage.client)
            await asyncio.to_thread(kubectl, "rollout", "restart", "deployment/rolling", "-n", NAMESPACE)
            await asyncio.to_thread(
                until, lambda before=before: _gone(kubectl, before), deadline=120, what="the old pods are gone"
            )
        seconds = time.monotonic() - began
    return Done(changes, seconds, seen, f"pods that answered: {len(seen[0].by)}")


async def _pods(client: Client) -> Sequence[str]:
    return [pod.metadata.name for pod in (await client.list(core.Pod, NAMESPACE)).items]


def _gone(kubectl: Any, before: Sequence[str]) -> bool:
    """Whether none of these pods is left and the new ones are available."""
    pods = kubectl("get", "pods", "-n", NAMESPACE, "-l", "app=rolling", "-o", "name").split()
    counts = "jsonpath={.status.updatedReplicas}/{.status.availableReplicas}"
    done = kubectl("get", "deployment/rolling", "-n", NAMESPACE, "-o", counts)
    return done == "3/3" and not {f"pod/{name}" for name in before} & set(pods)
