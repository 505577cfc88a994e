"""What is wrong with an object is said on it, by field and remedy, and harms nobody else: on a real API, under load."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from headgate.traffic import Target
from support import scenario_manifests
from support.control_plane import ControlPlane
from support.installed import Installed
from support.steady_traffic import SteadyTraffic
from support.waiting import until

NAMESPACE, HOST = "bad-input", "fine.example.com"
GROUP = "gateway.networking.k8s.io/v1"


class Site:
    """A Gateway with an application, that has to serve whatever else happens."""

    def __init__(self, kubernetes: ControlPlane) -> None:
        self.kubernetes = kubernetes

    def kubectl(self, *arguments: str) -> str:
        return self.kubernetes.kubectl("-n", NAMESPACE, *arguments)

    def get(self, kind: str, name: str) -> Any:
        return self.kubernetes.kubectl.json("-n", NAMESPACE, "get", kind, name)

    def apply(self, kind: str, name: str, **fields: Any) -> None:
        meta = {"name": name, "namespace": NAMESPACE}
        api_version = "v1" if kind == "Secret" else GROUP
        manifest = {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields}
        self.kubernetes.kubectl.apply(json.dumps(manifest))

    def gateway(self, name: str, listeners: list[dict[str, Any]], **spec: Any) -> None:
        self.apply("Gateway", name, spec={"gatewayClassName": "headgate", "listeners": listeners, **spec})

    def address(self, name: str = "edge") -> str:
        return str(self.get("gateway", name)["status"]["addresses"][0]["value"])

    def condition(self, kind: str, name: str, type: str, *, listener: str = "") -> tuple[str, str, str]:
        """Status, reason and message of a condition for the object's present generation; else empty."""
        found = self.get(kind, name)
        status = found.get("status", {})
        conditions = status.get("conditions", [])
        if listener:
            named = [each for each in status.get("listeners", ()) if each["name"] == listener]
            conditions = named[0]["conditions"] if named else []
        if kind == "httproute":
            conditions = [each for parent in status.get("parents", ()) for each in parent["conditions"]]
        for each in conditions:
            if each["type"] == type and each["observedGeneration"] == found["metadata"]["generation"]:
                return each["status"], each["reason"], each["message"]
        return "", "", ""

    def said(self, kind: str, name: str, type: str, *wanted: str, listener: str = "") -> str:
        """The message of a condition, once it has this status and reason."""

        def message() -> str:
            status, reason, message = self.condition(kind, name, type, listener=listener)
            return message if (status, reason) == wanted else ""

        return until(message, what=f"{type} {' '.join(wanted)} of {kind} {name} {listener}")

    def serves(self) -> bool:
        return httpx.get(f"http://{self.address()}/", headers={"host": HOST}, trust_env=False).is_success


LISTENER = {"name": "http", "protocol": "HTTP", "port": 80}


@pytest.fixture(scope="module")
def site(installed: Installed, kubernetes: ControlPlane) -> Iterator[Site]:
    kubernetes.kubectl("create", "namespace", NAMESPACE)
    kubernetes.kubectl.apply(scenario_manifests.application("app", NAMESPACE, "1"))
    made = Site(kubernetes)
    made.gateway("edge", [LISTENER])
    route = {"parentRefs": [{"name": "edge"}], "hostnames": [HOST], "rules": [TO_APP]}
    made.apply("HTTPRoute", "app", spec=route)
    made.kubectl("rollout", "status", "deployment/app", "--timeout=60s")
    made.kubectl("wait", "gateway/edge", "--for=condition=Programmed", "--timeout=60s")
    until(made.serves, what="it serves", tolerate=(OSError, httpx.HTTPError))
    yield made
    kubernetes.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


TO_APP = {"backendRefs": [{"name": "app", "port": 8080}]}


@pytest.fixture
def unharmed(site: Site) -> Iterator[SteadyTraffic]:
    """Whatever the test does, every request of others is answered."""
    with SteadyTraffic(Target(site.address(), 80, host=HOST)) as steady:
        yield steady
        steady.more(50)
    assert steady.answers.keys() == {"200"}, steady.answers


TAKEN: dict[str, Any] = {**LISTENER, "name": "taken", "port": 8181}


def test_a_listener_that_envoy_refuses_says_so_itself_and_stops_no_other(site: Site, unharmed: SteadyTraffic) -> None:
    # Somebody else has the port on this address: nothing but the attempt can show it.
    with socket.create_server((site.address(), TAKEN["port"])):
        site.gateway("edge", [LISTENER, TAKEN])
        refused = site.said("gateway", "edge", "Programmed", "False", "Invalid", listener="taken")
        assert refused.startswith("Envoy rejected the listener: ")
        assert "cannot bind" in refused
        assert site.condition("gateway", "edge", "Programmed", listener="http")[0] == "True"
        assert site.condition("gateway", "edge", "Programmed")[0] == "True"
        site.gateway("edge", [LISTENER, TAKEN, {**LISTENER, "name": "free", "port": 8282}])
        site.said("gateway", "edge", "Programmed", "True", "Programmed", listener="free")
        unharmed.more(200)


def test_a_port_that_is_free_again_is_served_without_an_edit(site: Site, unharmed: SteadyTraffic) -> None:
    site.said("gateway", "edge", "Programmed", "True", "Programmed", listener="taken")
    site.gateway("edge", [LISTENER])


def test_a_second_gateway_does_not_get_the_address_of_the_first(site: Site, unharmed: SteadyTraffic) -> None:
    wanted = site.address()
    site.gateway("second", [LISTENER], addresses=[{"type": "IPAddress", "value": wanted}])
    assert wanted in site.said("gateway", "second", "Programmed", "False", "AddressNotUsable")
    unharmed.more(100)
    assert site.address() == wanted
    site.kubectl("delete", "gateway", "second")


def test_a_broken_certificate_leaves_the_other_listeners_alone(site: Site, unharmed: SteadyTraffic) -> None:
    broken = {"tls.crt": "bm90IGEgY2VydGlmaWNhdGU=", "tls.key": "bm90IGEga2V5"}
    site.apply("Secret", "broken", type="kubernetes.io/tls", data=broken)
    tls = {"certificateRefs": [{"name": "broken"}]}
    site.gateway("edge", [LISTENER, {"name": "tls", "protocol": "HTTPS", "port": 443, "tls": tls}])
    said = site.said("gateway", "edge", "ResolvedRefs", "False", "InvalidCertificateRef", listener="tls")
    assert said.startswith(
        "spec.listeners[1].tls.certificateRefs[0]: Secret bad-input/broken: data[tls.crt]: is not a PEM"
    )
    site.gateway("edge", [LISTENER])


def test_a_pattern_that_re2_refuses_is_named_and_other_routes_go_on(site: Site, unharmed: SteadyTraffic) -> None:
    bad = {"matches": [{"path": {"type": "RegularExpression", "value": "/a(?=b)"}}], **TO_APP}
    spec = {"parentRefs": [{"name": "edge"}], "hostnames": ["odd.example.com"], "rules": [bad]}
    site.apply("HTTPRoute", "odd", spec=spec)
    said = site.said("httproute", "odd", "Accepted", "False", "UnsupportedValue")
    assert said.startswith("spec.rules[0].matches[0].path.value: '/a(?=b)' is not a valid RE2 regular expression")
    site.kubectl("delete", "httproute", "odd")
