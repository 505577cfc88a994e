"""Where requests go, beyond what the golden cases ask."""

from __future__ import annotations

import pytest

from golden import cases as golden
from headgate.api.meta import Key
from headgate.ir.http import Request
from headgate.simulate import ask, explain
from headgate.simulate.requests import normalize_path

GATEWAY = Key("shop", "shared")


def case(name: str) -> golden.Running:
    return golden.running(golden.read(golden.FOLDER / "serve" / f"{name}.in.yaml"))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("/a/..", "/"),
        ("/../../a", "/a"),
        ("/a/%2e%2E/b", "/b"),
        ("/a\\..\\b", "/b"),
        ("/a.b/c", "/a.b/c"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a/../b?q=/../x", "/b?q=/../x"),
    ],
)
def test_dot_segments_are_taken_out_of_the_path_and_not_of_the_query(target: str, path: str) -> None:
    assert normalize_path(Request(host="h", target=target)).target == path


def test_a_port_without_a_listener_refuses_the_connection() -> None:
    outcome = ask(case("weights").outputs.routing, GATEWAY, Request(host="split.example.com", port=81))
    assert outcome.listener is None
    assert "no valid listener on port 81" in outcome.reason


def test_an_own_answer_says_why() -> None:
    outcome = ask(case("weights").outputs.routing, GATEWAY, Request(host="nothing.example.com"))
    assert outcome.reason == "spec.rules[0].backendRefs: all weights are 0"


def test_the_shares_of_a_rule_are_its_weights() -> None:
    outcome = ask(case("weights").outputs.routing, GATEWAY, Request(host="split.example.com"))
    assert [(share.backend, share.weight) for share in outcome.shares] == [("shop/web:80", 70), ("shop/canary:80", 30)]


def test_losers_are_told_the_step_of_precedence_that_decided() -> None:
    found = explain(case("precedence").outputs.routing, GATEWAY, Request(host="p.example.com", target="/a/b"))
    reasons = {str(loser.origin): loser.reason for loser in found.rejected}
    assert reasons["HTTPRoute shop/by-match rules[4].matches[0]"] == (
        "matches too, but an exact path comes first, then a regular expression, then a prefix:"
        " HTTPRoute shop/by-match rules[5].matches[0]"
    )
    assert reasons["HTTPRoute shop/a-newer rules[0].matches[0]"] == "path /a/b is not PathPrefix /age"


def test_routes_of_another_listener_are_told_whose_request_it_is() -> None:
    found = explain(case("listener-isolation").outputs.routing, GATEWAY, Request(host="bar.example.com", target="/any"))
    reasons = {loser.origin.route.name: loser.reason for loser in found.rejected}
    assert reasons["any"] == "is on listener 'any', and 'wide' is the one for bar.example.com"
