"""GRPCRoute as what it is on the wire: HTTP/2 requests to `/<service>/<method>` (GEP-1016).

Its rules are read like those of an HTTPRoute; only matches, the protocol of backends (always HTTP/2) and the answer for
what leads nowhere (UNAVAILABLE, which is 503) are its own.
"""

import re
from collections.abc import Iterable

from headgate.api import gateway as api
from headgate.conditions import Invalid, Problem
from headgate.conditions import http_route as conditions
from headgate.ir.matching import GRPCMethod, Match, PathMatch, StringMatch

from . import rule_fields

#: A service is `package.Service`, a method an identifier (`GRPCMethodMatch`).
_SERVICE = re.compile(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*")
_METHOD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_ANY = "[^/]+"


def as_http(spec: api.GRPCRouteSpec) -> api.HTTPRouteSpec:
    """The same parents, hostnames, filters and backends. Matches keep their content, not their meaning: see
    `matches`.
    """
    return api.HTTPRouteSpec(
        parent_refs=spec.parent_refs,
        hostnames=spec.hostnames,
        rules=tuple(
            api.HTTPRouteRule(
                name=rule.name,
                matches=tuple(map(_content, rule.matches)),
                filters=tuple(map(_filter, rule.filters)),
                backend_refs=tuple(map(_backend, rule.backend_refs)),
                session_persistence=rule.session_persistence,
            )
            for rule in spec.rules
        ),
    )


def _content(found: api.GRPCRouteMatch) -> api.HTTPRouteMatch:
    called = found.method or api.GRPCMethodMatch()
    headers = tuple(api.HTTPHeaderMatch(name=each.name, value=each.value, type=each.type) for each in found.headers)
    path = api.HTTPPathMatch(type=called.type, value=f"/{called.service or ''}/{called.method or ''}")
    return api.HTTPRouteMatch(path=path, headers=headers)


def _filter(found: api.GRPCRouteFilter) -> api.HTTPRouteFilter:
    return api.HTTPRouteFilter(
        type=found.type,
        request_header_modifier=found.request_header_modifier,
        response_header_modifier=found.response_header_modifier,
        request_mirror=found.request_mirror,
        extension_ref=found.extension_ref,
    )


def _backend(found: api.GRPCBackendRef) -> api.HTTPBackendRef:
    return api.HTTPBackendRef(
        name=found.name,
        group=found.group,
        kind=found.kind,
        namespace=found.namespace,
        port=found.port,
        weight=found.weight,
        filters=tuple(map(_filter, found.filters)),
    )


def matches(path: str, rule: api.GRPCRouteRule) -> Iterable[tuple[int, Match] | Problem]:
    """The matches of a rule (all calls, if there are none), and what is wrong with the others."""
    for at, found in enumerate(rule.matches or (api.GRPCRouteMatch(),)):
        try:
            yield at, match(f"{path}.matches[{at}]", found)
        except Invalid as error:
            yield error.problem


def match(path: str, found: api.GRPCRouteMatch) -> Match:
    """One match; raises `Invalid`."""
    called = found.method or api.GRPCMethodMatch()
    where = f"{path}.method"
    if called.type not in ("Exact", "RegularExpression"):
        raise conditions.unsupported_value(f"{where}.type", called.type, "Exact and RegularExpression are")
    exact = called.type == "Exact"
    service = _part(f"{where}.service", called.service, exact, _SERVICE, "a service is like foo.bar.Greeter")
    method = _part(f"{where}.method", called.method, exact, _METHOD, "a method is like SayHello")
    return Match(
        path=_path(service, method),
        headers=rule_fields.texts(f"{path}.headers", ((each.name.lower(), each) for each in found.headers)),
        grpc=GRPCMethod(called.service or "", called.method or ""),
    )


def _part(path: str, value: str | None, exact: bool, allowed: re.Pattern[str], works: str) -> StringMatch | None:
    if not value:
        return None
    if not exact:
        rule_fields.check_regex(path, value)
        return StringMatch("RegularExpression", value)
    if not allowed.fullmatch(value):
        raise conditions.invalid_value(path, value, works)
    return StringMatch("Exact", value)


def _path(service: StringMatch | None, method: StringMatch | None) -> PathMatch:
    if service is None and method is None:
        return PathMatch("PathPrefix", "")
    if service is not None and service.kind == "Exact":
        if method is None:
            return PathMatch("PathPrefix", f"/{service.value}")
        if method.kind == "Exact":
            return PathMatch("Exact", f"/{service.value}/{method.value}")
    return PathMatch("RegularExpression", f"/{_pattern(service)}/{_pattern(method)}")


def _pattern(part: StringMatch | None) -> str:
    if part is None:
        return _ANY
    return re.escape(part.value) if part.kind == "Exact" else f"(?:{part.value})"
