"""The outcome of one request."""

import re
from collections.abc import Sequence

import msgspec

from headgate.api.meta import Key
from headgate.ir import routing as ir
from headgate.ir.hostnames import covering_hostnames, host_of
from headgate.ir.http import Exchange, HeaderChanges, LocalResponse, MirrorShare, Request
from headgate.ir.limits import Limits

from .lookup import RoutingTables


class TrafficShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the requests like this one. `backend` is a Service port; without one the Gateway answers `status`.

    `request` is what the backend sees. `response_changes` are what filters do to the answer's headers, in order.
    `limits` are the timeouts and retries.
    """

    weight: int
    backend: str | None = None
    status: int | None = None
    request: Request | None = None
    response_changes: tuple[HeaderChanges, ...] = ()
    mirrors: tuple[MirrorShare, ...] = ()
    limits: Limits = Limits()
    #: The server name of TLS to the backend; None: plain text.
    server_name: str | None = None
    #: The DNS names of the Gateway's client certificate for the backend.
    client_certificate_names: tuple[str, ...] = ()


class RequestOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes. Without a listener the connection is refused, and there are no shares.

    Otherwise the shares are the parts of such requests that each backend answers; a share with a status is answered by
    the Gateway. `winner` is the selected match. `answer` is there if the Gateway answers all requests.
    """

    listener: str | None
    hostname: str | None = None
    selected: ir.Origin | None = None
    shares: tuple[TrafficShare, ...] = ()
    answer: LocalResponse | None = None
    reason: str = ""


def ask(routing: RoutingTables, gateway: Key, request: Request) -> RequestOutcome:
    """Where a request to a Gateway goes."""
    port = routing.ports.get((gateway, "TCP", request.port))
    if port is None:
        return RequestOutcome(listener=None, reason=f"Gateway {gateway} has no valid listener on port {request.port}")
    listener = choose_listener(port, request)
    if (closed := _closed(port, listener, request)) is not None:
        return RequestOutcome(listener=None, reason=closed)
    if listener is None:
        return _own(404, f"no listener on port {port.number} for host {request.host}", listener="")
    return _on_listener(routing, gateway, listener, request)


def _on_listener(routing: RoutingTables, gateway: Key, listener: ir.Listener, request: Request) -> RequestOutcome:
    host = virtual_host(routing, gateway, listener, request)
    if host is None:
        return _own(404, f"no hostname of the listener is {request.host}", listener=listener.name)
    if host.direct_response is not None:
        answer = host.direct_response
        return _own(answer.status, answer.reason, listener=listener.name, hostname=host.hostname)
    request = normalize_path(_before_routing(host, request))
    route = next((route for route in host.routes if route.match.mismatch(request) is None), None)
    if route is None:
        return _own(404, "no route matches", listener=listener.name, hostname=host.hostname)
    return _through(routing, gateway, host, route, request)


def _closed(port: ir.Port, listener: ir.Listener | None, request: Request) -> str | None:
    """Why the connection is closed, or None if it is not."""
    if listener is None:
        return f"no listener on port {port.number} for SNI {request.sni or '(none)'}" if port.family == "TLS" else None
    validation = listener.client_traffic.client_validation
    if validation is not None and validation.required and not request.client_certificate_valid:
        return f"listener {listener.name!r} requires a client certificate"
    return None


def choose_listener(port: ir.Port, request: Request) -> ir.Listener | None:
    """The listener with the most specific hostname that covers the SNI (HTTPS) or the host (HTTP)."""
    if port.family == "HTTP":
        return ir.select_listener(port.listeners, host_of(request.host))
    if request.sni is None:
        return next((listener for listener in port.listeners if not listener.hostname), None)
    return ir.select_listener(port.listeners, request.sni.lower())


def virtual_host(
    routing: RoutingTables, gateway: Key, listener: ir.Listener, request: Request
) -> ir.VirtualHost | None:
    """The virtual host with the most specific hostname that covers the request's host."""
    host = host_of(request.host)
    configuration = ir.configuration_name(listener)
    keys = ((gateway, configuration, listener.name, hostname) for hostname in covering_hostnames(host))
    return next((found for found in map(routing.hosts.get, keys) if found is not None), None)


def _own(status: int, reason: str, *, listener: str, hostname: str | None = None) -> RequestOutcome:
    share = TrafficShare(weight=1, status=status)
    return RequestOutcome(
        listener=listener, hostname=hostname, shares=(share,), answer=LocalResponse(status), reason=reason
    )


