"""RequestRedirect: answers with another location (`HTTPRequestRedirectFilter`, support: core; 303, 307, 308 extended).

Fields that are not set keep the host and the path of the request. The port is the declared one, else the default of
the declared scheme, else the listener's. `:80` with http and `:443` with https are omitted. The rule needs no
backendRefs.

    filters:
    - type: RequestRedirect
      requestRedirect: {scheme: https, statusCode: 301}
"""

import re
from typing import ClassVar, Literal, cast

import msgspec

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as conditions
from headgate.envoy.routes import UNCHANGED, HeaderChanges, Redirect
from headgate.ir.http import Exchange, LocalResponse
from headgate.rendering import Rendering

from .base import HTTPFilter, ParseContext, Scope, read_hostname
from .paths import PathModifier, path_modifier

TYPE = "RequestRedirect"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT = re.compile(r":[0-9]*$")
#: The location header without a port.
_WITHOUT_PORT = (
    "location",
    r"%CEL(re.extract(response.headers['location'], '^([a-z]+://(\\[[^\\]]*\\]|[^/:]*))(:[0-9]*)?(.*)$', '\\1\\4'))%",
)
_STATUSES = (301, 302, 303, 307, 308)


class RequestRedirect(HTTPFilter, frozen=True):
    """The declared parts of the location."""

    PHASE: ClassVar[int] = 90
    TERMINAL: ClassVar[bool] = True
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.RULE,)

    status: int
    scheme: str = ""
    hostname: str = ""
    port: int = 0
    path: PathModifier | None = None

    def _port(self, listener: int, *, secure: bool) -> int:
        """The port of the location; 0 if it is the default of the scheme, which is omitted."""
        scheme = self.scheme or _scheme(secure)
        port = self.port or (_DEFAULT_PORTS[scheme] if self.scheme else listener)
        return 0 if port == _DEFAULT_PORTS[scheme] else port

    def _host(self, served: str, port: int) -> str:
        """The host of the location if it does not depend on the request; empty: the Host header."""
        exact = "" if port or served.startswith("*") else served
        return self.hostname or exact

    def render(self, into: Rendering) -> Rendering:
        """A redirect instead of a backend."""
        full = self.path.value if self.path and self.path.kind == "full" else ""
        port = self._port(into.port, secure=into.secure)
        redirect = Redirect(
            status=cast("Literal[301, 302, 303, 307, 308]", self.status),
            scheme=self.scheme,
            host=self._host(into.hostname, port),
            port=port,
            full_path=full,
            path=self.path.rewrite(into.prefix) if self.path and not full else None,
        )
        # If neither host nor port is set, Envoy keeps the port of the Host header: it is removed again.
        alone = UNCHANGED if redirect.host or port else HeaderChanges(computed=(_WITHOUT_PORT,))
        changes = into.response_headers.then(alone)
        return msgspec.structs.replace(into, redirect=redirect, response_headers=changes)

    def simulate(self, exchange: Exchange) -> Exchange:
        """The answer with its location."""
        request = exchange.request
        port = self._port(request.port, secure=exchange.secure)
        scheme = self.scheme or _scheme(exchange.secure)
        host = self._host(exchange.hostname, port) or _PORT.sub("", request.host)
        if port:
            host = f"{host}:{port}"
        path = self.path.of(request.path, exchange.matched_prefix) if self.path else request.path
        _, mark, query = request.target.partition("?")
        location = f"{scheme}://{host}{path}{mark}{query}"
        return msgspec.structs.replace(exchange, answer=LocalResponse(self.status, (("location", location),)))


def _scheme(secure: bool) -> str:
    return "https" if secure else "http"


def parse(declared: HTTPRouteFilter, context: ParseContext) -> RequestRedirect:
    """Reads `requestRedirect`."""
    field, redirect = f"{context.path}.requestRedirect", declared.request_redirect
    if redirect is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    if redirect.scheme not in (None, "http", "https"):
        raise conditions.unsupported_value(f"{field}.scheme", str(redirect.scheme), "use http or https")
    if redirect.status_code not in _STATUSES:
        raise conditions.unsupported_value(
            f"{field}.statusCode", str(redirect.status_code), "use 301, 302, 303, 307 or 308"
        )
    return RequestRedirect(
        status=redirect.status_code,
        scheme=redirect.scheme or "",
        hostname=read_hostname(f"{field}.hostname", redirect.hostname),
        port=redirect.port or 0,
        path=path_modifier(f"{field}.path", redirect.path, context),
    )
