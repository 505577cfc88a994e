"""A real Envoy on which golden cases are played: one Envoy, one xDS server, one case after the other."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ipaddress
import itertools
import json
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from cryptography import x509

from headgate.api import tls
from headgate.api.gateway import GatewayStatusAddress
from headgate.api.meta import Key
from headgate.envoy import routes
from headgate.envoy.names import digest
from headgate.envoy.path_tree import tree
from headgate.envoy.resources import Route, VirtualHost
from headgate.ir.http import Request
from headgate.ir.limits import Try
from headgate.translate import names
from headgate.world import Outputs
from headgate.xds.desired import Update
from support.addresses import loopback_network
from support.waiting import until
from support.xds import GATEWAY, ControlPlane, Loop

from . import http2, pki, websocket
from .cases import Addresses, Backend, Case, Expectation, read, running
from .expectations import TRIES, read_try

#: A request with this header is answered by the virtual host itself, with the number of the load.
MARK = "x-golden-mark"
PORT_OFFSET = 10_000


@dataclass
class Response:
    """What came back. Without a status the connection was refused or closed."""

    status: int | None
    headers: dict[str, str] = field(default_factory=dict)
    #: What the backend saw, if one answered.
    seen: dict[str, Any] | None = None
    certificate: tuple[str, ...] = ()

    @property
    def backend(self) -> str | None:
        """The address of the backend that answered."""
        return str(self.seen["address"]) if self.seen else None

    def saw(self, name: str) -> str | None:
        """A header as the backend saw it; several lines are joined."""
        assert self.seen is not None
        if name == ":path":
            return str(self.seen["target"])
        if name == ":sni":
            return self.seen.get("sni")
        if name == ":client":
            return ",".join(self.seen.get("shown", ()))
        found = [value for key, value in self.seen["headers"] if key == name.lower()]
        return ",".join(found) if found else None


class EnvoyHarness:
    """Envoy, xDS server and backends. `addresses` hands out a part of the loopback network for a case."""

    def __init__(self, folder: Path, *, workers: int = 1, drain: int = 600) -> None:
        self._folder = folder
        self._networks = itertools.cycle(loopback_network().subnets(new_prefix=24))
        self._own = next(self._networks)
        self._loop = Loop()
        self._plane = ControlPlane(grace=0.05)
        self._servers: list[asyncio.Server] = []
        self.heard: Counter[str] = Counter()
        self._tried: Counter[str] = Counter()
        self._loads = itertools.count(1)
        self._loaded = Update()
        self._served: set[Probe] = set()
        self.envoy = self._plane.envoy(folder, str(self._own[1]), workers=workers, drain=drain)

    def __enter__(self) -> Self:
        self._plane.open()
        self.envoy.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.envoy.__exit__(kind, error, trace)
        self._plane.__exit__(kind, error, trace)
        self._loop.close()

    @property
    def plane(self) -> ControlPlane:
        """The xDS server."""
        return self._plane

    def addresses(self) -> Addresses:
        """Addresses that no other case has now."""
        network = next(self._networks)
        if network == self._own:
            network = next(self._networks)
        gateways, backends = network.subnets(new_prefix=25)
        return Addresses(ipaddress.IPv4Network(gateways), ipaddress.IPv4Network(backends))

    # Backends.

    def serve(self, backends: Iterable[Backend]) -> None:
        """Only these backends from now on. `heard` counts what they get, by address."""
        self.heard.clear()
        self._loop.run(self._serve(list(backends)))

    async def _serve(self, backends: list[Backend]) -> None:
        for server in self._servers:
            server.close()
        self._servers = [
            await asyncio.start_server(
                self._echo, each.address, each.port, ssl=pki.serving(each.secured) if each.secured else None
            )
            for each in backends
        ]

    async def _echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A backend: says what it saw, in JSON, with a header `x-echo`."""
        address = writer.get_extra_info("sockname")[0]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                first = await reader.readuntil(b"\r\n")
                if first == http2.PREFACE:
                    await http2.serve(first, reader, writer, lambda _: self.heard.update([address]))
                    break
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                self.heard[address] += 1
                headers = [
                    (name.lower(), value) for name, _, value in (line.partition(": ") for line in head[1:] if line)
                ]
                if ("upgrade", "websocket") in headers:
                    await websocket.serve(address, dict(headers), reader, writer)
                    break
                await reader.readexactly(int(dict(headers).get("content-length", 0)))
                status = await self._try(dict(headers))
                seen = {
                    "address": address,
                    "method": method,
                    "target": target,
                    "headers": headers,
                    **_secured(writer),
                }
                body = b"" if method == "HEAD" else json.dumps(seen).encode()
                writer.write(
                    b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\nx-echo: 1\r\ncontent-length: %d\r\n\r\n%s"
                    % (status, len(body), body)
                )
                await writer.drain()
        writer.close()

    async def _try(self, headers: dict[str, str]) -> int:
        """Do with a try of a request what it says (`TRIES`), and tell the status."""
        number = self._tried[headers.get("x-request-id", "")]
        self._tried[headers.get("x-request-id", "")] += 1
        planned = [read_try(each) for each in headers.get(TRIES, "").split(",") if each]
        now = planned[number] if number < len(planned) else Try()
        await asyncio.sleep(now.seconds)
        return now.status

    # Configuration.

    def load(self, outputs: Outputs, gateway: Key, probers: Mapping[int, Any] | None = None) -> None:
        """Give Envoy everything of a Gateway, take away what was there, and wait until it serves."""
        number = str(next(self._loads))
        new = _everything(outputs, gateway, number)
        old, self._loaded = self._loaded, new
        self._plane.facts.clear()
        self._plane.update(
            Update(
                resources=new.resources,
                removed_resources=old.resources.keys() - new.resources.keys(),
                hosts=new.hosts,
                removed_hosts=old.hosts.keys() - new.hosts.keys(),
                weights=new.weights,
                removed_weights=old.weights.keys() - new.weights.keys(),
                route_configurations=new.route_configurations,
                removed_route_configurations=old.route_configurations - new.route_configurations,
            ),
            GATEWAY,
        )
        self._await(outputs, gateway, number, probers or {})
        refusals = self._refusals()
        assert not refusals, refusals

    def _await(self, outputs: Outputs, gateway: Key, number: str, probers: Mapping[int, Any]) -> None:
        """Wait until every virtual host of this load answers, and none of an older one does.

        Virtual hosts come one by one: each is held back until Envoy has its clusters.
        """
        address = next((each.value for each in _addresses(outputs, gateway)), "")
        served = set(_probes(outputs, gateway))
        for probe in served | self._served:
            ready = probe.ready(number) if probe in served else probe.gone(number)
            until(
                lambda probe=probe, ready=ready: (  # type: ignore[misc]
                    self._refusals() or ready(_load(address, probe, probers.get(probe.port)))
                ),
                every=0.005,
                running=self.envoy,
            )
        self._served = served

    def _refusals(self) -> list[str]:
        return [outcome.message for outcome in self._plane.outcomes() if outcome.message]


