"""CORS: which pages of other origins may read responses (`HTTPCORSFilter`, support: extended).

Before an unusual request a browser sends a preflight: OPTIONS with the headers Origin and
Access-Control-Request-Method. The Gateway answers it, and the backend never gets it: 204 with the allowed values, or
403 without CORS headers if the origin is not allowed. Responses to other requests of an allowed origin have the headers
that let the page read them. Requests of other origins are forwarded unchanged: the browser hides the response from the
page.

An origin is `scheme://host:port`. The port may be missing (80 or 443). The host may be `*`, or start with `*.` for any
number of labels; `*` alone is every origin. With `allowCredentials` no header has the value `*`: origin, method and
headers are repeated from the request. Envoy's own CORS filter sends the allowed methods to origins that are not
allowed, and no headers on redirects. So this filter is made of routes.

    filters:
    - type: CORS
      cors:
        allowOrigins: ["https://shop.example.com", "https://*.example.org"]
        allowMethods: [GET, PUT]
        allowHeaders: [x-tier]
        allowCredentials: true
        maxAge: 600
"""

import re
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from headgate.api.gateway import HTTPCORSFilter, HTTPRouteFilter
from headgate.conditions import http_route as conditions
from headgate.envoy import routes as envoy
from headgate.ir.http import Exchange, HeaderChanges, Headers, LocalResponse, Request
from headgate.ir.matching import compiled
from headgate.rendering import ConditionalRoute, Rendering

from .base import HTTPFilter, ParseContext, Scope

TYPE = "CORS"

_ORIGIN, _METHOD, _HEADERS = "origin", "access-control-request-method", "access-control-request-headers"
_ALLOW = "access-control-allow-"
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*")
_ANY = "*"
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")
_LONGEST = 2**31 - 1

#: `CORSOrigin`: scheme, host with or without a wildcard before it, port.
_WRITTEN = re.compile(r"(https?)://(\*|(?:\*\.)?(?:[a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+)(?::([0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}


class CORS(HTTPFilter, frozen=True):
    """The allowed origins, methods and headers. `origins` is an RE2 regular expression for whole origins, empty for
    none. A list `("*",)` is everything.
    """

    PHASE: ClassVar[int] = 80
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.RULE,)

    origins: str
    every_origin: bool = False
    credentials: bool = False
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int = 5

    def _allowed(self, origin: str, method: str | None, headers: str | None) -> Headers:
        """The headers of the response to a preflight with this method and these headers."""
        lists = {"methods": self._list(self.methods, method), "headers": self._list(self.headers, headers)}
        return (
            *self._readable(origin),
            *((f"{_ALLOW}{name}", value) for name, value in lists.items() if value),
            ("access-control-max-age", str(self.max_age)),
        )

    def _readable(self, origin: str) -> Headers:
        """The headers of every response to an allowed origin."""
        exposed = "" if self.credentials and self.exposed == (_ANY,) else ", ".join(self.exposed)
        return (
            (f"{_ALLOW}origin", _ANY if self.every_origin and not self.credentials else origin),
            *([(f"{_ALLOW}credentials", "true")] if self.credentials else []),
            *([("access-control-expose-headers", exposed)] if exposed else []),
        )

    def _list(self, listed: tuple[str, ...], requested: str | None) -> str:
        if self.credentials and listed == (_ANY,):
            return requested or ""
        return ", ".join(listed)

    def render(self, into: Rendering) -> Rendering:
        """Preflights of allowed origins, all other preflights, all other requests of allowed origins."""
        preflight = envoy.ValueMatch(_METHOD, "regex", ".+")
        refused = ConditionalRoute(
            (envoy.ValueMatch(_ORIGIN, "regex", ".+"), preflight), "OPTIONS", envoy.DirectResponse(403)
        )
        if not self.origins:
            return msgspec.structs.replace(into, conditional_routes=(*into.conditional_routes, refused))
        allowed = envoy.ValueMatch(_ORIGIN, "regex", self.origins)
        answer = envoy.HeaderChanges(
            computed=self._allowed(f"%REQ({_ORIGIN})%", f"%REQ({_METHOD})%", f"%REQ({_HEADERS})%")
        )
        readable = envoy.HeaderChanges(computed=self._readable(f"%REQ({_ORIGIN})%"))
        cases = (
            ConditionalRoute((allowed, preflight), "OPTIONS", envoy.DirectResponse(204), answer),
            refused,
            ConditionalRoute((allowed,), response_headers=readable),
        )
        return msgspec.structs.replace(into, conditional_routes=(*into.conditional_routes, *cases))

    def simulate(self, exchange: Exchange) -> Exchange:
        """The response to a preflight, or headers on other responses."""
        request = exchange.original
        origin = request.header(_ORIGIN)
        if not origin:
            return exchange
        allowed = bool(self.origins) and compiled(self.origins).fullmatch(origin) is not None
        if request.method == "OPTIONS" and request.header(_METHOD):
            answer = self._answer(request, origin if allowed else "")
            return msgspec.structs.replace(exchange, answer=answer, response_changes=())
        if not allowed:
            return exchange
        changes = HeaderChanges(set=self._readable(origin))
        return msgspec.structs.replace(exchange, response_changes=(*exchange.response_changes, changes))

    def _answer(self, request: Request, origin: str) -> LocalResponse:
        if not origin:
            return LocalResponse(403)
        return LocalResponse(204, self._allowed(origin, request.header(_METHOD), request.header(_HEADERS)))


