"""Prometheus, and every server with its query API (Thanos, Mimir, VictoriaMetrics).

An instant query: `GET <address>/api/v1/query`. The Secret has the key `token`, or `username` and `password`.
"""

import base64
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from ..queries import HTTPRequest, HTTPResponse, QueryResult
from . import NoValuesError, QueryError, Source

TYPE = "prometheus"

_SPACE = re.compile(r"\s+")
#: Characters of a response body in the text of an event.
_EXCERPT = 300


def ask(source: Source, query: str) -> HTTPRequest:
    """An instant query. Raises `QueryError` if the address is not a URL or the Secret has none of the keys."""
    address = source.address
    if urlsplit(address).scheme not in ("http", "https"):
        raise QueryError(f"address {address!r} is not a URL such as http://prometheus.monitoring:9090")
    headers = [(name, value) for name, values in source.headers.items() for value in values]
    if source.credentials is not None:
        headers.append(("Authorization", _authorization(source.credentials)))
    parameters = urlencode({"query": _SPACE.sub(" ", query).strip()})
    return HTTPRequest(f"{address.rstrip('/')}/api/v1/query?{parameters}", tuple(headers), verify=source.verify)


def read(source: Source, result: QueryResult) -> float:
    """The value of the last series. Raises `NoValuesError` for an empty result and for NaN."""
    del source
    if not isinstance(result, HTTPResponse):
        raise QueryError(getattr(result, "error", "not an HTTP response"))
    if result.status >= 400:
        raise QueryError(f"error response: {result.status} {_excerpt(result.body)}")
    try:
        data: Any = msgspec.json.decode(result.body)["data"]
        series, kind = data["result"], data.get("resultType", "vector")
        if kind == "matrix":
            raise QueryError("query returned multiple values: it is a range vector, an instant vector is needed")
        samples = [series] if kind == "scalar" else [item.get("value") for item in series]
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        raise QueryError(f"not an answer of Prometheus: {_excerpt(result.body)}") from None
    return _last(samples)


def online(source: Source) -> HTTPRequest:
    """`vector(1)`."""
    return ask(source, "vector(1)")


def _last(samples: list[Any]) -> float:
    if not samples:
        raise NoValuesError
    try:
        value = float(samples[-1][1])
    except (TypeError, ValueError, IndexError, KeyError):
        raise QueryError(f"not a number: {samples[-1]!r}") from None
    if math.isnan(value):
        raise NoValuesError
    return value


def _authorization(credentials: Mapping[str, str]) -> str:
    if token := credentials.get("token"):
        return f"Bearer {token.strip()}"
    if "username" in credentials and "password" in credentials:
        pair = f"{credentials['username']}:{credentials['password']}"
        return "Basic " + base64.b64encode(pair.encode()).decode()
    raise QueryError("the Secret has neither the key token nor the keys username and password")


def _excerpt(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"
