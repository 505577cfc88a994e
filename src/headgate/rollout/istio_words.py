"""Matches, rewrites, headers and CORS of `spec.service`, written in Istio's words, in those of the Gateway API.

What an HTTPRoute cannot say is refused with the path of the field, never dropped: a dropped condition would send a
canary requests that were meant to stay away from it.
"""

from collections.abc import Iterator, Mapping

import msgspec

from headgate.api.delivery import CanaryService, CorsPolicy, HeaderOperations, HTTPMatchRequest, StringMatch

from . import go
from .effects import Json
from .problems import RefusedError


def matches(service: CanaryService) -> list[Json]:
    """`spec.service.match` as `rules[].matches`. Raises `RefusedError`."""
    return [_match(match, index) for index, match in enumerate(service.match)]


def filters(service: CanaryService) -> list[Json]:
    """Headers, rewrite, mirrors and CORS as `rules[].filters`, in this order. Raises `RefusedError`."""
    return list(_filters(service))


def _match(match: HTTPMatchRequest, index: int) -> Json:
    at = f"spec.service.match[{index}]"
    for name in ("scheme", "authority", "port", "gateways", "source_labels", "source_namespace", "without_headers"):
        if getattr(match, name):
            raise RefusedError(f"{at}.{_camel(name)}", "an HTTPRoute cannot match on it; remove it", "Unsupported")
    if match.ignore_uri_case:
        raise RefusedError(f"{at}.ignoreUriCase", "paths are case-sensitive in an HTTPRoute; remove it", "Unsupported")
    found: Json = {}
    if match.uri:
        kinds = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}
        kind, value = _string(match.uri, f"{at}.uri", kinds)
        found["path"] = {"type": kind, "value": value}
    if match.method:
        found["method"] = _string(match.method, f"{at}.method", {"exact": "Exact"})[1]
    kinds = {"exact": "Exact", "regex": "RegularExpression"}
    for field, name, entries in (
        ("headers", "headers", match.headers),
        ("queryParams", "queryParams", match.query_params),
    ):
        if entries:
            typed = {key: _string(value, f"{at}.{name}[{key}]", kinds) for key, value in sorted(entries.items())}
            found[field] = [{"name": key, "type": kind, "value": value} for key, (kind, value) in typed.items()]
    return found


def _string(match: StringMatch, at: str, kinds: Mapping[str, str]) -> tuple[str, str]:
    for word, kind in kinds.items():
        value = getattr(match, word)
        if value is not None:
            return kind, str(value)
    message = f"Gateway API doesn't support the specified matching selector; {' or '.join(kinds)} would work"
    raise RefusedError(at, message, "Unsupported")


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
        raise RefusedError("spec.service.corsPolicy.allowOrigins", message, "Unsupported")
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
            cors["maxAge"] = int(go.seconds(policy.max_age))
        except ValueError as error:
            raise RefusedError("spec.service.corsPolicy.maxAge", str(error)) from None
    return cors


def _header_filter(operations: HeaderOperations) -> Json:
    made: Json = {}
    for field in ("set", "add"):
        entries: dict[str, str] = getattr(operations, field)
        if entries:
            made[field] = [{"name": name, "value": value} for name, value in sorted(entries.items())]
    if operations.remove:
        made["remove"] = list(operations.remove)
    return made


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
