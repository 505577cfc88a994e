"""A Gateway with ten thousand rules on one host, some of them odd, on a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key, Ref
from headgate.ir.http import Request
from headgate.simulate import ask
from laws import routing_worlds as worlds
from laws.envoy_law import GATEWAY, EnvoyLaw

ROUTES, RULES = 625, 16
#: A rule of this route has a pattern that RE2 refuses, another one a filter that nobody knows.
ODD = 77


def rule(route: int, at: int) -> dict[str, Any]:
    kind = ("Exact", "PathPrefix")[at % 2]
    found: dict[str, Any] = {
        "matches": [{"path": {"type": kind, "value": f"/r{route}/p{at}"}}],
        "backendRefs": [{"name": f"s{at % 3}", "port": 80}],
    }
    if route == ODD and at == 0:
        found["matches"] = [{"path": {"type": "RegularExpression", "value": "/(a"}}]
    if route == ODD and at == 1:
        found["filters"] = [{"type": "Unheard-of"}]
    return found


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EnvoyLaw, golden.Running]]:
    routes = []
    for route in range(ROUTES):
        rules = [rule(route, at) for at in range(RULES)]
        spec = {"parentRefs": [{"name": "g0"}], "hostnames": ["a.example.com"], "rules": rules}
        routes.append(worlds.gateway_api("HTTPRoute", f"r{route}", "one", spec, uid=f"u{route}", generation=1))
    with harness.EnvoyHarness(tmp_path_factory.mktemp("many")) as envoy_harness:
        envoy_law = EnvoyLaw(envoy_harness)
        yield envoy_law, envoy_law.load(routes)


@pytest.mark.parametrize(
    "path",
    ["/r0/p0", "/r0/p0/x", "/r0/p1/x", "/r624/p15/x", "/r624/p14", f"/r{ODD}/p1/x", f"/r{ODD}/p2", "/r9999/p1", "/"],
)
def test_every_request_goes_where_it_should(played: tuple[EnvoyLaw, golden.Running], path: str) -> None:
    envoy_law, made = played
    request = Request(host="a.example.com", target=path)
    outcome = ask(made.outputs.routing, GATEWAY, request)
    wanted = {str(share.status if share.status is not None else share.backend) for share in outcome.shares}
    answers = harness.asks(envoy_law.gateway, request, 1)
    assert harness.tally(answers, envoy_law.backends).keys() == wanted


def test_odd_rules_are_told_on_their_route_and_on_no_other(played: tuple[EnvoyLaw, golden.Running]) -> None:
    _, made = played
    conditions = {
        at: {each.type: each.message for each in entry.conditions}
        for at in (ODD - 1, ODD)
        for entry in made.outputs.route_statuses.get(Ref("HTTPRoute", "one", f"r{at}")) or ()
    }
    assert "PartiallyInvalid" not in conditions[ODD - 1]
    assert "spec.rules[0].matches[0].path.value" in conditions[ODD]["PartiallyInvalid"]
    assert "spec.rules[1].filters[0].type" in conditions[ODD]["PartiallyInvalid"]


def test_all_its_routes_are_counted(played: tuple[EnvoyLaw, golden.Running]) -> None:
    _, made = played
    found = made.outputs.gateway_statuses.get(Key("one", "g0"))
    assert found is not None
    assert {each.attached_routes for each in found.listeners} == {ROUTES}
