"""An xDS server and backends for tests on a real Envoy: an event loop in a thread, driven from outside."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from headgate import pki
from headgate.api.meta import Key, Ref
from headgate.envoy import clusters, listeners, names, routes
from headgate.envoy.resources import Resource, Route, VirtualHost, Weights
from headgate.xds.desired import Update
from headgate.xds.facts import Fact, Outcome
from headgate.xds.server import XdsServer
from support.envoys import Envoy, write_identity
from support.waiting import until

T = TypeVar("T")
GATEWAY = Key("shop", "gate")


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class ControlPlane:
    """An xDS server with an authority of its own; `restart` is a new server on the same port that knows nothing."""

    def __init__(self, *, grace: float = 0.2) -> None:
        self.facts: list[Fact] = []
        self.metrics: list[tuple[Key, str, bytes]] = []
        self.now = time.time()
        self.authority = pki.create_ca(self.now)
        self.certified = pki.issue_server(self.authority, [names.XDS_SERVER], self.now)
        self.port = 0
        self._grace = grace
        self._loop = Loop()
        self.server = self._make()
        self.start()

    def _make(self) -> XdsServer:
        return XdsServer(
            "127.0.0.1",
            self.port,
            self.certified,
            on_fact=self.facts.append,
            on_metrics=lambda gateway, node, body: self.metrics.append((gateway, node, body)),
            grace=self._grace,
        )

    def start(self) -> None:
        async def start() -> None:
            server = self._make()
            await server.start()
            self.server = server

        self._loop.run(start())
        self.port = self.server.port

    def stop(self) -> None:
        self._loop.run(self.server.stop())

    def open(self) -> None:
        self.call(self.server.open)

    def call(self, function: Any, *arguments: Any) -> None:
        async def call() -> None:
            function(*arguments)

        self._loop.run(call())

    def update(self, update: Update, gateway: Key = GATEWAY) -> None:
        async def call() -> None:
            self.server.update(gateway, update)

        self._loop.run(call())

    def outcomes(self, message_has: str = "") -> list[Outcome]:
        return [fact for fact in list(self.facts) if isinstance(fact, Outcome) and message_has in fact.message]

    def backend(self, name: str, status: int = 200) -> Backend:
        backend = Backend(name, status)
        backend.port = self._loop.run(backend.listen())
        return backend

    def identity(self, folder: Path, gateway: Key = GATEWAY) -> None:
        """Write an Envoy's certificate."""
        certified = pki.issue_client(self.authority, pki.spiffe_id(gateway), time.time())
        write_identity(folder, certified.ca_certificates, certified.certificate, certified.key)

    def envoy(
        self,
        folder: Path,
        address: str,
        *,
        gateway: Key = GATEWAY,
        node_id: str = "envoy-0",
        workers: int = 1,
        drain: int = 600,
    ) -> Envoy:
        self.identity(folder / "certificates", gateway)
        return Envoy(folder, address=address, xds_port=self.port, node_id=node_id, workers=workers, drain=drain)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.close()


class Backend:
    """An HTTP server that answers its name."""

    def __init__(self, name: str, status: int = 200) -> None:
        self.name = name
        self.port = 0
        self.status = status

    @property
    def cluster(self) -> str:
        return names.cluster_name("shop", self.name, 80)

    def resources(self) -> dict[tuple[str, str], Resource]:
        """The cluster and its one endpoint."""
        cluster = clusters.cluster(self.cluster, names.stat_name("shop", self.name, 80))
        endpoints = clusters.cluster_load_assignment(self.cluster, [clusters.Endpoint("127.0.0.1", self.port)])
        return {(each.type_url, each.name): each for each in (cluster, endpoints)}

    async def listen(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = self.name.encode()
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (self.status, len(body), body))
                await writer.drain()
        writer.close()


class Traffic:
    """Requests one after the other on kept connections, in threads, until it is left; counts answers."""

    def __init__(self, address: str, port: int, host: str, path: str = "/", threads: int = 2) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(address, port, host, path), daemon=True) for _ in range(threads)
        ]

    def _run(self, address: str, port: int, host: str, path: str) -> None:
        connection = http.client.HTTPConnection(address, port, timeout=5)
        while not self._stop.is_set():
            answer = request(connection, host, path)
            with self._lock:
                self.answers[answer] += 1
        connection.close()

    @property
    def failed(self) -> int:
        return sum(count for (status, _), count in self.answers.items() if status != 200)

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        until(lambda: self.total > 0, what="first answer")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)


def request(connection: http.client.HTTPConnection, host: str, path: str = "/") -> tuple[int, str]:
    """Status and body; 0 and the error when there is no answer."""
    try:
        connection.request("GET", path, headers={"host": host})
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return 0, type(error).__name__


def get(address: str, port: int, host: str, path: str = "/") -> tuple[int, str]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        return request(connection, host, path)
    finally:
        connection.close()


def listener(address: str, port: int, configuration: str = "http") -> dict[tuple[str, str], Resource]:
    """A plain listener."""
    found = listeners.listener(f"l-{port}", address, port, [listeners.FilterChain("all", configuration)])
    return {(found.type_url, found.name): found}


def split(
    name: str, *parts: tuple[Backend, int], origins: Sequence[Ref] = (), others: Sequence[Route] = ()
) -> tuple[VirtualHost, dict[str, Weights]]:
    """A virtual host `<name>.example` that splits all its traffic, but what `others` take, and its weights."""
    used = [backend.cluster for backend, _ in parts]
    key = names.weights_key(name, used)
    forward = routes.Forward(tuple(routes.Destination(cluster) for cluster in used), key)
    every = [*others, routes.route(name, routes.Match(), forward)]
    host = routes.virtual_host(name, [f"{name}.example"], every, origins=origins)
    return host, {key: Weights(tuple((backend.cluster, weight) for backend, weight in parts))}
