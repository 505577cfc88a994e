"""Translates the matches, rewrites, headers and CORS of a Canary, in Istio's schema, to those of an HTTPRoute.

A field that an HTTPRoute cannot express is not accepted, with its path. If it were left out, the canary would get
requests that it must not get.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from headgate.api.delivery import (
    AnalysisMatch,
    CanaryAnalysis,
    CanaryService,
    CorsPolicy,
    HeaderOperations,
    HTTPMatchRequest,
    StringMatch,
)
from headgate.api.durations import go_seconds

from .effects import Json
from .problem import NotAcceptedError

_VALUES = {"exact": "Exact", "regex": "RegularExpression"}
_PATHS = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}


def matches(service: CanaryService) -> list[Json]:
    """`spec.service.match` as `rules[].matches`. Raises `NotAcceptedError`."""
    return [_match(match, index) for index, match in enumerate(service.match)]


def conditions(analysis: CanaryAnalysis) -> tuple[Json, ...]:
    """`spec.analysis.match` as conditions of a `Split`. Raises `NotAcceptedError`.

    `prefix` and `suffix` become regular expressions, which an HTTPRoute has.
    """
    return tuple(_condition(match, index) for index, match in enumerate(analysis.match))


def filters(service: CanaryService) -> list[Json]:
    """Headers, rewrite, mirrors and CORS as `rules[].filters`, in this order. Raises `NotAcceptedError`."""
    return list(_filters(service))


# ── matches ──────────────────────────────────────────────────────────────────


def _match(match: HTTPMatchRequest, index: int) -> Json:
    at = f"spec.service.match[{index}]"
    for name in ("scheme", "authority", "port", "gateways", "source_labels", "source_namespace", "without_headers"):
        if getattr(match, name):
            raise NotAcceptedError(f"{at}.{_camel(name)}", "an HTTPRoute cannot match on it; remove it", "Unsupported")
    if match.ignore_uri_case:
        message = "paths are case-sensitive in an HTTPRoute; remove it"
        raise NotAcceptedError(f"{at}.ignoreUriCase", message, "Unsupported")
    result: Json = {}
    if match.uri:
        kind, value = _string(match.uri, f"{at}.uri", _PATHS)
        result["path"] = {"type": kind, "value": value}
    if match.method:
        result["method"] = _string(match.method, f"{at}.method", {"exact": "Exact"})[1]
    for name, entries in (("headers", match.headers), ("queryParams", match.query_params)):
        if entries:
            typed = {key: _string(value, f"{at}.{name}[{key}]", _VALUES) for key, value in sorted(entries.items())}
            result[name] = [{"name": key, "type": kind, "value": value} for key, (kind, value) in typed.items()]
    return result


def _string(match: StringMatch, at: str, kinds: Mapping[str, str]) -> tuple[str, str]:
    for word, kind in kinds.items():
        value = getattr(match, word)
        if value is not None:
            return kind, str(value)
    message = f"Gateway API doesn't support the specified matching selector; {' or '.join(kinds)} would work"
    raise NotAcceptedError(at, message, "Unsupported")


def _condition(match: AnalysisMatch, index: int) -> Json:
    at = f"spec.analysis.match[{index}]"
    if match.source_labels:
        message = "an HTTPRoute cannot match on the client's labels; match on headers or queryParams"
        raise NotAcceptedError(f"{at}.sourceLabels", message, "Unsupported")
    result: Json = {}
    for name, entries in (("headers", match.headers), ("queryParams", match.query_params)):
        if entries:
            typed = {key: _expression(value, f"{at}.{name}[{key}]") for key, value in sorted(entries.items())}
            result[name] = [{"name": key, "type": kind, "value": value} for key, (kind, value) in typed.items()]
    if not result:
        message = "matches every request; name headers or queryParams of the requests that the canary should get"
        raise NotAcceptedError(at, message)
    return result


def _expression(match: StringMatch, at: str) -> tuple[str, str]:
    if match.prefix:
        return "RegularExpression", f"^{re.escape(match.prefix)}.*$"
    if match.suffix:
        return "RegularExpression", f"^.*{re.escape(match.suffix)}$"
    if match.exact:
        return "Exact", match.exact
    if match.regex:
        return "RegularExpression", match.regex
    raise NotAcceptedError(at, "has no value to compare with; exact, prefix, suffix or regex would work")


# ── filters ──────────────────────────────────────────────────────────────────


def _filters(service: CanaryService) -> Iterator[Json]:
    headers = service.headers
    if headers and headers.request:
        yield {"type": "RequestHeaderModifier", "requestHeaderModifier": _header_filter(headers.request)}
    if headers and headers.response:
        yield {"type": "ResponseHeaderModifier", "responseHeaderModifier": _header_filter(headers.response)}
    if rewrite := service.rewrite:
        url: Json = {"hostname": rewrite.authority} if rewrite.authority else {}
        if rewrite.uri:
            prefix = rewrite.type == "ReplacePrefixMatch"
            kind, field = (
                ("ReplacePrefixMatch", "replacePrefixMatch") if prefix else ("ReplaceFullPath", "replaceFullPath")
            )
            url["path"] = {"type": kind, field: rewrite.uri}
        yield {"type": "URLRewrite", "urlRewrite": url}
    for mirror in service.mirror:
        yield {"type": "RequestMirror", "requestMirror": {"backendRef": msgspec.to_builtins(mirror.backend_ref)}}
    if service.cors_policy:
        yield {"type": "CORS", "cors": _cors(service.cors_policy)}


def _cors(policy: CorsPolicy) -> Json:
    if policy.allow_origins:
        message = "patterns of origins cannot be expressed in an HTTPRoute; list them in allowOrigin"
        raise NotAcceptedError("spec.service.corsPolicy.allowOrigins", message, "Unsupported")
    cors: Json = {
        "allowOrigins": list(policy.allow_origin),
        "allowMethods": list(policy.allow_methods),
        "allowHeaders": list(policy.allow_headers),
        "exposeHeaders": list(policy.expose_headers),
        "allowCredentials": policy.allow_credentials,
    }
    cors = {name: value for name, value in cors.items() if value not in (None, [])}
    if policy.max_age:
        try:
            cors["maxAge"] = int(go_seconds(policy.max_age))
        except ValueError as error:
            raise NotAcceptedError("spec.service.corsPolicy.maxAge", str(error)) from None
    return cors


def _header_filter(operations: HeaderOperations) -> Json:
    result: Json = {}
    for field in ("set", "add"):
        entries: dict[str, str] = getattr(operations, field)
        if entries:
            result[field] = [{"name": name, "value": value} for name, value in sorted(entries.items())]
    if operations.remove:
        result["remove"] = list(operations.remove)
    return result


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
