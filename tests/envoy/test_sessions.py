"""Sessions on a real Envoy, by the routes of the golden case `sessions`."""

from __future__ import annotations

import http.cookies
from collections import Counter
from collections.abc import Iterator

import pytest

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key
from headgate.ir.http import Request

GATEWAY = Key("shop", "shared")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with harness.EnvoyHarness(tmp_path_factory.mktemp("sessions")) as envoy_harness:
        case = golden.read(golden.FOLDER / "serve" / "sessions.in.yaml", envoy_harness.addresses())
        envoy_harness.serve(case.backends)
        envoy_harness.load(golden.running(case).outputs, GATEWAY)
        yield case.address_of(GATEWAY)


def ask(address: str, host: str, times: int = 1, **headers: str) -> list[harness.Response]:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return harness.asks(address, Request(host=host, headers=named), times)


def cookie(answer: harness.Response) -> http.cookies.Morsel[str]:
    (found,) = http.cookies.SimpleCookie(answer.headers["set-cookie"]).values()
    return found


def test_without_a_mark_endpoints_take_turns_and_with_it_one_gets_all(address: str) -> None:
    assert len({each.backend for each in ask(address, "pods.example.com", 1)}) == 1
    first = ask(address, "header.example.com")[0]
    others = ask(address, "header.example.com", 60)
    assert len({each.backend for each in others}) == 3
    again = ask(address, "header.example.com", 60, x_session=first.headers["x-session"])
    assert {each.backend for each in again} == {first.backend}


def test_marks_of_both_backends_leave_the_weights_as_they_are(address: str) -> None:
    marks: dict[str, str] = {}
    places: dict[str, str | None] = {}
    while len(marks) < 2:
        answer = ask(address, "web.example.com")[0]
        found = cookie(answer)
        marks[found.key], places[found.key] = f"{found.key}={found.value}", answer.backend
    answers = ask(address, "web.example.com", 800, cookie="; ".join(marks.values()))
    counted = Counter(each.backend for each in answers)
    assert set(counted) == set(places.values())
    assert 0.67 < max(counted.values()) / 800 < 0.83


def test_a_cookie_ends_with_the_browser_unless_it_is_permanent(address: str) -> None:
    session, permanent = cookie(ask(address, "pods.example.com")[0]), cookie(ask(address, "policy.example.com")[0])
    assert (session.key, session["path"], session["max-age"]) == ("pods", "/", "")
    assert (permanent.key, permanent["max-age"]) == ("of-the-policy", "86400")


def test_an_endpoint_that_does_not_exist_is_replaced_by_one_that_does(address: str) -> None:
    marked = ask(address, "header.example.com")[0]
    stranger = ask(address, "policy.example.com", 1, cookie="of-the-policy=" + marked.headers["x-session"])
    assert stranger[0].status == 200
    assert cookie(stranger[0]).key == "of-the-policy"
