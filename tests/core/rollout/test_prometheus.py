"""Requests to Prometheus and what its answers mean, without a socket."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from headgate.rollout import providers
from headgate.rollout.providers import NoValuesError, QueryError, Source, prometheus
from headgate.rollout.queries import NOT_SERVED, HTTPRequest, HTTPResponse, NoResponse


def answer(result: Any, kind: str = "vector") -> HTTPResponse:
    return HTTPResponse(200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode())


def source(address: str = "http://p", **fields: Any) -> Source:
    return Source(address, 60.0, 1_800_000_000.0, **fields)


def test_white_space_of_a_query_collapses() -> None:
    request = prometheus.ask(source("http://prometheus:9090/"), "sum(\n  up\n)\n")
    assert request.url.startswith("http://prometheus:9090/api/v1/query?")
    assert parse_qs(urlsplit(request.url).query) == {"query": ["sum( up )"]}


@pytest.mark.parametrize(
    ("credentials", "header"),
    [({"token": "t\n"}, "Bearer t"), ({"username": "u", "password": "p"}, "Basic dTpw")],
)
def test_a_secret_becomes_a_header(credentials: dict[str, str], header: str) -> None:
    request = prometheus.ask(source(credentials=credentials), "up")
    assert ("Authorization", header) in request.headers


def test_credentials_are_in_no_repr() -> None:
    secret = source(credentials={"token": "sesame"})
    assert "sesame" not in repr(secret)
    assert "sesame" not in repr(prometheus.ask(source(credentials={"token": "sesame"}), "up"))


def test_a_secret_without_a_known_key_is_refused() -> None:
    with pytest.raises(QueryError, match="neither the key token"):
        prometheus.ask(source(credentials={"other": "x"}), "up")


@pytest.mark.parametrize("address", ["", "prometheus:9090", "ftp://p"])
def test_an_address_that_is_no_url_is_refused(address: str) -> None:
    with pytest.raises(QueryError, match="is not a URL"):
        prometheus.ask(source(address), "up")


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
    assert prometheus.read(source(), answer(result, kind)) == value


@pytest.mark.parametrize("result", [[], [{"value": [0, "NaN"]}]])
def test_nothing_and_nan_are_no_values(result: Any) -> None:
    with pytest.raises(NoValuesError):
        prometheus.read(source(), answer(result))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (HTTPResponse(503, b"down"), "error response: 503 down"),
        (HTTPResponse(200, b"<html>"), "not an answer of Prometheus"),
        (NoResponse("connection refused"), "connection refused"),
        (answer([{"values": []}], "matrix"), "query returned multiple values"),
    ],
)
def test_any_other_answer_is_a_failure_that_says_why(given: HTTPResponse | NoResponse, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        prometheus.read(source(), given)


def test_an_unknown_type_is_refused_by_its_name_with_the_known_ones() -> None:
    with pytest.raises(QueryError, match="type splunk is not supported; supported: prometheus"):
        providers.of("splunk")


@pytest.mark.parametrize("type", sorted(providers.KNOWN))
def test_every_provider_is_total(type: str) -> None:
    provider = providers.of(type)
    for result in (HTTPResponse(200, b"null"), HTTPResponse(200, b"[]"), HTTPResponse(500, b"\xff"), NOT_SERVED):
        with pytest.raises(QueryError):
            provider.read(source(), result)
    assert isinstance(provider.online(source()), HTTPRequest)
