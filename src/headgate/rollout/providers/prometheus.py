"""Prometheus, and everything that speaks its query API (Thanos, Mimir, VictoriaMetrics)."""

import base64
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from . import NoValuesError, QueryError, Request, Response, Unanswered

#: The query that only asks whether somebody is there.
ONLINE = "vector(1)"

_SPACE = re.compile(r"\s+")
#: Longer answers are cut when they become the text of an event.
_MOST = 300


def ask(
    address: str,
    query: str,
    *,
    headers: Mapping[str, tuple[str, ...]] | None = None,
    credentials: Mapping[str, str] | None = None,
    verify: bool = True,
) -> Request:
    """An instant query.

    Args:
        credentials: the decoded data of the template's Secret: `token`, or `username` and `password`.

    Raises:
        QueryError: the address is no URL, or the Secret has neither.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise QueryError(f"address {address!r} is not a URL such as http://prometheus.monitoring:9090")
    sent = [(name, value) for name, values in (headers or {}).items() for value in values]
    if credentials is not None:
        sent.append(("Authorization", _authorization(credentials)))
    query = _SPACE.sub(" ", query).strip()
    url = f"{address.rstrip('/')}/api/v1/query?{urlencode({'query': query})}"
    return Request(url, tuple(sent), verify=verify)


def read(answer: Response | Unanswered) -> float:
    """The value: that of the last series. Raises `QueryError`, `NoValuesError` for nothing or NaN."""
    if isinstance(answer, Unanswered):
        raise QueryError(answer.error)
    if answer.status >= 400:
        raise QueryError(f"error response: {answer.status} {_excerpt(answer.body)}")
    try:
        body: Any = msgspec.json.decode(answer.body)
        results = body["data"]["result"]
    except (msgspec.DecodeError, KeyError, TypeError):
        raise QueryError(f"not an answer of Prometheus: {_excerpt(answer.body)}") from None
    return _value(results, body["data"].get("resultType", "vector"))


def _value(results: Any, kind: str) -> float:
    if kind == "matrix":
        raise QueryError("query returned multiple values: it is a range vector, an instant vector is needed")
    samples = [results] if kind == "scalar" else [series.get("value") for series in results]
    if not samples:
        raise NoValuesError
    try:
        value = float(samples[-1][1])
    except (TypeError, ValueError, IndexError):
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
    return text if len(text) <= _MOST else text[:_MOST] + "…"
