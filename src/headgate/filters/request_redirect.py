"""RequestRedirect: answer with another location (`HTTPRequestRedirectFilter`, support: core; 303, 307, 308 extended).

What is not given stays: the host of the request, its path. The port is the given one; else that of the given scheme;
else the listener's. `:80` with http and `:443` with https are left out. The rule needs no backendRefs.

    filters:
    - type: RequestRedirect
      requestRedirect: {scheme: https, statusCode: 301}
"""

from typing import ClassVar, Literal, cast

import msgspec

from headgate.api.gateway import HTTPRouteFilter
from headgate.conditions import http_route as say
from headgate.envoy.routes import Redirect
from headgate.ir.hostnames import without_port
from headgate.ir.http import Answer, Exchange

from .base import HTTPFilter, Rendering, Scope, Where
from .base import hostname as read_hostname
from .paths import NewPath, new_path

TYPE = "RequestRedirect"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_STATUSES = (301, 302, 303, 307, 308)


class RequestRedirect(HTTPFilter, frozen=True):
    """Another location."""

    PHASE: ClassVar[int] = 90
    TERMINAL: ClassVar[bool] = True
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.RULE,)

    status: int
    scheme: str = ""
    hostname: str = ""
    port: int = 0
    path: NewPath | None = None

    def _target(self, hostname: str, listener: int, *, secure: bool) -> tuple[str, int]:
        """Host and port of the location as far as they are set; an empty host is the one that the client sent."""
        own = "https" if secure else "http"
        scheme = self.scheme or own
        port = self.port or (_DEFAULT_PORTS[scheme] if self.scheme else listener)
        if port != _DEFAULT_PORTS[scheme]:
            return self.hostname, port
        # A scheme's default port is not printed. But where the listener's own port is not the default one, the Host
        # header has it and Envoy would keep it: then the host is said without it, or, for a wildcard, the right port.
        if self.hostname or listener == _DEFAULT_PORTS[own]:
            return self.hostname, 0
        exact = bool(hostname) and not hostname.startswith("*")
        return (hostname, 0) if exact else ("", port)

    def render(self, into: Rendering) -> Rendering:
        """A redirect instead of a backend."""
        full = self.path.value if self.path and self.path.kind == "full" else ""
        host, port = self._target(into.hostname, into.port, secure=into.secure)
        redirect = Redirect(
            status=cast("Literal[301, 302, 303, 307, 308]", self.status),
            scheme=self.scheme,
            host=host,
            port=port,
            full_path=full,
            path=self.path.rewrite(into.prefix) if self.path and not full else None,
        )
        return msgspec.structs.replace(into, redirect=redirect)

    def simulate(self, exchange: Exchange) -> Exchange:
        """The answer with its location."""
        request = exchange.request
        host, port = self._target(exchange.hostname, request.port, secure=exchange.secure)
        own = "https" if exchange.secure else "http"
        scheme = self.scheme or own
        if port:
            host = f"{host or without_port(request.host)}:{port}"
        elif not host:
            host = request.host if scheme == own else request.host.removesuffix(f":{_DEFAULT_PORTS[own]}")
        path = self.path.of(request.path, exchange.matched_prefix) if self.path else request.path
        _, mark, query = request.target.partition("?")
        location = f"{scheme}://{host}{path}{mark}{query}"
        return msgspec.structs.replace(exchange, answer=Answer(self.status, (("location", location),)))


def parse(found: HTTPRouteFilter, where: Where) -> RequestRedirect:
    """Reads `requestRedirect`."""
    field, asked = f"{where.path}.requestRedirect", found.request_redirect
    if asked is None:
        raise say.bad_value(field, "nothing", f"a filter of type {TYPE} needs this field")
    if asked.scheme not in (None, "http", "https"):
        raise say.unsupported(f"{field}.scheme", str(asked.scheme), "http and https are")
    if asked.status_code not in _STATUSES:
        raise say.unsupported(f"{field}.statusCode", str(asked.status_code), "301, 302, 303, 307 and 308 are")
    return RequestRedirect(
        status=asked.status_code,
        scheme=asked.scheme or "",
        hostname=read_hostname(f"{field}.hostname", asked.hostname),
        port=asked.port or 0,
        path=new_path(f"{field}.path", asked.path, where),
    )
