"""Part of the Gateway scenario: mirrored traffic, a rewritten prefix, and a redirect from HTTP to HTTPS.

A module runs `FilterScenarioTests` by a subclass and a fixture `scenario`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator

import httpx
import pytest

from headgate.traffic import Load, Plan, Request, Tally, Target
from support import scenario_manifests as manifests
from support.gateway_scenario import INFRA, TEAM, GatewayScenario
from support.insecure_tls import insecure_context
from support.waiting import until

MIRRORED = f"mirrored.{manifests.DOMAIN}"
PLAIN = f"plain.{manifests.DOMAIN}"
LEGACY = f"legacy.{manifests.DOMAIN}"
SECURE = f"secure.{manifests.DOMAIN}"
SHADOW = "shop-shadow"
DELAY = 5.0

MIRROR = f"""
    - filters:
        - type: RequestMirror
          requestMirror:
            backendRef:
              name: {SHADOW}
              port: 8080
      backendRefs:
        - name: shop-stable
          port: 8080
"""

STRIP = """
    - matches:
        - path:
            type: PathPrefix
            value: /legacy
      filters:
        - type: URLRewrite
          urlRewrite:
            path:
              type: ReplacePrefixMatch
              replacePrefixMatch: /
      backendRefs:
        - name: shop-stable
          port: 8080
"""

TO_HTTPS = """
    - filters:
        - type: RequestRedirect
          requestRedirect:
            scheme: https
            statusCode: 301
"""

HTTP_LISTENER = {
    "name": "http",
    "protocol": "HTTP",
    "port": 80,
    "hostname": f"*.{manifests.DOMAIN}",
    "allowedRoutes": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"gateway-access": "true"}}}},
}


class FilterScenarioTests:
    """The claims of the filters."""

    @pytest.fixture(scope="class")
    @classmethod
    def served(cls, scenario: GatewayScenario) -> Iterator[GatewayScenario]:
        """The Gateway has a plain listener as well; the routes of the filters serve."""
        scenario.kubectl.apply(manifests.application(SHADOW, TEAM, "2.0.0", ERROR_RATE="1", LATENCY=f"{DELAY:g}s"))
        scenario.kubectl("-n", TEAM, "rollout", "status", f"deployment/{SHADOW}", "--timeout=60s", timeout=90)
        patch = json.dumps([{"op": "add", "path": "/spec/listeners/-", "value": HTTP_LISTENER}])
        scenario.kubectl("-n", INFRA, "patch", "gateway", "shared-gateway", "--type=json", f"-p={patch}")
        https, http = "sectionName: https", "sectionName: http"
        scenario.apply_route("mirrored", MIRRORED, MIRROR, parent=https)
        scenario.apply_route("unmirrored", PLAIN, manifests.to("shop-stable", 8080), parent=https)
        scenario.apply_route("legacy", LEGACY, STRIP, parent=https)
        scenario.apply_route("secure", SECURE, manifests.to("shop-stable", 8080), parent=https)
        scenario.apply_route("to-https", SECURE, TO_HTTPS, parent=http)
        for host in (MIRRORED, PLAIN, SECURE):
            until(lambda host=host: scenario.status(host) == 200, what=f"{host} serves")  # type: ignore[misc]
        until(lambda: scenario.status(LEGACY, "/legacy/") == 200, what=f"{LEGACY} serves")
        yield scenario
        scenario.kubectl("-n", TEAM, "delete", "httproute", "mirrored", "unmirrored", "legacy", "secure", "to-https")
        scenario.kubectl("-n", TEAM, "delete", "deployment,service", SHADOW)
        scenario.kubectl.apply(manifests.shared_gateway(scenario.class_name))
        until(lambda: "http=" not in scenario.attached(), what="the plain listener is gone")

    def test_every_request_reaches_the_mirror_once_and_none_waits_for_it(self, served: GatewayScenario) -> None:
        before = mirrored(served)
        asked = ask(served, MIRRORED)
        assert asked.all.statuses == {200: asked.all.sent}
        assert (asked.all.latency.quantile(0.99) or DELAY) < DELAY / 2
        until(lambda: mirrored(served) - before >= asked.all.sent, what="all copies have been answered")
        assert mirrored(served) - before == asked.all.sent

    def test_the_answers_are_those_of_the_backend_as_without_a_mirror(self, served: GatewayScenario) -> None:
        assert set(ask(served, MIRRORED).groups) == set(ask(served, PLAIN).groups) == {"shop-stable 1.0.0"}

    @pytest.mark.parametrize(
        ("path", "seen"),
        [("/legacy", "/"), ("/legacy/", "/"), ("/legacy/a/b?c=d", "/a/b?c=d"), ("/legacy/legacy", "/legacy")],
    )
    def test_the_prefix_is_stripped(self, served: GatewayScenario, path: str, seen: str) -> None:
        assert json.loads(served.curl(LEGACY, path))["path"] == seen

    def test_a_path_that_only_begins_like_the_prefix_is_not_stripped(self, served: GatewayScenario) -> None:
        assert served.status(LEGACY, "/legacyx") == 404

    def test_http_leads_to_https_for_good(self, served: GatewayScenario) -> None:
        answer = plain(served, "/a/b?c=d")
        assert (answer.status_code, answer.headers["location"]) == (301, f"https://{SECURE}/a/b?c=d")

    def test_the_way_to_https_is_accepted_without_a_backend(self, served: GatewayScenario) -> None:
        assert served.condition("to-https", "Accepted") == ("True", "Accepted")
        assert served.condition("to-https", "ResolvedRefs") == ("True", "ResolvedRefs")

    def test_https_itself_is_not_redirected(self, served: GatewayScenario) -> None:
        assert served.owner(SECURE) == "shop-stable"

    def test_a_route_of_the_secure_listener_is_not_served_in_plain_text(self, served: GatewayScenario) -> None:
        assert plain(served, "/", host=PLAIN).status_code == 404


def ask(scenario: GatewayScenario, host: str, requests: int = 300) -> Tally:
    """Requests at a steady rate, counted by the line that answers."""
    target = Target(scenario.address, scenario.port, host=host, tls=insecure_context())
    load = Load(target, Plan(rate=100, requests=requests), [Request("/version")])
    tally = Tally(lambda outcome: outcome.body.decode().strip())
    asyncio.run(load.run(tally.add))
    return tally


def mirrored(scenario: GatewayScenario) -> int:
    """How many requests the mirror has answered."""
    pods = scenario.kubectl.json("-n", TEAM, "get", "pods", "-l", f"app={SHADOW}")["items"]
    metrics = httpx.get(f"http://{pods[0]['status']['podIP']}:8080/metrics", trust_env=False).text
    return sum(int(count) for count in re.findall(r"^http_request_duration_seconds_count\S* (\d+)$", metrics, re.M))


def plain(scenario: GatewayScenario, path: str, *, host: str = SECURE) -> httpx.Response:
    """An answer without TLS."""
    port = 10080 if scenario.port == 10443 else 80
    return httpx.get(f"http://{scenario.address}:{port}{path}", headers={"host": host}, trust_env=False)
