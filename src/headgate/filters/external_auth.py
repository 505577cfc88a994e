"""ExternalAuth: a server authorizes requests (`HTTPExternalAuthFilter`, experimental; GEP-1494).

The server gets the request as the client sent it, before any other filter applies. Denied requests never reach the
backend. The filter fails closed: 503 if the server is unreachable, 500 if its backendRef does not resolve. On a
listener (GEP-5224) it applies before a route is selected, and the server's answer may change which one that is.

    filters:
    - type: ExternalAuth
      externalAuth:
        protocol: HTTP
        backendRef: {name: auth, port: 8080}
        http: {path: /check, allowedHeaders: [cookie], allowedResponseHeaders: [x-user]}
        forwardBody: {maxSize: 4096}
"""

import re
from typing import ClassVar

import msgspec

from headgate.api.gateway import HTTPAuthConfig, HTTPExternalAuthFilter, HTTPRouteFilter
from headgate.conditions import Invalid, Problem
from headgate.conditions import http_route as conditions
from headgate.envoy.http_filters import ext_authz
from headgate.envoy.http_filters.ext_authz import AuthorizationService
from headgate.envoy.routes import DirectResponse
from headgate.ir.http import Exchange, LocalResponse
from headgate.ir.routing import Backend
from headgate.rendering import PerRoute, Rendering, cluster_name, host_and_port

from .base import HTTPFilter, ParseContext, Scope

TYPE = "ExternalAuth"

_PATH = re.compile(r"/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*")
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")


class ExternalAuth(HTTPFilter, frozen=True):
    """External authorization by `backend`, configured by `service` (whose cluster and authority are still empty).
    Without a backend every request is answered with 500.
    """

    PHASE: ClassVar[int] = 10
    SCOPES: ClassVar[tuple[Scope, ...]] = (Scope.RULE, Scope.BACKEND, Scope.LISTENER)

    backend: Backend | None
    service: AuthorizationService
    unresolved: Problem | None = None

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The authorization server."""
        return (self.backend,) if self.backend else ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the reference to the server does not resolve."""
        return (self.unresolved,) if self.unresolved else ()

    def render(self, into: Rendering) -> Rendering:
        """Configuration of the ext_authz filter of the protocol; without a server a 500."""
        if self.backend is None:
            return msgspec.structs.replace(into, direct_response=DirectResponse(500))
        cluster = cluster_name(self.backend)
        service = msgspec.structs.replace(self.service, cluster=cluster, authority=host_and_port(self.backend))
        slot = ext_authz.SLOT_OF[service.protocol]
        return into.with_filter(slot.name, PerRoute(ext_authz.per_route(service), (cluster,)))

    def simulate(self, exchange: Exchange) -> Exchange:
        """Assumes that the server allows the request."""
        return exchange if self.backend else msgspec.structs.replace(exchange, answer=LocalResponse(500))


def parse(declared: HTTPRouteFilter, context: ParseContext) -> ExternalAuth:
    """Reads `externalAuth`."""
    field, auth = f"{context.path}.externalAuth", declared.external_auth
    if auth is None:
        raise conditions.missing_value(field, f"set it for a filter of type {TYPE}")
    service = _service(field, auth)
    try:
        backend = context.backend(f"{field}.backendRef", auth.backend_ref)
    except Invalid as error:
        return ExternalAuth(None, service, error.problem)
    if service.protocol == "grpc":
        backend = msgspec.structs.replace(backend, protocol="http2")
    return ExternalAuth(backend, service)


def _service(field: str, auth: HTTPExternalAuthFilter) -> AuthorizationService:
    body = auth.forward_body.max_size if auth.forward_body else 0
    if auth.protocol == "GRPC":
        if auth.http is not None:
            raise conditions.unsupported_value(f"{field}.http", "http", "use grpc for the settings of protocol GRPC")
        if auth.grpc is not None and auth.grpc.allowed_headers:
            names = ", ".join(auth.grpc.allowed_headers)
            raise conditions.unsupported_value(f"{field}.grpc.allowedHeaders", names, "remove it: all headers are sent")
        return AuthorizationService("", "grpc", max_request_bytes=body)
    if auth.protocol != "HTTP":
        raise conditions.unsupported_value(f"{field}.protocol", auth.protocol, "use HTTP or GRPC")
    if auth.grpc is not None:
        raise conditions.unsupported_value(f"{field}.grpc", "grpc", "use http for the settings of protocol HTTP")
    http = auth.http or HTTPAuthConfig()
    if http.path and not _PATH.fullmatch(http.path):
        raise conditions.invalid_value(
            f"{field}.http.path", http.path, "use a path that starts with / and contains neither ? nor #"
        )
    for name in (*http.allowed_headers, *http.allowed_response_headers):
        if not _NAME.fullmatch(name):
            raise conditions.invalid_value(f"{field}.http", name, "use a header name, which is a token of RFC 7230")
    return AuthorizationService(
        "", "http", http.path.rstrip("/"), http.allowed_headers, http.allowed_response_headers, body
    )
