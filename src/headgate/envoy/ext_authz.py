"""A server that is asked before a request goes on (`envoy.filters.http.ext_authz`).

Two filters stand in every listener, disabled, one for each protocol; routes and weighted clusters enable one of them
and say which server is asked, so that a new one drains no listener. Before them stand pairs for the filters of a
listener of the API (GEP-5224), which virtual hosts enable: what those servers answer may change the route. Some stand
there before anybody asks for one, since a connection that is open keeps the filters that it began with: one that had to
be added would let everything through on it.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from . import protos
from .listeners import HttpFilter

Protocol = Literal["grpc", "http"]

#: How many servers may be asked before a route is chosen (`ListenerFilters.requests`).
MOST = 16
#: For how many there is room in every listener. One that asks more has room for all that there may be: a pair costs
#: 18 kB in every chain of every Envoy.
ROOM = 2
#: Seconds after which a server that has not answered counts as one that cannot be reached.
TIMEOUT = 10
#: What a client is told when the server cannot be reached: not that it may not, but that nobody could say.
UNREACHABLE = 503
#: Headers of an answer that say something about that answer, and the host, which nobody may change on the way.
_OF_THE_ANSWER = (
    "host|:authority|:scheme|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|content-type|date|server|vary"
    "|x-envoy-.*"
)


class AuthorizationService(msgspec.Struct, frozen=True):
    """Who is asked, in which protocol.

    With `http`: `path` comes before the request's own; `headers` are sent beside host, method, path, content-length
    and authorization; `answered` are taken over from the answer to the backend (empty: all). `body` is how many bytes
    of the body are sent (a longer one is refused with 413), 0 for none.
    """

    cluster: str
    protocol: Protocol
    path: str = ""
    allowed_headers: tuple[str, ...] = ()
    allowed_response_headers: tuple[str, ...] = ()
    max_request_bytes: int = 0
    #: What calls are for: without it Envoy says the cluster's name, which some servers refuse for its slashes.
    authority: str = ""


def name(protocol: Protocol, before: int | None = None) -> str:
    """The filter of a protocol: the one that routes enable, or the one at a place of those before routing."""
    return f"headgate.ext_authz.{protocol}" if before is None else f"headgate.before.{before}.{protocol}"


def _filter(protocol: Protocol, before: int | None = None) -> HttpFilter:
    """Which protocol the filter itself has decides what is sent when a route says nothing else; the server that it
    names does not exist, and a route always names another one.
    """
    message = protos.ExtAuthz(transport_api_version="V3")
    if before is not None:
        message.clear_route_cache = True
        message.decoder_header_mutation_rules.allow_all_routing.value = True  # path and method; the host is refused
    message.status_on_error.code = UNREACHABLE
    message.decoder_header_mutation_rules.disallow_expression.regex = f"(?i:{_OF_THE_ANSWER})"
    if protocol == "grpc":
        message.grpc_service.envoy_grpc.cluster_name = "nobody"
    else:
        _http(message.http_service, AuthorizationService("nobody", "http"))
    return HttpFilter(name(protocol, before), protos.pack(message).SerializeToString(deterministic=True))


def per_route(check: AuthorizationService) -> bytes:
    """The configuration of a route, of a weighted cluster or of a virtual host."""
    found = protos.ExtAuthzPerRoute()
    settings = found.check_settings
    if check.protocol == "grpc":
        settings.grpc_service.envoy_grpc.cluster_name = check.cluster
        settings.grpc_service.envoy_grpc.authority = check.authority
        settings.grpc_service.timeout.seconds = TIMEOUT
    else:
        _http(settings.http_service, check)
    if check.max_request_bytes:
        settings.with_request_body.max_request_bytes = check.max_request_bytes
    else:
        settings.disable_request_body_buffering = True
    return bytes(protos.pack(found).SerializeToString(deterministic=True))


def _http(service: Any, check: AuthorizationService) -> None:
    service.server_uri.uri = f"http://{check.cluster}"
    service.server_uri.cluster = check.cluster
    service.server_uri.timeout.seconds = TIMEOUT
    service.path_prefix = check.path
    for name in check.allowed_headers:
        service.authorization_request.headers_to_add.add(key=name, value=f"%REQ({name})%")
    taken = service.authorization_response.allowed_upstream_headers
    if check.allowed_response_headers:
        _exactly(taken, check.allowed_response_headers)
    else:
        taken.patterns.add().safe_regex.regex = ".+"


def _exactly(matcher: Any, names: Iterable[str]) -> None:
    for name in names:
        matcher.patterns.add(exact=name, ignore_case=True)


_PROTOCOLS: tuple[Protocol, ...] = ("http", "grpc")

_BEFORE = tuple(_filter(protocol, at) for at in range(MOST) for protocol in _PROTOCOLS)
_OF_ROUTES = tuple(map(_filter, _PROTOCOLS))
_OFF = bytes(protos.pack(protos.ExtAuthzPerRoute(disabled=True)).SerializeToString(deterministic=True))
#: By filter, for a virtual host whose routes enable them: they are there, and do nothing unless the route says so.
OFF = {each.name: _OFF for each in _OF_ROUTES}


def filters(before: int) -> tuple[HttpFilter, ...]:
    """What a listener has, disabled, when so many servers are asked before a route is chosen: those for them in their
    order, then those of routes.
    """
    return (*_BEFORE[: len(_PROTOCOLS) * (ROOM if before <= ROOM else MOST)], *_OF_ROUTES)
