"""The outcome of one request."""

import re
from collections.abc import Sequence

import msgspec

from headgate.api.meta import Key
from headgate.ir import routing as ir
from headgate.ir.hostnames import covering_hostnames, without_port
from headgate.ir.http import Answer, Exchange, HeaderChanges, Mirrored, Request
from headgate.ir.limits import Limits
from headgate.world import Routing


class TrafficShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the requests like this one. `backend` is a Service port; without one the Gateway answers `status`.

    `request` is what the backend sees; `response_changes` are what filters do to the answer's headers, in order;
    `limits` say what becomes of a backend that is slow or fails.
    """

    weight: int
    backend: str | None = None
    status: int | None = None
    request: Request | None = None
    response_changes: tuple[HeaderChanges, ...] = ()
    mirrors: tuple[Mirrored, ...] = ()
    limits: Limits = Limits()
    #: Of TLS to the backend: the server name that is sent (None: plain text), and the names on the certificate shown.
    server_name: str | None = None
    client_certificate_names: tuple[str, ...] = ()


class RequestOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes. Without a listener the connection is refused, and there are no shares.

    Otherwise the shares say who answers how many of such requests; one share with a status is the Gateway's own answer.
    """

    listener: str | None
    hostname: str | None = None
    winner: ir.Origin | None = None
    shares: tuple[TrafficShare, ...] = ()
    answer: Answer | None = None
    reason: str = ""


def ask(routing: Routing, gateway: Key, request: Request) -> RequestOutcome:
    """Where a request to a Gateway goes."""
    port = routing.ports.get((gateway, "TCP", request.port))
    if port is None:
        return RequestOutcome(listener=None, reason=f"Gateway {gateway} has no valid listener on port {request.port}")
    listener = choose_listener(port, request)
    if (closed := _closed(port, listener, request)) is not None:
        return RequestOutcome(listener=None, reason=closed)
    if listener is None:
        return _own(404, f"no listener on port {port.number} for host {request.host}", listener="")
    host = virtual_host(routing, gateway, listener, request)
    if host is None or host.direct_response is not None:
        refuse = (host.direct_response if host else None) or ir.DirectResponse(
            404, f"no hostname of the listener is {request.host}"
        )
        return _own(refuse.status, refuse.reason, listener=listener.name, hostname=host.hostname if host else None)
    request = normalised(_passed(host, request))
    found = next((route for route in host.routes if route.match.mismatch(request) is None), None)
    if found is None:
        return _own(404, "no route matches", listener=listener.name, hostname=host.hostname)
    return _through(routing, gateway, listener, host, found, request)


def _closed(port: ir.Port, listener: ir.Listener | None, request: Request) -> str | None:
    """Why the connection gets nowhere, or None if it does."""
    if listener is None:
        return f"no listener on port {port.number} for SNI {request.sni or '(none)'}" if port.family == "TLS" else None
    validation = listener.client_traffic.client_validation
    if validation is not None and validation.required and not request.client_certificate_valid:
        return f"listener {listener.name!r} wants a certificate of the client"
    return None


def choose_listener(port: ir.Port, request: Request) -> ir.Listener | None:
    """By SNI for HTTPS, by host otherwise: the most specific hostname that covers it."""
    if port.family == "HTTP":
        return ir.select_listener(port.listeners, without_port(request.host))
    if request.sni is None:
        return next((each for each in port.listeners if not each.hostname), None)
    return ir.select_listener(port.listeners, request.sni.lower())


def virtual_host(routing: Routing, gateway: Key, listener: ir.Listener, request: Request) -> ir.VirtualHost | None:
    """The one with the most specific hostname that covers the request's host."""
    host = without_port(request.host)
    configuration = ir.configuration_name(listener)
    candidates = (routing.hosts.get((gateway, configuration, listener.name, each)) for each in covering_hostnames(host))
    return next((each for each in candidates if each is not None), None)