def _before_routing(host: ir.VirtualHost, request: Request) -> Request:
    """The request after the filters of the listener, by which a route is selected."""
    return _filtered(host.filters, Exchange(request=request, original=request, hostname=host.hostname)).request


def _through(
    routing: RoutingTables, gateway: Key, host: ir.VirtualHost, route: ir.Route, request: Request
) -> RequestOutcome:
    security, arriving = route.security, _arriving(host, route, request)
    exchange = _filtered((*security.filters, *route.filters), arriving)
    answer, reason = exchange.answer, str(route.match)
    if security.closed is not None:
        exchange, answer, reason = arriving, LocalResponse(security.closed.status), security.closed.reason
    elif answer is None and isinstance(route.action, ir.DirectResponse):
        answer, reason = LocalResponse(route.action.status), route.action.reason
    if answer is not None:
        own = TrafficShare(weight=1, status=answer.status, response_changes=exchange.response_changes)
        shares: tuple[TrafficShare, ...] = (own,)
    else:
        forwarded = _shares(routing, gateway, route.action, exchange)
        shares = tuple(msgspec.structs.replace(share, limits=route.limits) for share in forwarded)
    return RequestOutcome(
        listener=host.listener,
        hostname=host.hostname,
        selected=route.origin,
        shares=shares,
        answer=answer,
        reason=reason,
    )


def _arriving(host: ir.VirtualHost, route: ir.Route, request: Request) -> Exchange:
    prefix = route.match.path.value if route.match.path.kind == "PathPrefix" else ""
    return Exchange(
        request=request, original=request, hostname=host.hostname, matched_prefix=prefix, secure=route.secure
    )


def _filtered(filters: Sequence[ir.Filter], exchange: Exchange) -> Exchange:
    for each in filters:
        exchange = each.simulate(exchange)
        if exchange.answer is not None:
            break
    return exchange


def _shares(
    routing: RoutingTables, gateway: Key, action: ir.Forward | ir.DirectResponse, exchange: Exchange
) -> list[TrafficShare]:
    if isinstance(action, ir.DirectResponse):
        return []
    weights: tuple[int, ...] = (1,)
    if action.weights_key:
        declared = routing.shares.get((gateway, action.weights_key))
        weights = declared.weights if declared else ()
    return [
        _share(routing, gateway, target, weight, exchange)
        for target, weight in zip(action.targets, weights, strict=True)
        if weight > 0
    ]


def _share(routing: RoutingTables, gateway: Key, target: ir.Target, weight: int, exchange: Exchange) -> TrafficShare:
    if target.backend is None:
        return TrafficShare(weight=weight, status=target.unresolved_status, response_changes=exchange.response_changes)
    # Headers of a backendRef are changed on the way out after the rule's, and on the way back before them.
    at_backend = _filtered(target.filters, msgspec.structs.replace(exchange, response_changes=()))
    changes = (*at_backend.response_changes, *exchange.response_changes)
    if at_backend.answer is not None:
        return TrafficShare(weight=weight, status=at_backend.answer.status, response_changes=changes)
    endpoints = routing.endpoints.get(target.backend)
    if endpoints is None or not endpoints.endpoints:
        return TrafficShare(weight=weight, backend=str(target.backend), status=503, response_changes=changes)
    tls = target.backend.traffic.tls
    certificate = routing.client_certificates.get(gateway) if tls and not tls.own_client_certificate else None
    return TrafficShare(
        weight=weight,
        backend=str(target.backend),
        request=at_backend.request,
        response_changes=changes,
        mirrors=at_backend.mirrors,
        server_name=tls.server_name if tls else None,
        client_certificate_names=certificate.names if certificate else (),
    )


_DOT = re.compile(r"%2e", re.IGNORECASE)


def normalize_path(request: Request) -> Request:
    """The request with its path as Envoy normalizes it before it matches: without dot segments."""
    path, mark, query = request.target.partition("?")
    if "." not in path and "%2" not in path.lower() and "\\" not in path:
        return request
    kept: list[str] = []
    segments = [_DOT.sub(".", segment) for segment in path.replace("\\", "/").split("/")[1:]]
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        if segment == "..":
            if kept:
                kept.pop()
            kept += [""] * last
        elif segment == ".":
            kept += [""] * last
        else:
            kept.append(segment)
    return msgspec.structs.replace(request, target="/" + "/".join(kept) + mark + query)
