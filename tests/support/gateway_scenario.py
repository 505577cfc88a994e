"""A platform team with kubectl and curl: class, shared HTTPS Gateway, routes, weights, conditions.

`GatewayScenario` sets it up on any Kubernetes API that Headgate serves. `GatewayScenarioTests` are the tests; a module
runs them by a subclass and a fixture `scenario`.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import json
import re
import ssl
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headgate.api.gateway import HTTPRoute
from headgate.kube.client import Client
from headgate.traffic import Load, Plan, Request, RequestResult, Tally, Target
from support import scenario_manifests as manifests
from support.insecure_tls import insecure_context
from support.kubectl import Kubectl
from support.waiting import until

INFRA, TEAM = "gateway-infra", "team-shop"


class GatewayScenario:
    """The platform and the shop, applied; questions to ask them."""

    def __init__(self, kubectl: Kubectl, folder: Path, *, controller: str) -> None:
        """`controller` is the controllerName of the class, which the Headgate at hand must serve."""
        self.kubectl = kubectl
        self.folder = folder
        self.controller = controller
        self.class_name = "envoy-gateway"

    # ── set-up ───────────────────────────────────────────────────────────────

    def set_up(self) -> None:
        """Sections 2 to 5: namespaces, class, certificate, Gateway, applications, routes."""
        kubectl = self.kubectl
        kubectl("create", "namespace", INFRA)
        kubectl("create", "namespace", TEAM)
        kubectl("label", "namespace", TEAM, "gateway-access=true")
        kubectl.apply(manifests.gateway_class(self.class_name, self.controller))
        certificate, key = self._certificate()
        kubectl("-n", INFRA, "create", "secret", "tls", "apps-wildcard-tls", f"--cert={certificate}", f"--key={key}")
        kubectl.apply(manifests.shared_gateway(self.class_name))
        for name, tag, port in (
            ("shop-stable", "1.0.0", 8080),
            ("shop-canary", "1.1.0", 8080),
            ("api-v1", "1", 80),
            ("api-v2", "2", 80),
        ):
            kubectl.apply(manifests.application(name, TEAM, tag, port))
        self.apply_route("shop-canary", manifests.SHOP, manifests.weighted(90, 10))
        self.apply_route("api", manifests.API, manifests.BY_PATH_AND_METHOD)
        kubectl("-n", INFRA, "wait", "gateway/shared-gateway", "--for=condition=Programmed", "--timeout=60s")
        for name in ("shop-stable", "shop-canary", "api-v1", "api-v2"):
            kubectl("-n", TEAM, "rollout", "status", f"deployment/{name}", "--timeout=60s", timeout=90)
        until(lambda: self.status(manifests.SHOP) == 200, what="the shop answers through the Gateway")
        until(lambda: self.status(manifests.API) == 200, what="the API answers through the Gateway")

    def apply_route(self, name: str, hostname: str, rules: str, *, namespace: str = TEAM, parent: str = "") -> None:
        self.kubectl.apply(manifests.route(name, namespace, hostname, rules, parent=parent))

    def _certificate(self) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"*.{manifests.DOMAIN}")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"*.{manifests.DOMAIN}")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        files = self.folder / "wildcard.crt", self.folder / "wildcard.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return files

    # ── requests ───────────────────────────────────────────────────────────────

    @functools.cached_property
    def address(self) -> str:
        """The Gateway's address, as the scenario reads it."""
        return self.jsonpath(INFRA, "gateway", "shared-gateway", "{.status.addresses[0].value}")

    @functools.cached_property
    def port(self) -> int:
        """443, or where Programmed says that the port is instead (a user who may not bind low ports)."""
        path = '{.status.conditions[?(@.type=="Programmed")].message}'
        return 10443 if "10443" in self.jsonpath(INFRA, "gateway", "shared-gateway", path) else 443

    def jsonpath(self, namespace: str, kind: str, name: str, path: str) -> str:
        return self.kubectl("-n", namespace, "get", kind, name, "-o", f"jsonpath={path}").strip()

    def condition(self, route: str, type: str, *, namespace: str = TEAM) -> tuple[str, str]:
        """Status and reason of a condition of a route's first parent; empty ones before there is any."""
        found = json.loads(self.kubectl("-n", namespace, "get", "httproute", route, "-o", "json"))
        for parent in found.get("status", {}).get("parents", ()):
            for condition in parent["conditions"]:
                if condition["type"] == type:
                    return condition["status"], condition["reason"]
        return "", ""

    def attached(self) -> str:
        path = '{range .status.listeners[*]}{.name}={.attachedRoutes}{"\\n"}{end}'
        return self.jsonpath(INFRA, "gateway", "shared-gateway", path)

    def curl(self, host: str, path: str = "/version", *arguments: str) -> str:
        """curl with `--resolve`, as the scenario has it; what it prints."""
        resolve = f"{host}:{self.port}:{self.address}"
        command = ["curl", "-sS", "-k", "--noproxy", "*", "--resolve", resolve, *arguments]
        done = subprocess.run(
            [*command, f"https://{host}:{self.port}{path}"], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self, host: str, path: str = "/healthz") -> int:
        return int(self.curl(host, path, "-o", str(self.folder / "body"), "-w", "%{http_code}"))

    def owner(self, host: str, path: str = "/version", *arguments: str) -> str:
        """Which Deployment answered, by the line of /version."""
        return self.curl(host, path, *arguments).split()[0]

    def bundle_version(self) -> str:
        """Which release of the Gateway API the cluster's definitions are of."""
        path = r"jsonpath={.metadata.annotations.gateway\.networking\.k8s\.io/bundle-version}"
        return self.kubectl("get", "crd", "httproutes.gateway.networking.k8s.io", "-o", path)

    # ── traffic ──────────────────────────────────────────────────────────────

    def load(self, plan: Plan, path: str = "/version") -> tuple[Load, Tally]:
        target = Target(self.address, self.port, host=manifests.SHOP, tls=self._trust())
        return Load(target, plan, [Request(path)]), Tally(_owner)

    def shares(self, requests: int) -> Counter[str]:
        """Who answered that many requests; none of them may fail."""
        load, tally = self.load(Plan(rate=1000, requests=requests))
        asyncio.run(load.run(tally.add))
        assert tally.all.failed == 0, (tally.all.statuses, tally.all.failures)
        return Counter({name: counts.sent for name, counts in tally.groups.items()})

    def _trust(self) -> ssl.SSLContext:
        return insecure_context()

    def set_weights(self, stable: int, canary: int) -> None:
        """`kubectl patch --type=json` of the route's weights."""
        patch = json.dumps(weights_patch(stable, canary))
        self.kubectl("-n", TEAM, "patch", "httproute", "shop-canary", "--type=json", f"-p={patch}")

    def settle(self, stable: int, canary: int) -> None:
        """Set weights and wait until they are at work: by way of 100/0, so that a first canary answer shows it."""
        self.set_weights(100, 0)
        until(lambda: set(self.shares(50)) == {"shop-stable"}, what="only stable answers")
        if canary:
            self.set_weights(stable, canary)
            wanted = {"shop-canary"} if not stable else {"shop-canary", "shop-stable"}
            until(lambda: set(self.shares(50)) == wanted, what=f"weights {stable}/{canary} at work")


