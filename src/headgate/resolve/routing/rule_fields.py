"""Fields of a rule as values: pure, each raises `Invalid` with the path of the field and what would work."""

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


def hostnames(found: Iterable[str]) -> Iterable[Problem]:
    """What is wrong with the hostnames of a route."""
    for at, hostname in enumerate(found):
        if hostname and not is_hostname(normalize(hostname)):
            yield conditions.invalid_value(
                f"spec.hostnames[{at}]", hostname, "a hostname is like shop.example.com or *.example.com"
            ).problem


def matches(path: str, rule: api.HTTPRouteRule) -> Iterable[tuple[int, Match] | Problem]:
    """The matches of a rule (all requests, if there are none), and what is wrong with the others."""
    for at, found in enumerate(rule.matches or (api.HTTPRouteMatch(),)):
        try:
            yield at, match(f"{path}.matches[{at}]", found)
        except Invalid as error:
            yield error.problem


def match(path: str, found: api.HTTPRouteMatch) -> Match:
    """One match."""
    if found.method is not None and found.method not in METHODS:
        raise conditions.unsupported_value(f"{path}.method", found.method, f"one of {', '.join(METHODS)} is")
    for at, header in enumerate(found.headers):
        if not _TOKEN.fullmatch(header.name):
            raise conditions.invalid_value(
                f"{path}.headers[{at}].name", header.name, "a header name is a token of RFC 7230"
            )
    for at, query in enumerate(found.query_params):
        if not query.name:
            raise conditions.invalid_value(f"{path}.queryParams[{at}].name", query.name, "a query parameter has a name")
    return Match(
        path=path_match(f"{path}.path", found.path),
        method=found.method,
        headers=texts(f"{path}.headers", ((each.name.lower(), each) for each in found.headers)),
        query=texts(f"{path}.queryParams", ((each.name, each) for each in found.query_params)),
    )


def path_match(path: str, found: api.HTTPPathMatch) -> PathMatch:
    """A path; a prefix loses its trailing slash, which has no meaning."""
    if found.type == "RegularExpression":
        check_regex(f"{path}.value", found.value)
        return PathMatch("RegularExpression", found.value)
    if found.type not in ("Exact", "PathPrefix"):
        raise conditions.unsupported_value(f"{path}.type", found.type, "Exact, PathPrefix and RegularExpression are")
    if not found.value.startswith("/") or any(sign in found.value for sign in "?#"):
        raise conditions.invalid_value(f"{path}.value", found.value, "a path begins with / and has neither ? nor #")
    if found.type == "Exact":
        return PathMatch("Exact", found.value)
    return PathMatch("PathPrefix", found.value.rstrip("/"))


def texts(
    path: str, named: Iterable[tuple[str, api.HTTPHeaderMatch | api.HTTPQueryParamMatch | api.GRPCHeaderMatch]]
) -> tuple[tuple[str, StringMatch], ...]:
    """By name, sorted; of equal names only the first counts."""
    found: dict[str, StringMatch] = {}
    for at, (name, each) in enumerate(named):
        if each.type == "RegularExpression":
            check_regex(f"{path}[{at}].value", each.value)
            found.setdefault(name, StringMatch("RegularExpression", each.value))
        elif each.type == "Exact":
            found.setdefault(name, StringMatch("Exact", each.value))
        else:
            raise conditions.unsupported_value(f"{path}[{at}].type", each.type, "Exact and RegularExpression are")
    return tuple(sorted(found.items()))


def check_regex(path: str, pattern: str) -> None:
    """Raises `Invalid` for what RE2 refuses."""
    if not pattern:
        raise conditions.invalid_value(path, pattern, "a regular expression is not empty; .* matches everything")
    if (why := regex_error(pattern)) is not None:
        raise conditions.invalid_regex(path, pattern, why)


# Times.

#: More is a mistake, and Envoy counts in 32 bits.
_MOST_ATTEMPTS = 2**31 - 1


def duration(path: str, text: str) -> float:
    """A duration of the Gateway API (GEP-2257: `1h30m`, `10s`, `500ms`) in seconds."""
    found = durations.seconds(text)
    if found is None:
        raise conditions.invalid_value(path, text, "a duration is like 10s, 500ms or 1h30m")
    return found


def limits(path: str, rule: api.HTTPRouteRule) -> Limits:
    """How long a request may take, and how often it is tried.

    Without retries that reach a backend a second time, the time for one backend request and the time for the whole
    request are one limit: the shorter one.
    """
    times = rule.timeouts or api.HTTPRouteTimeouts()
    whole = _limit(f"{path}.timeouts.request", times.request)
    one = _limit(f"{path}.timeouts.backendRequest", times.backend_request)
    if whole is not None and one is not None and one > whole:
        raise conditions.invalid_value(
            f"{path}.timeouts.backendRequest", str(times.backend_request), f"it is at most request, {times.request}"
        )
    again = _retries(f"{path}.retry", rule.retry)
    said = times.request is not None or times.backend_request is not None
    if again is None or not again.attempts:
        return Limits(min((each for each in (whole, one) if each is not None), default=None), None, again, said)
    return Limits(whole, one, again, said)


def _limit(path: str, text: str | None) -> float | None:
    """Seconds; 0 and nothing are no limit."""
    return None if text is None else duration(path, text) or None


def _retries(path: str, found: api.HTTPRouteRetry | None) -> Retries | None:
    if found is None:
        return None
    attempts = 1 if found.attempts is None else found.attempts
    if not 0 <= attempts <= _MOST_ATTEMPTS:
        raise conditions.invalid_value(
            f"{path}.attempts", str(attempts), f"it is from 0, no retries, to {_MOST_ATTEMPTS}"
        )
    for at, code in enumerate(found.codes):
        if not 400 <= code <= 599:
            raise conditions.unsupported_value(f"{path}.codes[{at}]", str(code), "400 to 599 are")
    backoff = None if found.backoff is None else duration(f"{path}.backoff", found.backoff)
    return Retries(attempts, tuple(sorted(set(found.codes))), backoff)