@dataclass(frozen=True)
class Probe:
    """A host that one virtual host of a port answers for."""

    port: int
    hostname: str
    secure: bool

    @property
    def host(self) -> str:
        """A host that it answers for, and hardly any other one."""
        return self.hostname.replace("*", "golden-probe") or "golden-probe.invalid"

    def ready(self, number: str) -> Callable[[str | None], bool]:
        """Whether this load's virtual host answers itself: until it is there, one with a wider hostname does."""
        return lambda found: found == f"{number} {self.hostname}"

    def gone(self, number: str) -> Callable[[str | None], bool]:
        """Whether only virtual hosts of this load are left."""
        return lambda found: found is None or found.startswith(f"{number} ")


def _addresses(outputs: Outputs, gateway: Key) -> tuple[GatewayStatusAddress, ...]:
    status = outputs.gateway_statuses.get(gateway)
    return status.addresses if status else ()


def _probes(outputs: Outputs, gateway: Key) -> Iterable[Probe]:
    listeners = {
        listener.name: listener
        for (owner, *_), port in outputs.routing.ports.items()
        if owner == gateway
        for listener in port.listeners
    }
    for (owner, _, name, hostname), _ in outputs.routing.hosts.items():
        if owner == gateway:
            listener = listeners[name]
            yield Probe(listener.port, hostname, listener.protocol == "HTTPS")


def _secured(writer: asyncio.StreamWriter) -> dict[str, Any]:
    """What a backend saw of TLS: the server name, and the names of the certificate that it was shown."""
    connection = writer.get_extra_info("ssl_object")
    if connection is None:
        return {}
    der = connection.getpeercert(binary_form=True)
    shown = tls.names_of(x509.load_der_x509_certificate(der)) if der else ()
    return {"sni": getattr(connection, "asked", None), "shown": list(shown)}