def parse(declared: HTTPRouteFilter, context: ParseContext) -> CORS:
    """Reads `cors`."""
    field, cors = f"{context.path}.cors", declared.cors
    if cors is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    if not 1 <= cors.max_age <= _LONGEST:
        raise conditions.invalid_value(f"{field}.maxAge", str(cors.max_age), "use a number of seconds, at least 1")
    return CORS(
        origins=_origins(field, cors),
        every_origin=_ANY in cors.allow_origins,
        credentials=cors.allow_credentials or False,
        methods=_list(f"{field}.allowMethods", cors.allow_methods, _METHODS),
        headers=_list(f"{field}.allowHeaders", cors.allow_headers),
        exposed=_list(f"{field}.exposeHeaders", cors.expose_headers),
        max_age=cors.max_age,
    )


def _list(path: str, values: Iterable[str], known: tuple[str, ...] = ()) -> tuple[str, ...]:
    for at, value in enumerate(values):
        if known and value not in known:
            raise conditions.unsupported_value(f"{path}[{at}]", value, f"use one of {', '.join(known)}")
        if not _NAME.fullmatch(value):
            raise conditions.invalid_value(f"{path}[{at}]", value, "use letters, digits and !#$%&'*+-.^_`|~ only")
    every = tuple(dict.fromkeys(values))
    return (_ANY,) if _ANY in every else every


def _origins(field: str, cors: HTTPCORSFilter) -> str:
    """A regular expression for all origins; empty without any."""
    if _ANY in cors.allow_origins:
        return ".+"
    written = [_origin(f"{field}.allowOrigins[{at}]", each) for at, each in enumerate(cors.allow_origins)]
    return f"(?i:{'|'.join(dict.fromkeys(written))})" if written else ""


def _origin(path: str, text: str) -> str:
    parts = _WRITTEN.fullmatch(text)
    port = int(parts[3] or _PORTS[parts[1]]) if parts else 0
    if parts is None or not 1 <= port <= 65_535:
        raise conditions.invalid_value(
            path, text, "use an origin like https://shop.example.com, https://*.example.com:8443 or *"
        )
    scheme, host = parts[1], parts[2]
    name = host.removeprefix(_ANY)
    pattern = (r"(?:\[[^\]/]+\]|[^/:]+)" if not name else "[^/:]+") if host != name else ""
    number = f"(?::{port})?" if port == _PORTS[scheme] else f":{port}"
    return f"{scheme}://{pattern}{re.escape(name)}{number}"
