"""Servers that are asked before a route is chosen (GEP-5224): a real Envoy, and what those servers change."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from envoy.service.auth.v3 import external_auth_pb2 as auth

from golden import authorization, harness
from golden import cases as golden
from golden.authorization import over_grpc, over_http
from golden.cases import Backend, Case
from headgate.api.meta import Key
from headgate.ir.http import Request
from support.waiting import until

GATEWAY = Key("shop", "shared")
WORLD = """
services: [shop/web:80, shop/gold:80, shop/inner:80, {name: "shop/pods:80", endpoints: 3},
  shop/first:80, shop/second:80, shop/calls:80, shop/third:80]
certificates:
  shop/guarded: [guarded.example.com]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shared, namespace: shop, generation: 1}
spec:
  gatewayClassName: headgate
  listeners:
  - {name: open, port: 80, protocol: HTTP}
  - name: guarded
    port: 80
    protocol: HTTP
    hostname: "*.guarded.example.com"
    filters:
      requests:
      - type: ExternalAuth
        externalAuth: {protocol: HTTP, backendRef: {name: first, port: 80}, http: {allowedHeaders: [x-team]}}
      - type: ExternalAuth
        externalAuth: {protocol: HTTP, backendRef: {name: second, port: 80}, http: {allowedHeaders: [x-team]}}
  - name: reversed
    port: 80
    protocol: HTTP
    hostname: "*.reversed.example.com"
    filters:
      requests:
      - type: ExternalAuth
        externalAuth: {protocol: HTTP, backendRef: {name: second, port: 80}, http: {allowedHeaders: [x-team]}}
      - type: ExternalAuth
        externalAuth: {protocol: HTTP, backendRef: {name: first, port: 80}, http: {allowedHeaders: [x-team]}}
  - name: calls
    port: 80
    protocol: HTTP
    hostname: "*.calls.example.com"
    filters: {requests: [{type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: calls, port: 80}}}]}
  - name: many
    port: 8080
    protocol: HTTP
    filters:
      requests:
      - {type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: first, port: 80}}}
      - {type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: calls, port: 80}}}
      - {type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: first, port: 80}, http: {path: /again}}}
      - {type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: second, port: 80}}}
  - name: secure
    port: 443
    protocol: HTTPS
    hostname: "guarded.example.com"
    tls: {certificateRefs: [{name: guarded}]}
    filters: {requests: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: first, port: 80}}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop, uid: 11111111-0000, generation: 1}
spec:
  parentRefs: [{name: shared}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /for-teams}, headers: [{name: x-team, value: gold}]}]
    backendRefs: [{name: gold, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /for-teams}, headers: [{name: x-team, value: inner}]}]
    filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: third, port: 80}}}]
    backendRefs: [{name: inner, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /for-teams}, headers: [{name: x-team, value: pods}]}]
    sessionPersistence: {type: Header, header: {name: x-session}}
    backendRefs: [{name: pods, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /web}}]
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /only-posts}, method: POST}]
    backendRefs: [{name: gold, port: 80}]
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """The world in Envoy, without the authorization servers."""
    folder = tmp_path_factory.mktemp("listener-filters")
    path = Path(folder / "world.in.yaml")
    path.write_text(WORLD)
    with harness.EnvoyHarness(folder) as envoy_harness:
        case = golden.read(path, envoy_harness.addresses())
        servers = {name: server(case, name) for name in ("first", "second", "third", "calls")}
        envoy_harness.serve(each for each in case.backends if each not in servers.values())
        with contextlib.ExitStack() as while_it_loads:
            for name in ("first", "second"):
                while_it_loads.enter_context(over_http(servers[name]))
            while_it_loads.enter_context(over_grpc(servers["calls"], lambda _: authorization.yes()))
            envoy_harness.load(golden.running(case).outputs, GATEWAY)
        yield case


def server(case: Case, name: str) -> Backend:
    (found,) = [each for each in case.backends if each.service == f"shop/{name}:80"]
    return found


def ask(case: Case, host: str, target: str, *, port: int = 80, method: str = "GET", **headers: str) -> harness.Response:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    sni = host if port == 443 else None
    request = Request(host=host, target=target, headers=named, port=port, method=method, sni=sni)
    return harness.asks(case.address_of(GATEWAY), request, 1)[0]


def backend(case: Case, answer: harness.Response) -> str | None:
    return next((each.service for each in case.backends if each.address == answer.backend), None)


@contextlib.contextmanager
def calls(case: Case, decide: authorization.Decide) -> Iterator[list[auth.CheckRequest]]:
    """The server of gRPC; yields what it was asked about. Envoy has its connection, not one to the server before."""
    with over_grpc(server(case, "calls"), decide) as asked:
        until(lambda: ask(case, "a.calls.example.com", "/").status != 503, what="Envoy has a connection")
        asked.clear()
        yield asked


def team(name: str) -> dict[str, str]:
    return {"x-team": name}


def test_what_a_server_says_chooses_the_route_and_the_last_one_wins(played: Case) -> None:
    with (
        over_http(server(played, "first"), headers=team("silver")) as first,
        over_http(server(played, "second"), headers=team("gold")) as second,
    ):
        answer = ask(played, "a.guarded.example.com", "/for-teams", x_team="bronze")
        assert (first.headers["x-team"], second.headers["x-team"]) == ("bronze", "silver")
        assert (first.times, second.times) == (1, 1)
        turned = ask(played, "a.reversed.example.com", "/for-teams", x_team="bronze")
        assert (second.headers["x-team"], first.headers["x-team"]) == ("bronze", "gold")
    assert (backend(played, answer), answer.saw("x-team")) == ("shop/gold:80", "gold")
    assert (turned.status, turned.backend) == (404, None)


