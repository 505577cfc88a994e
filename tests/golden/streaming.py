"""Golden cases of connections and datagrams (`stream/`): what they expect, and their backends and clients.

An expectation's `request` is `TCP :5432`, `UDP :53`, `TLS a.example.com:8443` or, without a server name, `TLS :8443`.
`to` names who answers, by weight; `closed` is a closed connection. `sees` is what the backend sees of TLS: the server
name, or `plain`. `certificate` are the names of the certificate that the client is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from cryptography import x509

from headgate.api import tls
from headgate.api.meta import Key
from headgate.envoy.names import LISTENER
from headgate.ir.streams import Connection
from headgate.simulate import ConnectionOutcome
from headgate.world import Outputs
from headgate.xds.desired import Update
from support.addresses import accepts
from support.waiting import until

from . import pki
from .cases import Backend, Case, Expectation
from .expectations import CLOSED, Answerer
from .harness import EnvoyHarness, real_port

PLAIN = "plain"
HELLO = b"hello\n"


def arriving(expectation: Expectation) -> Connection:
    """The connection as the Gateway gets it."""
    kind, _, where = expectation.request.partition(" ")
    name, _, port = where.rpartition(":")
    return Connection(port=int(port), transport="UDP" if kind == "UDP" else "TCP", sni=name or None)


def speaks_tls(expectation: Expectation) -> bool:
    """Whether the client does."""
    return expectation.request.startswith("TLS ")


def distrusted(expectation: Expectation) -> bool:
    """Whether backends have a certificate that their policy does not trust."""
    return bool(expectation.text.get("distrusted"))


def simulated(reached: ConnectionOutcome) -> dict[Answerer, Fraction]:
    """The answers by the simulation, which trusts the certificates of all backends."""
    total = sum(line.weight for line in reached.shares)
    if not total:
        return {CLOSED: Fraction(1)}
    found: dict[Answerer, Fraction] = {}
    for line in reached.shares:
        name = line.backend or CLOSED
        found[name] = found.get(name, Fraction(0)) + Fraction(line.weight, total)
    return found


# Backends and clients.


@dataclass(frozen=True)
class StreamResponse:
    """What came back: the address of the backend and the TLS that it saw; without an address nothing came."""

    backend: str | None = None
    sees: str = PLAIN
    certificate: tuple[str, ...] = ()


def dial(address: str, connection: Connection, *, secure: bool) -> StreamResponse:
    """One connection of its own, or one datagram from a socket of its own."""
    try:
        if connection.transport == "UDP":
            return _datagram(address, connection)
        return _connection(address, connection, secure=secure)
    except OSError:
        return StreamResponse()


def _datagram(address: str, connection: Connection) -> StreamResponse:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_PATIENCE)
        client.sendto(HELLO, (address, real_port(connection.port)))
        return StreamResponse(**json.loads(client.recv(1024)))


#: Seconds that a client waits for the answer to a datagram; what is dropped takes as long.
_PATIENCE = 0.25


def _connection(address: str, connection: Connection, *, secure: bool) -> StreamResponse:
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(socket.create_connection((address, real_port(connection.port)), timeout=5))
        if not secure:
            return _hello(raw)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = stack.enter_context(context.wrap_socket(raw, server_hostname=connection.sni))
        der = client.getpeercert(binary_form=True)
        answer = _hello(client)
        return StreamResponse(
            answer.backend, answer.sees, tls.names_of(x509.load_der_x509_certificate(der)) if der else ()
        )


def _hello(client: socket.socket) -> StreamResponse:
    client.sendall(HELLO)
    said = b""
    while not said.endswith(b"\n"):
        part = client.recv(1024)
        if not part:
            return StreamResponse()
        said += part
    return StreamResponse(**json.loads(said))


def tally(answers: Iterable[StreamResponse], backends: Iterable[Backend]) -> Counter[str]:
    """How often who answered."""
    services = {each.address: each.service for each in backends}
    return Counter(services[each.backend] if each.backend else CLOSED for each in answers)


class StreamHarness(EnvoyHarness):
    """The same harness with backends that speak lines over TCP, TLS and UDP."""

    def __init__(self, folder: Path, *, workers: int = 1) -> None:
        super().__init__(folder, workers=workers, drain=1)
        self._datagrams: list[asyncio.DatagramTransport] = []

    async def _serve(self, backends: list[Backend]) -> None:
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()
        self._servers = [await _lines(each) for each in backends if each.protocol == "TCP"]
        self._datagrams = [await _datagrams(each) for each in backends if each.protocol == "UDP"]

    def load(self, outputs: Outputs, gateway: Key, probers: Mapping[int, Any] | None = None) -> None:
        """Give Envoy everything of a Gateway, and wait until it has taken it and listens."""
        before = self._loaded
        super().load(outputs, gateway, probers)
        wanted = _changed(before, self._loaded)
        until(lambda: wanted <= {(each.type_url, each.name, each.version) for each in self._plane.outcomes()})
        status = outputs.gateway_statuses.get(gateway)
        for (owner, transport, number), _ in outputs.routing.ports.items():
            if owner == gateway and transport == "TCP" and status:
                until(lambda number=number: accepts(status.addresses[0].value, real_port(number)))  # type: ignore[misc]


def _changed(old: Update, new: Update) -> set[tuple[str, str, str]]:
    """Listeners: Envoy gets them when it has their clusters."""
    return {
        (*key, each.version)
        for key, each in new.resources.items()
        if old.resources.get(key) != each and key[0] == LISTENER
    }


def _say(address: str, seen: str) -> bytes:
    return json.dumps({"backend": address, "sees": seen}).encode() + b"\n"


async def _lines(backend: Backend) -> asyncio.Server:
    """A backend over TCP: answers each hello with what it saw of the connection, and ends on anything else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("ssl_object")
        seen = str(getattr(connection, "asked", "")) if connection else PLAIN
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readexactly(len(HELLO)) == HELLO:
                writer.write(_say(backend.address, seen))
                await writer.drain()
        writer.close()

    context = pki.serving(backend.secured) if backend.secured else None
    return await asyncio.start_server(serve, backend.address, backend.port, ssl=context)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, client: Any) -> None:
        self._transport.sendto(_say(self._backend.address, PLAIN), client)


async def _datagrams(backend: Backend) -> asyncio.DatagramTransport:
    """A backend over UDP: answers each datagram."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(backend), local_addr=(backend.address, backend.port)
    )
    return transport


def answers(case: Case, expectation: Expectation, times: int) -> list[StreamResponse]:
    """The same connection several times, each one of its own."""
    address = case.address_of(case.gateway(expectation))
    connection = arriving(expectation)
    return [dial(address, connection, secure=speaks_tls(expectation)) for _ in range(times)]


def wanted_sight(text: Mapping[str, Any]) -> str | None:
    """What the backend should see of TLS, if the case says so."""
    return str(text["sees"]) if "sees" in text else None