def weights_patch(stable: int, canary: int) -> list[dict[str, Any]]:
    """The JSON patch of the weights of the route shop-canary."""
    refs = "/spec/rules/0/backendRefs"
    return [
        {"op": "replace", "path": f"{refs}/0/weight", "value": stable},
        {"op": "replace", "path": f"{refs}/1/weight", "value": canary},
    ]


def _owner(outcome: RequestResult) -> str:
    return outcome.body.decode().split(" ")[0]


class GatewayScenarioTests:
    """The scenario's claims. A module that has a fixture `scenario` makes them its own by a subclass."""

    def test_the_class_is_accepted(self, scenario: GatewayScenario) -> None:
        path = '{.status.conditions[?(@.type=="Accepted")].status}{"\\n"}'
        assert scenario.kubectl("get", "gatewayclass", scenario.class_name, "-o", f"jsonpath={path}") == "True\n"

    def test_the_gateway_is_programmed_and_has_an_address(self, scenario: GatewayScenario) -> None:
        path = (
            'Programmed={.status.conditions[?(@.type=="Programmed")].status} addr={.status.addresses[0].value}{"\\n"}'
        )
        said = scenario.kubectl("-n", INFRA, "get", "gateway", "shared-gateway", "-o", f"jsonpath={path}")
        assert re.fullmatch(r"Programmed=True addr=\d+\.\d+\.\d+\.\d+\n", said)

    def test_the_listener_counts_its_attached_routes(self, scenario: GatewayScenario) -> None:
        assert scenario.attached() == "https=2"

    def test_the_route_is_accepted_and_resolved(self, scenario: GatewayScenario) -> None:
        path = (
            '{range .status.parents[*]}Accepted={.conditions[?(@.type=="Accepted")].status} '
            'ResolvedRefs={.conditions[?(@.type=="ResolvedRefs")].status}{"\\n"}{end}'
        )
        said = scenario.kubectl("-n", TEAM, "get", "httproute", "shop-canary", "-o", f"jsonpath={path}")
        assert said == "Accepted=True ResolvedRefs=True\n"

    def test_the_smoke_test_past_dns_answers_200(self, scenario: GatewayScenario) -> None:
        assert scenario.status(manifests.SHOP, "/healthz") == 200

    def test_a_host_without_a_route_answers_404(self, scenario: GatewayScenario) -> None:
        assert scenario.status(f"nobody.{manifests.DOMAIN}") == 404

    def test_twenty_curls_show_both_versions_at_50_50(self, scenario: GatewayScenario) -> None:
        scenario.settle(50, 50)
        lines = Counter(scenario.curl(manifests.SHOP).strip() for _ in range(20))
        assert set(lines) == {"shop-stable 1.0.0", "shop-canary 1.1.0"}  # misses one of them once in 500,000 runs

    def test_weights_90_10_are_realised_within_5_points(self, scenario: GatewayScenario) -> None:
        scenario.settle(90, 10)
        assert abs(scenario.shares(2000)["shop-canary"] / 2000 - 0.1) <= 0.05

    def test_a_json_patch_to_50_50_is_realised_within_5_points(self, scenario: GatewayScenario) -> None:
        scenario.settle(50, 50)
        assert abs(scenario.shares(2000)["shop-canary"] / 2000 - 0.5) <= 0.05

    def test_weights_are_relative_and_no_percentages(self, scenario: GatewayScenario) -> None:
        scenario.settle(900, 100)
        assert abs(scenario.shares(2000)["shop-canary"] / 2000 - 0.1) <= 0.05

    def test_a_json_patch_to_0_100_sends_everything_to_the_canary(self, scenario: GatewayScenario) -> None:
        scenario.settle(0, 100)
        assert scenario.shares(2000) == {"shop-canary": 2000}

    def test_a_backend_of_weight_0_gets_nothing(self, scenario: GatewayScenario) -> None:
        scenario.settle(100, 0)
        assert scenario.shares(2000) == {"shop-stable": 2000}

    async def test_200_patches_under_load_fail_no_request(self, scenario: GatewayScenario) -> None:
        await asyncio.to_thread(scenario.settle, 90, 10)
        load, tally = scenario.load(Plan(rate=200, connections=16))
        answered = asyncio.Event()

        def record(outcome: RequestResult) -> None:
            tally.add(outcome)
            answered.set()

        async with (
            Client.from_kubeconfig(scenario.kubectl.kubeconfig) as client,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(load.run(record))
            for step in range(200):
                # At least seven requests between two patches, whatever the speed of the machine.
                while tally.all.sent < 7 * (step + 1):
                    answered.clear()
                    await answered.wait()
                await client.json_patch(HTTPRoute, "shop-canary", TEAM, weights_patch(100 - step % 101, step % 101))
            load.stop()
        assert tally.all.sent > 1000
        assert (tally.all.failed, dict(tally.all.failures)) == (0, {})

    def test_a_header_opts_in_to_the_canary(self, scenario: GatewayScenario) -> None:
        host = f"header.{manifests.DOMAIN}"
        scenario.apply_route("by-header", host, manifests.BY_HEADER)
        try:
            until(lambda: scenario.status(host) == 200, what="the route by header serves")
            assert scenario.owner(host, "/version", "-H", "x-canary: true") == "shop-canary"
            assert scenario.owner(host, "/version", "-H", "x-canary: false") == "shop-stable"
            assert scenario.owner(host) == "shop-stable"
        finally:
            scenario.kubectl("-n", TEAM, "delete", "httproute", "by-header")

    def test_a_longer_prefix_and_a_method_win_over_a_shorter_prefix(self, scenario: GatewayScenario) -> None:
        pods = {
            (method, path): json.loads(scenario.curl(manifests.API, path, "-X", method))["pod"].rsplit("-", 2)[0]
            for method, path in (("GET", "/v2/items"), ("POST", "/v2/items"), ("GET", "/v22"), ("GET", "/"))
        }
        assert pods == {
            ("GET", "/v2/items"): "api-v2",
            ("POST", "/v2/items"): "api-v1",
            ("GET", "/v22"): "api-v1",
            ("GET", "/"): "api-v1",
        }

    def test_a_route_of_an_unlabelled_namespace_is_not_allowed(self, scenario: GatewayScenario) -> None:
        scenario.kubectl("create", "namespace", "stranger")
        host = f"stranger.{manifests.DOMAIN}"
        try:
            scenario.apply_route("stranger", host, manifests.to("nothing", 80), namespace="stranger")
            refused = ("False", "NotAllowedByListeners")
            until(lambda: scenario.condition("stranger", "Accepted", namespace="stranger") == refused)
            assert scenario.attached() == "https=2"
            assert scenario.status(host) == 404
            said = scenario.kubectl("-n", "stranger", "describe", "httproute", "stranger")
            assert "NotAllowedByListeners" in said
        finally:
            scenario.kubectl("delete", "namespace", "stranger", "--wait=false")

    def test_a_label_lets_the_routes_of_a_namespace_in(self, scenario: GatewayScenario) -> None:
        scenario.kubectl("create", "namespace", "newcomer")
        try:
            host = f"newcomer.{manifests.DOMAIN}"
            scenario.kubectl.apply(manifests.application("app", "newcomer", "1"))
            scenario.apply_route("newcomer", host, manifests.to("app", 8080), namespace="newcomer")
            until(lambda: scenario.condition("newcomer", "Accepted", namespace="newcomer")[0] == "False")
            scenario.kubectl("label", "namespace", "newcomer", "gateway-access=true")
            until(lambda: scenario.condition("newcomer", "Accepted", namespace="newcomer") == ("True", "Accepted"))
            until(lambda: scenario.status(host) == 200, what="the newcomer is served")
        finally:
            # The route first: a namespace's other objects go after its pods, and those take their time.
            scenario.kubectl("-n", "newcomer", "delete", "httproute", "newcomer", "--ignore-not-found")
            scenario.kubectl("delete", "namespace", "newcomer", "--wait=false")
            until(lambda: scenario.attached() == "https=2", what="the newcomer's route is detached")

    def test_a_hostname_outside_of_the_listener_has_no_matching_listener(self, scenario: GatewayScenario) -> None:
        scenario.apply_route("elsewhere", "shop.elsewhere.example.net", manifests.to("shop-stable", 8080))
        try:
            until(lambda: scenario.condition("elsewhere", "Accepted") == ("False", "NoMatchingListenerHostname"))
        finally:
            scenario.kubectl("-n", TEAM, "delete", "httproute", "elsewhere")

    def test_a_section_that_does_not_exist_is_no_matching_parent(self, scenario: GatewayScenario) -> None:
        rules = manifests.to("shop-stable", 8080)
        scenario.apply_route("no-section", f"section.{manifests.DOMAIN}", rules, parent="sectionName: http")
        try:
            until(lambda: scenario.condition("no-section", "Accepted") == ("False", "NoMatchingParent"))
        finally:
            scenario.kubectl("-n", TEAM, "delete", "httproute", "no-section")

    def test_a_service_that_does_not_exist_is_a_backend_not_found(self, scenario: GatewayScenario) -> None:
        host = f"missing.{manifests.DOMAIN}"
        scenario.apply_route("missing", host, manifests.to("no-such-service", 8080))
        try:
            until(lambda: scenario.condition("missing", "ResolvedRefs") == ("False", "BackendNotFound"))
            until(lambda: scenario.status(host) == 500, what="requests to it answer 500")
        finally:
            scenario.kubectl("-n", TEAM, "delete", "httproute", "missing")

    def test_another_namespaces_service_needs_a_reference_grant(self, scenario: GatewayScenario) -> None:
        host = f"across.{manifests.DOMAIN}"
        scenario.kubectl("create", "namespace", "team-stock")
        try:
            scenario.kubectl.apply(manifests.application("stock", "team-stock", "1"))
            scenario.kubectl("-n", "team-stock", "rollout", "status", "deployment/stock", "--timeout=60s", timeout=90)
            scenario.apply_route("across", host, manifests.to("stock", 8080, "team-stock"))
            until(lambda: scenario.condition("across", "ResolvedRefs") == ("False", "RefNotPermitted"))
            until(lambda: scenario.status(host) == 500, what="without the grant requests answer 500")
            scenario.kubectl.apply(manifests.grant("team-stock", TEAM))
            until(lambda: scenario.condition("across", "ResolvedRefs") == ("True", "ResolvedRefs"))
            until(lambda: scenario.status(host) == 200, what="with the grant they are served")
            scenario.kubectl("-n", "team-stock", "delete", "referencegrant", f"routes-of-{TEAM}")
            until(lambda: scenario.condition("across", "ResolvedRefs") == ("False", "RefNotPermitted"))
        finally:
            scenario.kubectl("-n", TEAM, "delete", "httproute", "across", "--ignore-not-found")
            scenario.kubectl("delete", "namespace", "team-stock", "--wait=false")
