"""Servers that are asked before a request goes on: a real Envoy with the routes of the golden case `external-auth`."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from envoy.service.auth.v3 import external_auth_pb2 as auth

from golden import authorization, harness
from golden import cases as golden
from golden.cases import Backend, Case
from headgate.api.meta import Key

GATEWAY = Key("shop", "shared")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """The case in Envoy, without the authorization server."""
    with harness.EnvoyHarness(tmp_path_factory.mktemp("external-auth")) as envoy_harness:
        case = golden.read(golden.FOLDER / "serve" / "external-auth.in.yaml", envoy_harness.addresses())
        envoy_harness.serve(each for each in case.backends if each.service != "shop/auth:80")
        envoy_harness.load(golden.running(case).outputs, GATEWAY)
        yield case


def server_of(case: Case) -> Backend:
    (found,) = [each for each in case.backends if each.service == "shop/auth:80"]
    return found


def http_server(
    case: Case, status: int = 200, headers: dict[str, str] | None = None
) -> AbstractContextManager[authorization.RecordedCheck]:
    return authorization.over_http(server_of(case), status, headers)


def ask(
    case: Case, host: str, path: str = "/", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], dict[str, Any] | None]:
    """Status, headers and what the backend saw."""
    connection = http.client.HTTPConnection(case.address_of(GATEWAY), harness.real_port(80), timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST" if body else "GET", path, body or None, {"host": host, **named})
    answer = connection.getresponse()
    text = answer.read()
    found = {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return answer.status, found, json.loads(text) if found.get("content-type") == "application/json" else None


def test_a_yes_lets_the_request_go_on_with_what_the_server_added(played: Case) -> None:
    with http_server(played, headers={"X-User": "ann", "X-Other": "1"}) as asked:
        status, _, seen = ask(
            played, "web.example.com", "/page?x=1", x_tier="gold", x_secret="s", authorization="Basic x"
        )
    assert status == 200
    assert asked.target == "/check/page?x=1"
    assert asked.headers["host"] == "web.example.com"
    assert (asked.headers["x-tier"], asked.headers["authorization"]) == ("gold", "Basic x")
    assert "x-secret" not in asked.headers
    assert seen is not None
    backend = dict(seen["headers"])
    assert backend["x-user"] == "ann"
    assert "x-other" not in backend
    assert backend["x-secret"] == "s"


def test_a_header_that_the_client_did_not_send_is_not_sent_to_the_server(played: Case) -> None:
    with http_server(played) as asked:
        assert ask(played, "web.example.com")[0] == 200
    assert "x-tier" not in asked.headers


def test_without_a_list_all_headers_of_the_answer_but_its_own_are_taken_over(played: Case) -> None:
    with http_server(played, headers={"X-User": "ann", "X-Other": "1", "Host": "evil.example.com"}):
        status, _, seen = ask(played, "part.example.com", "/", b"12345")
    assert status == 200
    assert seen is not None
    backend = dict(seen["headers"])
    assert (backend["x-user"], backend["x-other"]) == ("ann", "1")
    assert (backend["host"], backend["content-length"]) == ("part.example.com", "5")


@pytest.mark.parametrize("host", ["web.example.com", "part.example.com"])
def test_any_other_answer_is_a_no(played: Case, host: str) -> None:
    for status in (401, 403, 302, 201):
        with http_server(played, status, {"location": "https://login.example.com/"}):
            found, headers, seen = ask(played, host)
        assert seen is None
        if status != 201:
            assert found == status
        if status == 302:
            assert headers["location"] == "https://login.example.com/"
        assert found != 200


def test_a_server_that_is_not_there_lets_nothing_through(played: Case) -> None:
    for host in ("web.example.com", "part.example.com", "unreachable.example.com", "calls.example.com"):
        status, _, seen = ask(played, host)
        assert (status, seen) == (503, None)


def test_a_body_is_forwarded_up_to_its_limit_and_a_longer_one_is_refused(played: Case) -> None:
    with http_server(played) as asked:
        assert ask(played, "web.example.com", "/", b"sixteen bytes ok")[0] == 200
        assert asked.body == b"sixteen bytes ok"
        assert ask(played, "web.example.com", "/", b"seventeen bytes!!")[0] == 413
        assert ask(played, "part.example.com", "/", b"x" * 5000)[0] == 200
        assert asked.body == b""


def test_a_server_of_grpc_decides_as_well(played: Case) -> None:
    def polite(request: auth.CheckRequest) -> auth.CheckResponse:
        """Says yes to those who say please."""
        said = request.attributes.request.http.headers.get("x-please")
        return authorization.yes(x_user="bob") if said else authorization.no("say please")

    with authorization.over_grpc(server_of(played), polite) as asked:
        yes, _, seen = ask(played, "calls.example.com", "/path", x_please="1")
        no, _, nothing = ask(played, "calls.example.com", "/path")
    assert (yes, no, nothing) == (200, 403, None)
    assert seen is not None
    assert dict(seen["headers"])["x-user"] == "bob"
    assert asked[0].attributes.request.http.path == "/path"