def test_a_route_that_only_the_request_as_it_came_would_have_is_not_taken(played: Case) -> None:
    with over_http(server(played, "first")), over_http(server(played, "second"), headers=team("none")):
        assert ask(played, "a.guarded.example.com", "/for-teams", x_team="gold").status == 404


def test_a_denial_is_the_answer_and_no_other_server_is_asked(played: Case) -> None:
    for target in ("/web", "/no-route"):
        with over_http(server(played, "first"), 403) as first, over_http(server(played, "second")) as second:
            answer = ask(played, "a.guarded.example.com", target)
        assert (answer.status, answer.backend) == (403, None)
        assert (first.times, second.times) == (1, 0)


def test_requests_without_a_route_or_a_hostname_of_a_route_are_asked_about_as_well(played: Case) -> None:
    with over_http(server(played, "first")) as first, over_http(server(played, "second")):
        assert ask(played, "a.guarded.example.com", "/no-route").status == 404
    assert first.times == 1


def test_a_server_that_is_not_there_lets_nothing_through(played: Case) -> None:
    for host in ("a.guarded.example.com", "a.calls.example.com"):
        answer = ask(played, host, "/web")
        assert (answer.status, answer.backend) == (503, None)
    assert ask(played, "guarded.example.com", "/web", port=443).status == 503


def test_another_listener_of_the_port_asks_no_server(played: Case) -> None:
    answer = ask(played, "shop.example.com", "/web")
    assert (answer.status, backend(played, answer)) == (200, "shop/web:80")


def test_a_listener_of_tls_asks(played: Case) -> None:
    with over_http(server(played, "first"), headers=team("gold")) as first:
        answer = ask(played, "guarded.example.com", "/for-teams", port=443)
    assert (backend(played, answer), first.times) == ("shop/gold:80", 1)


def test_four_are_asked_one_after_the_other_and_the_last_one_may_say_no(played: Case) -> None:
    with (
        over_http(server(played, "first")) as first,
        calls(played, lambda _: authorization.yes()) as called,
    ):
        with over_http(server(played, "second"), 401):
            refused = ask(played, "shop.example.com", "/web", port=8080)
        assert (first.times, first.target, len(called)) == (2, "/again/web", 1)
        with over_http(server(played, "second")):
            let = ask(played, "shop.example.com", "/web", port=8080)
    assert (refused.status, refused.backend) == (401, None)
    assert (let.status, backend(played, let)) == (200, "shop/web:80")


def test_filters_of_the_route_that_was_chosen_are_not_skipped(played: Case) -> None:
    """As the client sent it, the request has another route, or none, without a server."""
    for target in ("/for-teams", "/for-teams/more"):
        with over_http(server(played, "first")), over_http(server(played, "second"), headers=team("inner")):
            assert ask(played, "a.guarded.example.com", target).status == 503
            with over_http(server(played, "third"), 401) as third:
                refused = ask(played, "a.guarded.example.com", target, x_team="gold")
            assert (refused.status, refused.backend, third.times) == (401, None, 1)
            with over_http(server(played, "third")):
                let = ask(played, "a.guarded.example.com", target, x_team="gold")
            assert (let.status, backend(played, let)) == (200, "shop/inner:80")


def test_filters_of_a_route_that_was_not_chosen_are_skipped(played: Case) -> None:
    with over_http(server(played, "first")), over_http(server(played, "second"), headers=team("gold")):
        answer = ask(played, "a.guarded.example.com", "/for-teams", x_team="inner")
    assert (answer.status, backend(played, answer)) == (200, "shop/gold:80")


def test_sessions_of_the_route_that_was_chosen_are_kept(played: Case) -> None:
    with over_http(server(played, "first")), over_http(server(played, "second"), headers=team("pods")):
        first = ask(played, "a.guarded.example.com", "/for-teams")
        mark = first.headers["x-session"]
        found = {ask(played, "a.guarded.example.com", "/for-teams", x_session=mark).backend for _ in range(20)}
    assert found == {first.backend}


@pytest.mark.parametrize("header", ["host", "__authority"])
def test_the_host_stays_whatever_a_server_says(played: Case, header: str) -> None:
    with over_grpc(
        server(played, "calls"), lambda _: authorization.yes(**{header: "evil.example.com", "x_team": "gold"})
    ):
        answer = ask(played, "a.calls.example.com", "/for-teams")
    assert (backend(played, answer), answer.saw("host")) == ("shop/gold:80", "a.calls.example.com")


def test_a_server_of_grpc_may_change_path_and_method(played: Case) -> None:
    def decide(asked: auth.CheckRequest) -> auth.CheckResponse:
        if asked.attributes.request.http.path == "/elsewhere":
            return authorization.yes(__path="/web/there")
        return authorization.yes(__method="POST")

    with calls(played, decide) as asked:
        there = ask(played, "a.calls.example.com", "/elsewhere")
        posted = ask(played, "a.calls.example.com", "/only-posts")
    assert (backend(played, there), there.saw(":path")) == ("shop/web:80", "/web/there")
    assert backend(played, posted) == "shop/gold:80"
    assert len(asked) == 2


def test_a_server_of_grpc_says_no(played: Case) -> None:
    with calls(played, lambda _: authorization.no("go away")):
        answer = ask(played, "a.calls.example.com", "/web")
    assert (answer.status, answer.backend) == (403, None)
