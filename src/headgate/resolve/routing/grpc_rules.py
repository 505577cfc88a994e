"""Rules of a GRPCRoute as rules of HTTP: a call is an HTTP/2 request to `/<service>/<method>` (GEP-1016).

A GRPCRoute is read like an HTTPRoute. Only three things differ: its matches, the protocol of its backends (always
HTTP/2), and the response for a rule without a usable backend: 503, which a gRPC client reports as UNAVAILABLE.
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
    """The spec of an HTTPRoute with the same parents, hostnames, filters and backends.

    Its matches only identify a rule: they have the content of the gRPC matches, not their meaning, which `matches`
    gives.
    """
    return api.HTTPRouteSpec(
        parent_refs=spec.parent_refs,
        hostnames=spec.hostnames,
        rules=tuple(
            api.HTTPRouteRule(
                name=rule.name,
                matches=tuple(map(_content, rule.matches)),
                filters=tuple(map(_filter, rule.filters)),
                backend_refs=tuple(map(_backend_ref, rule.backend_refs)),
                session_persistence=rule.session_persistence,
            )
            for rule in spec.rules
        ),
    )


def _content(declared: api.GRPCRouteMatch) -> api.HTTPRouteMatch:
    call = declared.method or api.GRPCMethodMatch()
    headers = tuple(
        api.HTTPHeaderMatch(name=header.name, value=header.value, type=header.type) for header in declared.headers
    )
    path = api.HTTPPathMatch(type=call.type, value=f"/{call.service or ''}/{call.method or ''}")
    return api.HTTPRouteMatch(path=path, headers=headers)


def _filter(declared: api.GRPCRouteFilter) -> api.HTTPRouteFilter:
    return api.HTTPRouteFilter(
        type=declared.type,
        request_header_modifier=declared.request_header_modifier,
        response_header_modifier=declared.response_header_modifier,
        request_mirror=declared.request_mirror,
        extension_ref=declared.extension_ref,
    )


def _backend_ref(declared: api.GRPCBackendRef) -> api.HTTPBackendRef:
    return api.HTTPBackendRef(
        name=declared.name,
        group=declared.group,
        kind=declared.kind,
        namespace=declared.namespace,
        port=declared.port,
        weight=declared.weight,
        filters=tuple(map(_filter, declared.filters)),
    )


def matches(path: str, rule: api.GRPCRouteRule) -> Iterable[tuple[int, Match] | Problem]:
    """The valid matches of a rule with their index, and the problems of the others. A rule without matches matches all
    calls.
    """
    for index, declared in enumerate(rule.matches or (api.GRPCRouteMatch(),)):
        try:
            yield index, match(f"{path}.matches[{index}]", declared)
        except Invalid as error:
            yield error.problem


def match(path: str, declared: api.GRPCRouteMatch) -> Match:
    """One match; raises `Invalid`."""
    call = declared.method or api.GRPCMethodMatch()
    field = f"{path}.method"
    if call.type not in ("Exact", "RegularExpression"):
        raise conditions.unsupported_value(f"{field}.type", call.type, "use Exact or RegularExpression")
    exact = call.type == "Exact"
    service = _part(f"{field}.service", call.service, exact, _SERVICE, "use a service like foo.bar.Greeter")
    method = _part(f"{field}.method", call.method, exact, _METHOD, "use a method like SayHello")
    return Match(
        path=_path(service, method),
        headers=rule_fields.string_matches(
            f"{path}.headers", ((header.name.lower(), header) for header in declared.headers)
        ),
        grpc=GRPCMethod(call.service or "", call.method or ""),
    )


def _part(path: str, value: str | None, exact: bool, allowed: re.Pattern[str], remedy: str) -> StringMatch | None:
    if not value:
        return None
    if not exact:
        rule_fields.check_regex(path, value)
        return StringMatch("RegularExpression", value)
    if not allowed.fullmatch(value):
        raise conditions.invalid_value(path, value, remedy)
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
