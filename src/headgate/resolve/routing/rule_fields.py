"""Reads single fields of a rule: hostnames, matches, timeouts and retries. Pure; a problem is raised as `Invalid`."""

import re
from collections.abc import Iterable

from headgate.api import durations
from headgate.api import gateway as api
from headgate.conditions import Invalid, Problem
from headgate.conditions import http_route as conditions
from headgate.ir.hostnames import is_hostname, normalize
from headgate.ir.limits import Limits, Retries
from headgate.ir.matching import Match, PathMatch, StringMatch, regex_error

#: `HTTPMethod` of the API.
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")

#: `HTTPHeaderName`: a token of RFC 7230.
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")


# Hostnames and matches.


def hostnames(declared: Iterable[str]) -> Iterable[Problem]:
    """The problems of a route's hostnames."""
    for index, hostname in enumerate(declared):
        if hostname and not is_hostname(normalize(hostname)):
            yield conditions.invalid_value(
                f"spec.hostnames[{index}]", hostname, "use a hostname like shop.example.com or *.example.com"
            ).problem


def matches(path: str, rule: api.HTTPRouteRule) -> Iterable[tuple[int, Match] | Problem]:
    """The valid matches of a rule with their index, and the problems of the others. A rule without matches matches all
    requests.
    """
    for index, declared in enumerate(rule.matches or (api.HTTPRouteMatch(),)):
        try:
            yield index, match(f"{path}.matches[{index}]", declared)
        except Invalid as error:
            yield error.problem


def match(path: str, declared: api.HTTPRouteMatch) -> Match:
    """One match; raises `Invalid`."""
    if declared.method is not None and declared.method not in METHODS:
        raise conditions.unsupported_value(f"{path}.method", declared.method, f"use one of {', '.join(METHODS)}")
    for index, header in enumerate(declared.headers):
        if not _TOKEN.fullmatch(header.name):
            raise conditions.invalid_value(
                f"{path}.headers[{index}].name", header.name, "use a header name, which is a token of RFC 7230"
            )
    for index, query in enumerate(declared.query_params):
        if not query.name:
            raise conditions.invalid_value(
                f"{path}.queryParams[{index}].name", query.name, "use the name of a query parameter"
            )
    return Match(
        path=path_match(f"{path}.path", declared.path),
        method=declared.method,
        headers=string_matches(f"{path}.headers", ((header.name.lower(), header) for header in declared.headers)),
        query=string_matches(f"{path}.queryParams", ((query.name, query) for query in declared.query_params)),
    )


def path_match(path: str, declared: api.HTTPPathMatch) -> PathMatch:
    """The match of a path. A prefix loses its trailing slash, which has no meaning."""
    if declared.type == "RegularExpression":
        check_regex(f"{path}.value", declared.value)
        return PathMatch("RegularExpression", declared.value)
    if declared.type not in ("Exact", "PathPrefix"):
        raise conditions.unsupported_value(f"{path}.type", declared.type, "use Exact, PathPrefix or RegularExpression")
    if not declared.value.startswith("/") or any(character in declared.value for character in "?#"):
        raise conditions.invalid_value(
            f"{path}.value", declared.value, "use a path that starts with / and contains neither ? nor #"
        )
    if declared.type == "Exact":
        return PathMatch("Exact", declared.value)
    return PathMatch("PathPrefix", declared.value.rstrip("/"))


def string_matches(
    path: str, declared: Iterable[tuple[str, api.HTTPHeaderMatch | api.HTTPQueryParamMatch | api.GRPCHeaderMatch]]
) -> tuple[tuple[str, StringMatch], ...]:
    """Matches of headers or query parameters by name, sorted. Of several with one name only the first takes effect."""
    by_name: dict[str, StringMatch] = {}
    for index, (name, match_) in enumerate(declared):
        if match_.type == "RegularExpression":
            check_regex(f"{path}[{index}].value", match_.value)
            by_name.setdefault(name, StringMatch("RegularExpression", match_.value))
        elif match_.type == "Exact":
            by_name.setdefault(name, StringMatch("Exact", match_.value))
        else:
            raise conditions.unsupported_value(f"{path}[{index}].type", match_.type, "use Exact or RegularExpression")
    return tuple(sorted(by_name.items()))


def check_regex(path: str, pattern: str) -> None:
    """Raises `Invalid` for a pattern that RE2 rejects."""
    if not pattern:
        raise conditions.invalid_value(path, pattern, "use a regular expression; .* matches everything")
    if (error := regex_error(pattern)) is not None:
        raise conditions.invalid_regex(path, pattern, error)


# Timeouts and retries.

#: Envoy counts attempts in 32 bits.
_MAX_ATTEMPTS = 2**31 - 1


def duration(path: str, text: str) -> float:
    """A duration of the Gateway API (GEP-2257: `1h30m`, `10s`, `500ms`) in seconds."""
    seconds = durations.seconds(text)
    if seconds is None:
        raise conditions.invalid_value(path, text, "use a duration like 10s, 500ms or 1h30m")
    return seconds


def limits(path: str, rule: api.HTTPRouteRule) -> Limits:
    """The timeouts and retries of a rule.

    Without retries there is one backend request per request, so the two timeouts are one limit: the shorter one.
    """
    timeouts = rule.timeouts or api.HTTPRouteTimeouts()
    request = _timeout(f"{path}.timeouts.request", timeouts.request)
    backend_request = _timeout(f"{path}.timeouts.backendRequest", timeouts.backend_request)
    if request is not None and backend_request is not None and backend_request > request:
        raise conditions.invalid_value(
            f"{path}.timeouts.backendRequest",
            str(timeouts.backend_request),
            f"use at most the value of request, {timeouts.request}",
        )
    retries = _retries(f"{path}.retry", rule.retry)
    is_declared = timeouts.request is not None or timeouts.backend_request is not None
    if retries is not None and retries.attempts:
        return Limits(request, backend_request, retries, is_declared)
    shorter = min((seconds for seconds in (request, backend_request) if seconds is not None), default=None)
    return Limits(shorter, None, retries, is_declared)


def _timeout(path: str, text: str | None) -> float | None:
    """Seconds; None for no timeout, which is what 0 means."""
    return None if text is None else duration(path, text) or None


def _retries(path: str, declared: api.HTTPRouteRetry | None) -> Retries | None:
    if declared is None:
        return None
    attempts = 1 if declared.attempts is None else declared.attempts
    if not 0 <= attempts <= _MAX_ATTEMPTS:
        raise conditions.invalid_value(
            f"{path}.attempts", str(attempts), f"use a number from 0 (no retries) to {_MAX_ATTEMPTS}"
        )
    for index, code in enumerate(declared.codes):
        if not 400 <= code <= 599:
            raise conditions.unsupported_value(f"{path}.codes[{index}]", str(code), "use a status from 400 to 599")
    backoff = None if declared.backoff is None else duration(f"{path}.backoff", declared.backoff)
    return Retries(attempts, tuple(sorted(set(declared.codes))), backoff)