def _own(status: int, why: str, *, listener: str, hostname: str | None = None) -> RequestOutcome:
    share = TrafficShare(weight=1, status=status)
    return RequestOutcome(listener=listener, hostname=hostname, shares=(share,), answer=Answer(status), reason=why)


def _passed(host: ir.VirtualHost, request: Request) -> Request:
    """What the filters of the listener make of a request before a route is chosen."""
    arriving = Exchange(request=request, arrived=request, hostname=host.hostname)
    return _filtered(host.filters, arriving).request


def _through(
    routing: Routing, gateway: Key, listener: ir.Listener, host: ir.VirtualHost, found: ir.Route, request: Request
) -> RequestOutcome:
    exchange = _filtered(found.filters, _arriving(host, found, request))
    answer = exchange.answer
    why = ""
    if answer is None and isinstance(found.action, ir.DirectResponse):
        answer, why = Answer(found.action.status), found.action.reason
    if answer is not None:
        own = TrafficShare(weight=1, status=answer.status, response_changes=exchange.response_changes)
        shares: tuple[TrafficShare, ...] = (own,)
    else:
        every = _shares(routing, gateway, found.action, exchange)
        shares = tuple(msgspec.structs.replace(share, limits=found.limits) for share in every)
    return RequestOutcome(
        listener=listener.name,
        hostname=host.hostname,
        winner=found.origin,
        shares=shares,
        answer=answer,
        reason=why or f"{found.match}",
    )


def _arriving(host: ir.VirtualHost, found: ir.Route, request: Request) -> Exchange:
    prefix = found.match.path.value if found.match.path.kind == "PathPrefix" else ""
    return Exchange(
        request=request, arrived=request, hostname=host.hostname, matched_prefix=prefix, secure=found.secure
    )


def _filtered(filters: Sequence[ir.Filter], exchange: Exchange) -> Exchange:
    for each in filters:
        exchange = each.simulate(exchange)
        if exchange.answer is not None:
            break
    return exchange


def _shares(
    routing: Routing, gateway: Key, action: ir.Forward | ir.DirectResponse, exchange: Exchange
) -> list[TrafficShare]:
    if isinstance(action, ir.DirectResponse):
        return []
    weights: tuple[int, ...] = (1,)
    if action.weights_key:
        held = routing.shares.get((gateway, action.weights_key))
        weights = held.weights if held else ()
    return [
        _share(routing, gateway, target, weight, exchange)
        for target, weight in zip(action.targets, weights, strict=True)
        if weight > 0
    ]


def _share(routing: Routing, gateway: Key, target: ir.Target, weight: int, exchange: Exchange) -> TrafficShare:
    if target.backend is None:
        return TrafficShare(weight=weight, status=target.unresolved_status, response_changes=exchange.response_changes)
    # Headers of a backendRef are changed on the way out after the rule's, and on the way back before them.
    at_backend = _filtered(target.filters, msgspec.structs.replace(exchange, response_changes=()))
    changes = (*at_backend.response_changes, *exchange.response_changes)
    if at_backend.answer is not None:
        return TrafficShare(weight=weight, status=at_backend.answer.status, response_changes=changes)
    served = routing.endpoints.get(target.backend)
    if served is None or not served.endpoints:
        return TrafficShare(weight=weight, backend=str(target.backend), status=503, response_changes=changes)
    secured = target.backend.traffic.tls
    shown = routing.client_certificates.get(gateway) if secured else None
    return TrafficShare(
        weight=weight,
        backend=str(target.backend),
        request=at_backend.request,
        response_changes=changes,
        mirrors=at_backend.mirrors,
        server_name=secured.server_name if secured else None,
        client_certificate_names=shown.names if shown else (),
    )


_DOT = re.compile(r"%2e", re.IGNORECASE)


def normalised(request: Request) -> Request:
    """The path without dot segments, as Envoy normalises it before it matches."""
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
