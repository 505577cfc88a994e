"""Certificates and authorities that come, change and go under a real Envoy that serves."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded

from golden import cases, harness, pki
from golden.live_gateway import LiveGateway
from headgate.api import core
from headgate.api.meta import Key, ObjectMeta
from support.manifests import decode_manifest
from support.waiting import until

T = TypeVar("T")

BACKENDS = core.ConfigMap(metadata=ObjectMeta(namespace="shop", name="backends"))

HEAD = """
services:
  - {name: "shop/web:443", secured: {authority: backends, names: [abc.example.com], clients: gateways}}
  - shop/plain:80
certificates:
  shop/first: {authority: servers, names: [first.example.com]}
  shop/second: {authority: servers, names: [second.example.com]}
  shop/client: {authority: gateways, names: [gateway.example.com]}
authorities:
  shop/backends: backends
  shop/clients: clients
"""
WORLD = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: shop, generation: 1}
spec:
  gatewayClassName: headgate
  tls:
    backend: {clientCertificateRef: {name: client}}
    frontend:
      default: {}
      perPort:
      - {port: 8443, tls: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: clients}]}}}
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: first, port: 443, protocol: HTTPS, hostname: first.example.com, tls: {certificateRefs: [{name: first}]}}
  - {name: second, port: 443, protocol: HTTPS, hostname: second.example.com, tls: {certificateRefs: [{name: second}]}}
  - {name: asks, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: first}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop, uid: 11111111-0000, generation: 1}
spec:
  parentRefs: [{name: gate}]
  rules:
  - {matches: [{path: {value: /secured}}], backendRefs: [{name: web, port: 443}]}
  - {backendRefs: [{name: plain, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: web, namespace: shop, generation: 1, creationTimestamp: "2026-01-02T00:00:00Z"}
spec:
  targetRefs: [{group: "", kind: Service, name: web}]
  validation:
    hostname: abc.example.com
    caCertificateRefs: [{group: "", kind: ConfigMap, name: backends}]
"""
GRANT = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: gateways, namespace: certs}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop}]
  to: [{group: "", kind: ConfigMap, name: granted}, {group: "", kind: Secret, name: of}]
