"""Requests to Prometheus and what its answers mean, without a socket."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from headgate.rollout.providers import NoValuesError, QueryError, Response, Unanswered, prometheus


def answer(result: Any, kind: str = "vector") -> Response:
    return Response(200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode())


def test_white_space_of_a_query_collapses() -> None:
    request = prometheus.ask("http://prometheus:9090/", "sum(\n  up\n)\n")
    assert request.url.startswith("http://prometheus:9090/api/v1/query?")
    assert parse_qs(urlsplit(request.url).query) == {"query": ["sum( up )"]}


@pytest.mark.parametrize(
    ("credentials", "header"),
    [({"token": "t\n"}, "Bearer t"), ({"username": "u", "password": "p"}, "Basic dTpw")],
)
def test_a_secret_becomes_a_header(credentials: dict[str, str], header: str) -> None:
    request = prometheus.ask("http://p", "up", credentials=credentials)
    assert ("Authorization", header) in request.headers


def test_a_request_never_shows_its_credentials() -> None:
    assert "sesame" not in repr(prometheus.ask("http://p", "up", credentials={"token": "sesame"}))


def test_a_secret_without_a_known_key_is_refused() -> None:
    with pytest.raises(QueryError, match="neither the key token"):
        prometheus.ask("http://p", "up", credentials={"other": "x"})


@pytest.mark.parametrize("address", ["", "prometheus:9090", "ftp://p"])
def test_an_address_that_is_no_url_is_refused(address: str) -> None:
    with pytest.raises(QueryError, match="is not a URL"):
        prometheus.ask(address, "up")


@pytest.mark.parametrize(
    ("result", "kind", "value"),
    [
        ([{"metric": {}, "value": [0, "1.5"]}], "vector", 1.5),
        ([{"value": [0, "1"]}, {"value": [0, "2"]}], "vector", 2.0),
        ([0, "3"], "scalar", 3.0),
        ([{"value": [0, "+Inf"]}], "vector", float("inf")),
    ],
)
def test_the_last_series_is_the_value(result: Any, kind: str, value: float) -> None:
    assert prometheus.read(answer(result, kind)) == value


@pytest.mark.parametrize("result", [[], [{"value": [0, "NaN"]}]])
def test_nothing_and_nan_are_no_values(result: Any) -> None:
    with pytest.raises(NoValuesError):
        prometheus.read(answer(result))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Response(503, b"down"), "error response: 503 down"),
        (Response(200, b"<html>"), "not an answer of Prometheus"),
        (Unanswered("connection refused"), "connection refused"),
        (answer([{"values": []}], "matrix"), "query returned multiple values"),
    ],
)
def test_any_other_answer_is_a_failure_that_says_why(given: Response | Unanswered, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        prometheus.read(given)
