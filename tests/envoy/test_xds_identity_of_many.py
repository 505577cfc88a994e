"""Many Gateways in many namespaces on one server: each Envoy gets the resources of its own Gateway only."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from golden import cases as golden
from headgate import pki
from headgate.api import tls
from headgate.api.meta import Key
from headgate.envoy import listeners, names, routes, secrets
from headgate.envoy.discovery import METHOD, SERVICE
from headgate.envoy.resources import Resource
from headgate.xds.desired import Update
from headgate.xds.facts import Connected, Disconnected
from support.addresses import loopback_network
from support.envoys import Envoy
from support.waiting import until
from support.xds import ControlPlane
from support.xds_client import ask

GATEWAYS = 8
PORT = 8443


@dataclass
class Tenant:
    """A Gateway with a certificate and a route of its own, and its Envoy."""

    key: Key
    address: str
    folder: Path
    envoy: Envoy

    @property
    def secret(self) -> str:
        """The name of the secret with its certificate."""
        return f"{self.key.namespace}/tls"

    @property
    def host(self) -> str:
        """The hostname of its certificate."""
        return f"{self.key.namespace}.example"

    def update(self) -> Update:
        """All resources of this Gateway."""
        pair = tls.of_secret(golden.secret(self.secret, (self.host,)))
        chain = listeners.FilterChain("all", "http", (self.host,), (self.secret,))
        made: Sequence[Resource] = (
            secrets.tls_certificate(self.secret, pair.certificate, pair.key),
            listeners.listener(f"l-{self.key.namespace}", self.address, PORT, [chain]),
        )
        answer = routes.route(self.host, routes.Match(), routes.DirectResponse(200))
        return Update(
            resources={(each.type_url, each.name): each for each in made},
            hosts={("http", self.host): routes.virtual_host(self.host, [self.host], [answer])},
            route_configurations=frozenset({"http"}),
        )


@dataclass
class Town:
    """All Gateways, on one server."""

    plane: ControlPlane
    tenants: list[Tenant]

    @property
    def server(self) -> str:
        """The address of the server for Envoys, HOST:PORT."""
        return f"127.0.0.1:{self.plane.port}"

    def arrivals(self) -> Counter[Key]:
        """The number of streams that each Gateway's Envoy opened."""
        return Counter(fact.gateway for fact in list(self.plane.facts) if isinstance(fact, Connected))

    def tell(self) -> None:
        for tenant in self.tenants:
            self.plane.update(tenant.update(), tenant.key)
        self.plane.open()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    network = loopback_network()
    with ControlPlane() as plane, contextlib.ExitStack() as envoys:
        tenants = []
        for number in range(GATEWAYS):
            # One name for all: it is the namespace that tells them apart, and the Envoys give themselves one name too.
            key, folder = Key(f"tenant-{number}", "gate"), tmp_path_factory.mktemp(f"tenant-{number}")
            address = str(network[number + 1])
            envoy = envoys.enter_context(plane.envoy(folder, address, gateway=key, node_id="envoy-0"))
            tenants.append(Tenant(key, address, folder, envoy))
        made = Town(plane, tenants)
        made.tell()
        for tenant in tenants:
            ready = f"l-{tenant.key.namespace}"
            until(lambda ready=ready, of=tenant: ready in of.envoy.admin("/listeners"), running=tenant.envoy)  # type: ignore[misc]
            until(lambda of=tenant: '"version_info"' in of.envoy.admin("/config_dump?resource=dynamic_active_secrets"))  # type: ignore[misc]
        yield made


def test_an_envoy_has_nothing_that_names_another_gateway(town: Town) -> None:
    for tenant in town.tenants:
        dump = tenant.envoy.admin("/config_dump?include_eds")
        assert {other.key.namespace for other in town.tenants if other.key.namespace in dump} == {tenant.key.namespace}


def test_an_envoy_has_the_one_certificate_of_its_gateway(town: Town) -> None:
    for tenant in town.tenants:
        certificates = tenant.envoy.admin("/certs")
        assert [each.host for each in town.tenants if each.host in certificates] == [tenant.host]


def test_a_stream_that_asks_for_another_gateways_secret_by_name_is_not_given_it(town: Town) -> None:
    mine, other = town.tenants[:2]
    certified = pki.issue_client(town.plane.authority, pki.spiffe_id(mine.key), time.time())
    heard = ask(town.server, certified, [other.secret, f"l-{other.key.namespace}"], node_id="tenant-1/gate")
    assert mine.secret in heard
    assert other.key.namespace not in heard


def test_a_stream_of_a_gateway_that_does_not_exist_is_given_nothing(town: Town) -> None:
    certified = pki.issue_client(town.plane.authority, pki.spiffe_id(Key("tenant-1", "other")), time.time())
    assert ask(town.server, certified, [each.secret for each in town.tenants], node_id="envoy-0") == ""


def test_a_client_without_a_certificate_gets_no_connection(town: Town) -> None:
    credentials = grpc.ssl_channel_credentials(town.plane.authority.certificates)
    options = (("grpc.ssl_target_name_override", names.XDS_SERVER),)
    with grpc.secure_channel(f"127.0.0.1:{town.plane.port}", credentials, options) as channel:
        stream = channel.stream_stream(f"/{SERVICE}/{METHOD}")(iter([b""]), timeout=10)
        with pytest.raises(grpc.RpcError) as ended:
            next(stream)
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


def test_renewed_certificates_of_all_envoys_end_no_stream(town: Town) -> None:
    before = {each.key: each.envoy.counter("cluster.headgate_xds.upstream_cx_total") for each in town.tenants}
    town.plane.facts.clear()
    town.plane.certified = pki.issue_server(town.plane.authority, [names.XDS_SERVER], time.time())
    town.plane.call(town.plane.server.renew, town.plane.certified)
    for tenant in town.tenants:
        town.plane.identity(tenant.folder / "certificates", tenant.key)
        serial = f"{serial_number(tenant.folder / 'certificates' / 'tls.crt'):x}"
        until(lambda of=tenant, new=serial: new in of.envoy.admin("/certs"), what="Envoy read its new certificate")  # type: ignore[misc]
    assert not [fact for fact in town.plane.facts if isinstance(fact, Disconnected)]
    assert {each.key: each.envoy.counter("cluster.headgate_xds.upstream_cx_total") for each in town.tenants} == before


def serial_number(file: Path) -> int:
    return x509.load_pem_x509_certificates(file.read_bytes())[0].serial_number


def test_after_a_restart_of_the_server_each_envoy_comes_back_once(town: Town) -> None:
    town.plane.stop()
    town.plane.facts.clear()
    town.plane.start()
    town.tell()
    until(lambda: len(town.arrivals()) == GATEWAYS, what="all Envoys are back")
    before = town.arrivals()
    for tenant in town.tenants:
        moved = Update(resources=listening(tenant, PORT + 1))
        town.plane.update(moved, tenant.key)
        until(lambda of=tenant: f":{PORT + 1}" in of.envoy.admin("/listeners"), what="a change arrives")  # type: ignore[misc]
    assert town.arrivals() == before == Counter({tenant.key: 1 for tenant in town.tenants})


def listening(tenant: Tenant, port: int) -> dict[tuple[str, str], Resource]:
    """One more listener, on another port."""
    found = listeners.listener(f"l-{port}", tenant.address, port, [listeners.FilterChain("all", "http")])
    return {(found.type_url, found.name): found}
