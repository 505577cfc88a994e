"""A server that is asked before a request goes on (`envoy.filters.http.ext_authz`).

Two filters stand in every listener, disabled, one for each protocol; routes and weighted clusters enable one of them
and say which server is asked, so that a new one drains no listener.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from . import protos
from .listeners import HttpFilter

#: The name of the filter by protocol.
NAMES = {"grpc": "headgate.ext_authz.grpc", "http": "headgate.ext_authz.http"}
#: Seconds after which a server that has not answered counts as one that cannot be reached.
PATIENCE = 10
#: What a client is told when the server cannot be reached: not that it may not, but that nobody could say.
UNREACHABLE = 503
#: Headers of an answer that say something about that answer, and the host, which nobody may change on the way.
_OF_THE_ANSWER = (
    "host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|content-type|date|server|vary"
    "|x-envoy-.*"
)


class Check(msgspec.Struct, frozen=True):
    """Who is asked, in which protocol.

    With `http`: `path` comes before the request's own; `headers` are sent beside host, method, path, content-length
    and authorization; `answered` are taken over from the answer to the backend (empty: all). `body` is how many bytes
    of the body are sent (a longer one is refused with 413), 0 for none.
    """

    cluster: str
    protocol: Literal["grpc", "http"]
    path: str = ""
    headers: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    body: int = 0
    #: What calls are for: without it Envoy says the cluster's name, which some servers refuse for its slashes.
    authority: str = ""


def _filter(protocol: Literal["grpc", "http"]) -> HttpFilter:
    """Which protocol the filter itself has decides what is sent when a route says nothing else; the server that it
    names does not exist, and a route always names another one.
    """
    message = protos.ExtAuthz(transport_api_version="V3")
    message.status_on_error.code = UNREACHABLE
    message.decoder_header_mutation_rules.disallow_expression.regex = f"(?i:{_OF_THE_ANSWER})"
    if protocol == "grpc":
        message.grpc_service.envoy_grpc.cluster_name = "nobody"
    else:
        _http(message.http_service, Check("nobody", "http"))
    return HttpFilter(NAMES[protocol], protos.pack(message).SerializeToString(deterministic=True))


def per_route(check: Check) -> bytes:
    """The configuration of a route or of a weighted cluster."""
    found = protos.ExtAuthzPerRoute()
    settings = found.check_settings
    if check.protocol == "grpc":
        settings.grpc_service.envoy_grpc.cluster_name = check.cluster
        settings.grpc_service.envoy_grpc.authority = check.authority
        settings.grpc_service.timeout.seconds = PATIENCE
    else:
        _http(settings.http_service, check)
    if check.body:
        settings.with_request_body.max_request_bytes = check.body
    else:
        settings.disable_request_body_buffering = True
    return bytes(protos.pack(found).SerializeToString(deterministic=True))


def _http(service: Any, check: Check) -> None:
    service.server_uri.uri = f"http://{check.cluster}"
    service.server_uri.cluster = check.cluster
    service.server_uri.timeout.seconds = PATIENCE
    service.path_prefix = check.path
    for name in check.headers:
        service.authorization_request.headers_to_add.add(key=name, value=f"%REQ({name})%")
    taken = service.authorization_response.allowed_upstream_headers
    if check.answered:
        _exactly(taken, check.answered)
    else:
        taken.patterns.add().safe_regex.regex = ".+"


def _exactly(matcher: Any, names: Iterable[str]) -> None:
    for name in names:
        matcher.patterns.add(exact=name, ignore_case=True)


#: What every listener has, disabled.
FILTERS = (_filter("http"), _filter("grpc"))
