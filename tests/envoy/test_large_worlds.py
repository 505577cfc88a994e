"""The largest objects that the API lets in, on a real Envoy: they are taken, and all of them is served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key, Object
from headgate.ir.http import Request
from support.addresses import loopback_network
from support.manifests import decode_manifest

GATEWAY = Key("shop", "shared")
ROUTES, RULES, HOSTS = 625, 16, 50
ENDPOINTS = 1000
GROUP = "gateway.networking.k8s.io/v1"


def decoded(kind: str, name: str, api_version: str = GROUP, **fields: Any) -> Object:
    meta = {"name": name, "namespace": "shop", "generation": 1, **fields.pop("metadata", {})}
    return decode_manifest({"apiVersion": api_version, "kind": kind, "metadata": meta, **fields})


def gateway(**listener: Any) -> Object:
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP", **listener}]
    return decoded("Gateway", "shared", spec={"gatewayClassName": "headgate", "listeners": listeners})


def route(name: str, hostname: str, rules: list[dict[str, Any]]) -> Object:
    return decoded(
        "HTTPRoute",
        name,
        metadata={"uid": f"uid-{name}"},
        spec={"parentRefs": [{"name": "shared"}], "hostnames": [hostname], "rules": rules},
    )


def service(name: str, addresses: Sequence[str]) -> tuple[list[Object], list[golden.Backend]]:
    """A Service, its EndpointSlice, and who answers there."""
    slice_ = decoded(
        "EndpointSlice",
        f"{name}-1",
        "discovery.k8s.io/v1",
        metadata={"labels": {"kubernetes.io/service-name": name}},
        addressType="IPv4",
        ports=[{"name": "http", "port": 8080}],
        endpoints=[{"addresses": [each]} for each in addresses],
    )
    backends = [golden.Backend(f"shop/{name}:80", each, 8080) for each in addresses]
    return [decoded("Service", name, "v1", spec={"ports": [{"name": "http", "port": 80}]}), slice_], backends


def played(
    envoy_harness: harness.EnvoyHarness,
    addresses: golden.Addresses,
    objects: list[Object],
    backends: list[golden.Backend],
) -> tuple[golden.Case, golden.Running]:
    """These objects in a world, loaded into Envoy."""
    case = golden.Case(
        Path("large.in.yaml"), addresses, {}, (golden.gateway_class(), gateway(), *objects), tuple(backends)
    )
    made = golden.running(case)
    envoy_harness.serve(backends)
    envoy_harness.load(made.outputs, GATEWAY)
    return case, made


def test_ten_thousand_rules_of_one_gateway_are_all_served(envoy_harness: harness.EnvoyHarness) -> None:
    addresses = envoy_harness.addresses()
    names = ("even", "odd")
    objects, backends = [], []
    for at, name in enumerate(names):
        made_objects, made_backends = service(name, [str(addresses.backends[at + 1])])
        objects += made_objects
        backends += made_backends
    for number in range(ROUTES):
        rules = [
            {
                "matches": [{"path": {"value": f"/{number}/{rule}"}}],
                "backendRefs": [{"name": names[rule % 2], "port": 80}],
            }
            for rule in range(RULES)
        ]
        objects.append(route(f"r{number}", f"h{number % HOSTS}.example.com", rules))
    case, made = played(envoy_harness, addresses, objects, backends)
    for number in (0, 1, ROUTES // 2, ROUTES - 1):
        for rule in (0, RULES - 1):
            request = Request(host=f"h{number % HOSTS}.example.com", target=f"/{number}/{rule}/x", port=80)
            found = harness.tally(harness.asks(case.address_of(GATEWAY), request, 1), backends)
            assert found == {f"shop/{names[rule % 2]}:80": 1}, request
    status = made.outputs.gateway_statuses.get(GATEWAY)
    assert status is not None
    assert status.listeners[0].attached_routes == ROUTES


def test_every_one_of_a_thousand_endpoints_gets_requests(envoy_harness: harness.EnvoyHarness) -> None:
    network = loopback_network()
    objects, backends = service("wide", [str(network[at + 1]) for at in range(ENDPOINTS)])
    objects.append(route("all", "wide.example.com", [{"backendRefs": [{"name": "wide", "port": 80}]}]))
    case, _ = played(envoy_harness, envoy_harness.addresses(), objects, backends)
    request = Request(host="wide.example.com", target="/", port=80)
    answers = harness.asks(case.address_of(GATEWAY), request, 8 * ENDPOINTS)
    assert Counter(each.status for each in answers) == {200: 8 * ENDPOINTS}
    # At random each of them is left out once in 3,000 runs; six of them, once in a million.
    assert len({each.backend for each in answers}) > ENDPOINTS - 6