"""
POLICY = Key("shop", "web")
SECURED = "http://first.example.com/secured"
PLAIN = "http://first.example.com/plain"
ASKS = "https://first.example.com:8443/"
ALICE = {"authority": "clients", "names": ["alice"]}
BOB = {"authority": "partners", "names": ["bob"]}


@pytest.fixture
def live(envoy_harness: harness.EnvoyHarness, tmp_path: Path) -> Iterator[LiveGateway]:
    path = tmp_path / "world.in.yaml"
    path.write_text(HEAD + WORLD)
    found = LiveGateway(envoy_harness, path)
    found.awaits(PLAIN, 200)
    found.awaits(SECURED, 200)
    found.awaits("https://first.example.com/", 200)
    found.awaits("https://second.example.com/", 200)
    found.awaits(ASKS, 200, ALICE)
    yield found
    found.end()
    until(lambda: found.ask(PLAIN).status is None, what="everything is gone")


def authorities(name: str, *signers: str) -> core.ConfigMap:
    """A ConfigMap with the certificates of these."""
    data = {"ca.crt": "".join(map(pki.authority_pem, signers))}
    return core.ConfigMap(metadata=ObjectMeta(namespace="shop", name=name), data=data)


def test_a_backend_is_trusted_exactly_as_long_as_its_ca_certificate_is_there(live: LiveGateway) -> None:
    good = ("True", "Accepted"), ("True", "ResolvedRefs")
    bad = ("False", "NoValidCACertificate"), ("False", "InvalidCACertificateRef")
    for config_map, status, told in (
        (None, 503, bad),
        (authorities("backends", "backends"), 200, good),
        (BACKENDS, 503, bad),
        (authorities("backends", "strangers"), 503, good),
        (authorities("backends", "strangers", "backends"), 200, good),
    ):
        live.delete(BACKENDS) if config_map is None else live.put(config_map)
        live.awaits(SECURED, status)
        assert (live.policy(POLICY)["Accepted"], live.policy(POLICY)["ResolvedRefs"]) == told
        assert live.ask(PLAIN).status == 200


def test_the_system_vouches_for_whom_its_file_names(live: LiveGateway, tmp_path: Path) -> None:
    policy = WORLD.rpartition("---\n")[2]
    references = 'caCertificateRefs: [{group: "", kind: ConfigMap, name: backends}]'
    live.put(policy.replace(references, "wellKnownCACertificates: System"))
    live.awaits(SECURED, 503)
    file = tmp_path / "authorities.pem"
    file.write_text(pki.authority_pem("strangers") + pki.authority_pem("backends"))
    live.bind(Key("shop", "gate"), str(file))
    live.put(policy.replace(references, "wellKnownCACertificates: System"))
    live.awaits(SECURED, 200)


def test_not_a_byte_reaches_a_backend_whose_policy_is_broken(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    address = live.case.backends[0].address
    envoy_harness.serve([each for each in live.case.backends if each.address != address])
    with socket.create_server((address, 8080)) as listening:
        listening.settimeout(0.2)
        live.delete(BACKENDS)
        live.awaits(SECURED, 503)
        with contextlib.suppress(TimeoutError):
            while True:  # connections from before the authority went
                listening.accept()[0].close()
        for _ in range(20):
            assert live.ask(SECURED).status == 503
        with pytest.raises(TimeoutError):
            listening.accept()


def test_authorities_of_a_backend_change_and_no_request_is_lost(live: LiveGateway) -> None:
    with live.traffic(SECURED) as statuses:
        for signers in (("strangers", "backends"), ("backends",), ("backends", "partners"), ("backends",)):
            before = len(statuses)
            live.put(authorities("backends", *signers))
            until(lambda before=before: len(statuses) > before + 20)  # type: ignore[misc]
    assert set(statuses) == {200}


def test_the_certificate_for_backends_changes_and_no_request_is_lost(live: LiveGateway) -> None:
    with live.traffic(SECURED) as statuses:
        live.put(cases.secret("shop/client", {"authority": "gateways", "names": ["renewed.example.com"]}))
        until(lambda: len(statuses) > 40)
    assert set(statuses) == {200}


def test_a_policy_that_comes_and_changes_its_name_is_followed(live: LiveGateway) -> None:
    policy = WORLD.rpartition("---\n")[2]
    live.put(policy.replace("hostname: abc", "hostname: xyz"))
    live.awaits(SECURED, 503)
    names = "hostname: xyz.example.com\n    subjectAltNames: [{type: Hostname, hostname: abc.example.com}]"
    live.put(policy.replace("hostname: abc.example.com", names))
    assert live.awaits(SECURED, 200).saw(":sni") == "xyz.example.com"
    live.put(policy)
    until(lambda: live.ask(SECURED).saw(":sni") == "abc.example.com")


def test_a_policy_changes_and_no_request_is_lost(live: LiveGateway) -> None:
    policy = WORLD.rpartition("---\n")[2]
    names = "hostname: {}.example.com\n    subjectAltNames: [{{type: Hostname, hostname: abc.example.com}}]"
    with live.traffic(SECURED) as statuses:
        for server_name in ("one", "two", "three", "four", "five"):
            live.put(policy.replace("hostname: abc.example.com", names.format(server_name)))
            wanted = f"{server_name}.example.com"
            until(lambda wanted=wanted: live.ask(SECURED).saw(":sni") == wanted)  # type: ignore[misc]
    assert set(statuses) == {200}


def test_a_renewed_certificate_is_shown_and_no_request_is_lost(live: LiveGateway) -> None:
    url = "https://first.example.com/"
    with live.traffic(url) as statuses:
        for renewed in ("first.example.com", "other.example.com", "first.example.com"):
            renewal = {"authority": "servers", "names": [renewed, f"renewed-{renewed}"]}
            live.put(cases.secret("shop/first", renewal))
            wanted = (renewed, f"renewed-{renewed}")
            until(lambda wanted=wanted: live.ask(url).certificate == wanted)  # type: ignore[misc]
    assert set(statuses) == {200}


def test_a_broken_renewal_closes_its_listener_only_and_a_good_one_opens_it_again(live: LiveGateway) -> None:
    broken = core.Secret(metadata=ObjectMeta(namespace="shop", name="first"), type="kubernetes.io/tls")
    with live.traffic("https://second.example.com/") as statuses:
        live.put(broken)
        live.awaits("https://first.example.com/", None)
        live.put(cases.secret("shop/first", {"authority": "servers", "names": ["first.example.com"]}))
        live.awaits("https://first.example.com/", 200)
    assert set(statuses) == {200}


def test_authorities_of_clients_change_and_no_request_is_lost(live: LiveGateway) -> None:
    with live.traffic(ASKS, ALICE) as statuses:
        assert live.ask(ASKS, BOB).status is None
        live.put(authorities("clients", "clients", "partners"))
        live.awaits(ASKS, 200, BOB)
        live.put(authorities("clients", "clients"))
        live.awaits(ASKS, None, BOB)
    assert set(statuses) == {200}


def test_without_authorities_no_client_is_let_in_and_other_ports_serve(live: LiveGateway) -> None:
    with live.traffic("https://second.example.com/") as statuses:
        live.delete(authorities("clients"))
        live.awaits(ASKS, None, ALICE)
        assert live.ask(ASKS).status is None
        live.put(authorities("clients", "clients"))
        live.awaits(ASKS, 200, ALICE)
        assert live.ask(ASKS).status is None
    assert set(statuses) == {200}


def test_what_a_grant_allowed_ends_with_it(live: LiveGateway) -> None:
    gateway = WORLD.split("---\n")[1].replace("name: clients", "name: granted, namespace: certs")
    gateway = gateway.replace(
        "clientCertificateRef: {name: client}", "clientCertificateRef: {name: of, namespace: certs}"
    )
    certificate = {"authority": "gateways", "names": ["granted.example.com"]}
    live.put(GRANT, gateway.replace("generation: 1", "generation: 2"))
    live.put(cases.secret("certs/of", certificate), cases.config_map("certs/granted", "partners"))
    live.awaits(ASKS, 200, BOB)
    until(lambda: live.ask(SECURED).saw(":client") == "granted.example.com")
    live.delete(decode_manifest(yaml.safe_load(GRANT)))
    live.awaits(ASKS, None, BOB)
    live.awaits(SECURED, 503)
    assert live.ask("https://second.example.com/").status == 200


def test_a_client_chooses_between_rsa_and_ecdsa(live: LiveGateway) -> None:
    gateway = WORLD.split("---\n")[1].replace("[{name: first}]", "[{name: first}, {name: rsa}]", 1)
    rsa = {"authority": "servers", "names": ["first.example.com", "rsa.example.com"], "kind": "rsa"}
    live.put(cases.secret("shop/rsa", rsa), gateway.replace("generation: 1", "generation: 2"))
    until(lambda: _shown(live, "ECDHE-RSA-AES128-GCM-SHA256") == ("first.example.com", "rsa.example.com"))
    assert _shown(live, "ECDHE-ECDSA-AES128-GCM-SHA256") == ("first.example.com",)


def test_an_expired_certificate_is_shown(live: LiveGateway) -> None:
    pair = pki.issue("servers", ("expired.example.com",), days=(-30, -1))
    live.put(cases.tls_secret("shop/first", pair))
    until(lambda: live.ask("https://first.example.com/").certificate == ("expired.example.com",))
    assert live.ask("https://first.example.com/").status == 200


def test_requests_for_another_listener_are_misdirected_on_a_connection_that_serves_on(live: LiveGateway) -> None:
    hosts = ["first.example.com", "second.example.com", "unknown.example.com", "first.example.com"]
    assert _on_one_connection(live, "first.example.com", hosts) == [200, 421, 404, 200]


def _shown(live: LiveGateway, cipher: str) -> tuple[str, ...]:
    """The certificate that a client gets who can do nothing but this."""
    context = pki.asking(None)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    return _connected(live, context, "first.example.com", harness.names_shown)


def _on_one_connection(live: LiveGateway, server_name: str, hosts: list[str]) -> list[int]:
    """Statuses of HTTP/2 requests, one after the other, on one connection."""
    context = pki.asking(None)
    context.set_alpn_protocols(["h2"])

    def ask(connection: ssl.SSLSocket) -> list[int]:
        client = H2Connection(H2Configuration(header_encoding="utf-8"))
        client.initiate_connection()
        return [_status(client, connection, host) for host in hosts]

    return _connected(live, context, server_name, ask)


def _status(client: H2Connection, connection: ssl.SSLSocket, host: str) -> int:
    headers = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/")]
    client.send_headers(client.get_next_available_stream_id(), headers, end_stream=True)
    status = 0
    while True:
        connection.sendall(client.data_to_send())
        for event in client.receive_data(connection.recv(65536)):
            if isinstance(event, ResponseReceived):
                status = next(int(value) for name, value in event.headers or () if str(name) == ":status")
            elif isinstance(event, StreamEnded):
                return status


def _connected(live: LiveGateway, context: ssl.SSLContext, server_name: str, work: Callable[[ssl.SSLSocket], T]) -> T:
    port = harness.real_port(443)
    with (
        socket.create_connection((live.address, port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=server_name) as connection,
    ):
        return work(connection)