def _load(address: str, probe: Probe, client: Mapping[str, Any] | None = None) -> str | None:
    """The load that answers for a host."""
    sni = probe.host if probe.secure else None
    marked = Request(host=probe.host, port=probe.port, headers=((MARK, "1"),), sni=sni)
    return asks(address, marked, 1, client=client)[0].headers.get("x-load")


def _mark(text: str) -> Route:
    return routes.route(
        "mark",
        routes.Match(headers=(routes.ValueMatch(MARK, "exact", "1"),)),
        routes.DirectResponse(200),
        response_headers=routes.HeaderChanges(set=(("x-load", text),)),
    )


def _marked(host: VirtualHost, mark: Route) -> VirtualHost:
    """The same with one more route, the first."""
    found = (mark, *host.routes)
    by_path = tree([each.path for each in found])
    return msgspec.structs.replace(host, routes=found, shape=digest(host.shape, mark.template), tree=by_path)


def _everything(outputs: Outputs, gateway: Key, number: str) -> Update:
    hosts = {}
    for (owner, configuration, listener, hostname), _ in outputs.routing.hosts.items():
        if owner == gateway:
            key = configuration, names.virtual_host(listener, hostname)
            host = outputs.hosts.get((gateway, *key))
            assert host is not None
            hosts[key] = _marked(host, _mark(f"{number} {hostname}"))
    return Update(
        resources={key[1:]: each for key, each in outputs.resources.items() if key[0] == gateway},
        hosts=hosts,
        weights={key[1]: each for key, each in outputs.weights.items() if key[0] == gateway},
        route_configurations=frozenset(key[1] for key, _ in outputs.configurations.items() if key[0] == gateway),
    )


class LoadedCase:
    """Serves one golden case at a time by one Envoy: a case stays loaded until another is needed."""

    def __init__(self, harness: EnvoyHarness) -> None:
        self.harness = harness
        self._case: Case | None = None
        self._outputs: Outputs
        self._gateway: Key | None = None

    def load(self, path: Path, expectation: Expectation) -> Case:
        """The case with addresses of the harness; its Gateway that the expectation is about is loaded in Envoy."""
        case = self._case
        if case is None or case.path != path:
            self._case = self._gateway = None
            case = read(path, self.harness.addresses())
            self._outputs = running(case).outputs
            self.harness.serve(case.backends)
            self._case = case
        if self._gateway != case.gateway(expectation):
            self._gateway = None
            self.harness.load(self._outputs, case.gateway(expectation), case.head.get("probers"))
            self._gateway = case.gateway(expectation)
        return case


# Requests.


def real_port(number: int) -> int:
    """Ports below 1024 are moved, as where they may not be bound."""
    return number + PORT_OFFSET if number < 1024 else number


def asks(
    address: str,
    request: Request,
    times: int,
    *,
    secure: bool | None = None,
    client: Mapping[str, Any] | None = None,
) -> list[Response]:
    """The same request several times, on one connection; with TLS if it names a server, or if `secure` says so.
    `client` is the certificate that is shown (`pki.asking`).
    """
    try:
        with contextlib.closing(_connect(address, request, secure, client)) as connection:
            return [_ask(connection, request) for _ in range(times)]
    except (OSError, http.client.HTTPException):
        return [Response(None)] * times


def _connect(
    address: str, request: Request, secure: bool | None, client: Mapping[str, Any] | None
) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(address, real_port(request.port), timeout=5)
    connection.connect()
    if request.sni is not None if secure is None else secure:
        connection.sock = pki.asking(client).wrap_socket(connection.sock, server_hostname=request.sni)
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _ask(connection: http.client.HTTPConnection, request: Request) -> Response:
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in (("host", request.host), *request.headers):
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    seen = json.loads(body) if headers.get("content-type") == "application/json" else None
    return Response(response.status, headers, seen, _certificate(connection))


def _certificate(connection: http.client.HTTPConnection) -> tuple[str, ...]:
    return names_shown(connection.sock) if isinstance(connection.sock, ssl.SSLSocket) else ()


def names_shown(connection: ssl.SSLSocket) -> tuple[str, ...]:
    """The names of the certificate that a client was shown."""
    der = connection.getpeercert(binary_form=True)
    return tls.names_of(x509.load_der_x509_certificate(der)) if der else ()


def tally(answers: Iterable[Response], backends: Iterable[Backend]) -> Counter[str]:
    """How often who answered: Service ports, statuses of the Gateway's own, `closed`."""
    services = {each.address: each.service for each in backends}

    def who(answer: Response) -> str:
        if answer.status is None:
            return "closed"
        return services[answer.backend] if answer.backend and answer.status == 200 else str(answer.status)

    return Counter(map(who, answers))
