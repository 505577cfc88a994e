"""External authorization (`envoy.filters.http.ext_authz`): a server decides whether a request continues.

One slot per protocol. The per-route message names the server. The filter fails closed: 503 if the server cannot be
reached. Copies before routing may change the headers, the path and the method by which the route is selected.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from headgate.envoy import protos

from .slot import FilterOrder, Slot

Protocol = Literal["grpc", "http"]

#: Seconds to wait for the answer of a server.
TIMEOUT = 10
#: The status if the server does not answer: the request was not denied, it could not be decided.
UNREACHABLE = 503
#: Headers of the server's answer that describe that answer, and the host. They never change the request.
_NOT_COPIED = (
    "host|:authority|:scheme|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|content-type|date|server|vary"
    "|x-envoy-.*"
)
#: A cluster that does not exist: the per-route message always names another one.
_NO_CLUSTER = "no-authorization-server"


class AuthorizationService(msgspec.Struct, frozen=True):
    """An authorization server.

    With `http`: `path` is prepended to the request's path. The server gets host, method, path, content-length and
    authorization, and the `allowed_headers`. The backend gets the `allowed_response_headers` of the answer (empty:
    all). `max_request_bytes` is how much of the body the server gets (a longer body: 413), 0 for nothing.
    """

    cluster: str
    protocol: Protocol
    path: str = ""
    allowed_headers: tuple[str, ...] = ()
    allowed_response_headers: tuple[str, ...] = ()
    max_request_bytes: int = 0
    #: HTTP's `:authority` of the calls. Envoy's default is the cluster's name, whose slashes some servers reject.
    authority: str = ""


def _config(protocol: Protocol, *, before_routing: bool) -> bytes:
    """The protocol here decides what is sent where a per-route message leaves something open."""
    message = protos.ExtAuthz(transport_api_version="V3")
    if before_routing:
        message.clear_route_cache = True
        message.decoder_header_mutation_rules.allow_all_routing.value = True  # path and method; the host is rejected
    message.status_on_error.code = UNREACHABLE
    message.decoder_header_mutation_rules.disallow_expression.regex = f"(?i:{_NOT_COPIED})"
    if protocol == "grpc":
        message.grpc_service.envoy_grpc.cluster_name = _NO_CLUSTER
    else:
        message.http_service.server_uri.uri = f"http://{_NO_CLUSTER}"
        message.http_service.server_uri.cluster = _NO_CLUSTER
        message.http_service.server_uri.timeout.seconds = TIMEOUT
    return protos.packed(message)


def _slot(protocol: Protocol, position: int) -> Slot:
    return Slot(
        name=f"headgate.ext_authz.{protocol}",
        order=FilterOrder.EXT_AUTHZ,
        config=_config(protocol, before_routing=False),
        off=protos.packed(protos.ExtAuthzPerRoute(disabled=True)),
        position=position,
        before_routing=_config(protocol, before_routing=True),
    )


SLOT_OF: dict[Protocol, Slot] = {"http": _slot("http", 0), "grpc": _slot("grpc", 1)}
SLOTS = tuple(SLOT_OF.values())


def per_route(service: AuthorizationService) -> bytes:
    """The message of a route, a weighted cluster or a virtual host."""
    message = protos.ExtAuthzPerRoute()
    settings = message.check_settings
    if service.protocol == "grpc":
        settings.grpc_service.envoy_grpc.cluster_name = service.cluster
        settings.grpc_service.envoy_grpc.authority = service.authority
        settings.grpc_service.timeout.seconds = TIMEOUT
    else:
        _http(settings.http_service, service)
    if service.max_request_bytes:
        settings.with_request_body.max_request_bytes = service.max_request_bytes
    else:
        settings.disable_request_body_buffering = True
    return protos.packed(message)


def _http(message: Any, service: AuthorizationService) -> None:
    message.server_uri.uri = f"http://{service.cluster}"
    message.server_uri.cluster = service.cluster
    message.server_uri.timeout.seconds = TIMEOUT
    message.path_prefix = service.path
    for name in service.allowed_headers:
        message.authorization_request.headers_to_add.add(key=name, value=f"%REQ({name})%")
    allowed = message.authorization_response.allowed_upstream_headers
    if service.allowed_response_headers:
        _exactly(allowed, service.allowed_response_headers)
    else:
        allowed.patterns.add().safe_regex.regex = ".+"


def _exactly(matcher: Any, names: Iterable[str]) -> None:
    for name in names:
        matcher.patterns.add(exact=name, ignore_case=True)
