"""Fields of a rule as values: pure, each raises `Invalid` with the path of the field and what would work."""

import re
from collections.abc import Iterable

from headgate.api import gateway as api
from headgate.conditions import Problem
from headgate.conditions import http_route as say
from headgate.ir import routing as ir
from headgate.ir.hostnames import is_hostname, normal
from headgate.ir.matching import Match, Path, Text, regex_error

#: `HTTPMethod` of the API.
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")


#: `HTTPHeaderName`: a token of RFC 7230.
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")


def hostnames(found: Iterable[str]) -> Iterable[Problem]:
    """What is wrong with the hostnames of a route."""
    for at, hostname in enumerate(found):
        if hostname and not is_hostname(normal(hostname)):
            yield say.bad_value(
                f"spec.hostnames[{at}]", hostname, "a hostname is like shop.example.com or *.example.com"
            ).problem


def match(path: str, found: api.HTTPRouteMatch) -> Match:
    """One match."""
    if found.method is not None and found.method not in METHODS:
        raise say.unsupported(f"{path}.method", found.method, f"one of {', '.join(METHODS)} is")
    for at, header in enumerate(found.headers):
        if not _TOKEN.fullmatch(header.name):
            raise say.bad_value(f"{path}.headers[{at}].name", header.name, "a header name is a token of RFC 7230")
    for at, query in enumerate(found.query_params):
        if not query.name:
            raise say.bad_value(f"{path}.queryParams[{at}].name", query.name, "a query parameter has a name")
    return Match(
        path=path_match(f"{path}.path", found.path),
        method=found.method,
        headers=_texts(f"{path}.headers", ((each.name.lower(), each) for each in found.headers)),
        query=_texts(f"{path}.queryParams", ((each.name, each) for each in found.query_params)),
    )


def path_match(path: str, found: api.HTTPPathMatch) -> Path:
    """A path; a prefix loses its trailing slash, which has no meaning."""
    if found.type == "RegularExpression":
        _check_regex(f"{path}.value", found.value)
        return Path("RegularExpression", found.value)
    if found.type not in ("Exact", "PathPrefix"):
        raise say.unsupported(f"{path}.type", found.type, "Exact, PathPrefix and RegularExpression are")
    if not found.value.startswith("/") or any(sign in found.value for sign in "?#"):
        raise say.bad_value(f"{path}.value", found.value, "a path begins with / and has neither ? nor #")
    if found.type == "Exact":
        return Path("Exact", found.value)
    return Path("PathPrefix", found.value.rstrip("/"))


def _texts(
    path: str, named: Iterable[tuple[str, api.HTTPHeaderMatch | api.HTTPQueryParamMatch]]
) -> tuple[tuple[str, Text], ...]:
    """By name, sorted; of equal names only the first counts."""
    found: dict[str, Text] = {}
    for at, (name, each) in enumerate(named):
        if each.type == "RegularExpression":
            _check_regex(f"{path}[{at}].value", each.value)
            found.setdefault(name, Text("RegularExpression", each.value))
        elif each.type == "Exact":
            found.setdefault(name, Text("Exact", each.value))
        else:
            raise say.unsupported(f"{path}[{at}].type", each.type, "Exact and RegularExpression are")
    return tuple(sorted(found.items()))


def _check_regex(path: str, pattern: str) -> None:
    if not pattern:
        raise say.bad_value(path, pattern, "a regular expression is not empty; .* matches everything")
    if (why := regex_error(pattern)) is not None:
        raise say.bad_regex(path, pattern, why)


# Times.

_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def duration(path: str, text: str) -> float:
    """A duration of the Gateway API (GEP-2257: `1h30m`, `10s`, `500ms`) in seconds."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(parts) > 4:
        raise say.bad_value(path, text, "a duration is like 10s, 500ms or 1h30m")
    return float(sum(int(number) * _SECONDS[unit] for number, unit in parts))


def limits(path: str, rule: api.HTTPRouteRule) -> ir.Limits:
    """How long a request may take.

    Without retries that reach a backend a second time, the time for one backend request and the time for the whole
    request are one limit: the shorter one.
    """
    if rule.retry is not None and (rule.retry.codes or rule.retry.attempts != 0):
        raise say.unsupported(
            f"{path}.retry", "retry", "leave it out: requests that reached no backend are tried once more in any case"
        )
    times = rule.timeouts or api.HTTPRouteTimeouts()
    given = [
        duration(f"{path}.timeouts.{name}", text)
        for name, text in (("request", times.request), ("backendRequest", times.backend_request))
        if text is not None
    ]
    bounded = [seconds for seconds in given if seconds > 0]
    return ir.Limits(min(bounded) if bounded else None)
