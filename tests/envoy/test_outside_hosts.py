"""XBackends that are hosts outside of the cluster, found by DNS, in plain text and with certificates on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from golden import harness
from golden.cases import Backend
from golden.live_gateway import LiveGateway
from support.addresses import free_port
from support.waiting import until

HEAD = """
certificates:
  shop/client: {authority: gateways, names: [gateway.example.com]}
authorities:
  shop/backends: backends
"""
WORLD = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: shop, generation: 1}
spec:
  gatewayClassName: headgate
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: outside, namespace: shop, uid: 11111111-0000, generation: 1}
spec:
  parentRefs: [{name: gate}]
  rules: [{backendRefs: [{group: gateway.networking.x-k8s.io, kind: XBackend, name: outside}]}]
"""
SECURED = {"authority": "backends", "names": ["api.example.com"], "clients": "gateways"}
URL = "http://shop.example.com/"


@pytest.fixture
def live(envoy_harness: harness.EnvoyHarness, tmp_path: Path) -> Iterator[LiveGateway]:
    path = tmp_path / "world.in.yaml"
    path.write_text(HEAD + WORLD)
    found = LiveGateway(envoy_harness, path)
    found.awaits(URL, 500)
    yield found
    found.end()
    until(lambda: found.ask(URL).status is None, what="everything is gone")


def serving(envoy_harness: harness.EnvoyHarness, secured: dict[str, Any] | None = None) -> int:
    """A server on 127.0.0.1; its port."""
    port = free_port()
    envoy_harness.serve([Backend("outside", "127.0.0.1", port, secured=secured)])
    return port


def x_backend(port: int, **more: Any) -> str:
    """The host `localhost` as an XBackend."""
    spec = {"type": "ExternalHostname", "externalHostname": {"hostname": "localhost"}, "port": {"number": port}, **more}
    meta = {"name": "outside", "namespace": "shop", "generation": 1}
    kind = {"apiVersion": "gateway.networking.x-k8s.io/v1alpha1", "kind": "XBackend"}
    return yaml.safe_dump({**kind, "metadata": meta, "spec": spec})


def tls(hostname: str, mode: str = "ClientAndServer") -> dict[str, Any]:
    """How it is secured."""
    validation = {"hostname": hostname, "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "backends"}]}
    shown = {"clientCertificateRef": {"name": "client"}} if mode == "ClientAndServer" else {}
    return {"mode": mode, "validation": validation, **shown}


def test_a_host_outside_of_the_cluster_is_found_by_its_name(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    port = serving(envoy_harness)
    live.put(x_backend(port))
    live.awaits(URL, 200)
    assert live.ask(URL).backend == "127.0.0.1"


def test_both_sides_show_their_certificates_and_a_stranger_gets_nothing(
    live: LiveGateway, envoy_harness: harness.EnvoyHarness
) -> None:
    port = serving(envoy_harness, SECURED)
    live.put(x_backend(port, tls=tls("api.example.com")))
    live.awaits(URL, 200)
    live.put(x_backend(port, tls=tls("other.example.com")))
    live.awaits(URL, 503)
    live.put(x_backend(port, tls=tls("api.example.com", "ServerOnly")))
    live.awaits(URL, 503)
    live.put(x_backend(port, tls=tls("api.example.com")))
    live.awaits(URL, 200)
