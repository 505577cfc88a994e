"""Why every other route was not selected."""

import msgspec

from headgate.api.meta import Key
from headgate.ir import precedence
from headgate.ir import routing as ir
from headgate.ir.http import Request

from .lookup import RoutingTables
from .requests import RequestOutcome, ask, choose_listener, normalize_path, virtual_host


class RejectedMatch(msgspec.Struct, frozen=True):
    """A match that was not selected for the request, and the reason."""

    origin: ir.Origin
    reason: str


class Explanation(msgspec.Struct, frozen=True):
    """The outcome, and every match on the Gateway that was not selected, in order of precedence."""

    outcome: RequestOutcome
    rejected: tuple[RejectedMatch, ...]


def explain(routing: RoutingTables, gateway: Key, request: Request) -> Explanation:
    """The outcome and the reasons. Reads every route of the Gateway, so it is for people, not for each request."""
    outcome = ask(routing, gateway, request)
    port = routing.ports.get((gateway, "TCP", request.port))
    listener = choose_listener(port, request) if port else None
    host = virtual_host(routing, gateway, listener, request) if listener else None
    normalized = normalize_path(request)
    reasons: dict[ir.Origin, str] = {}
    if host is not None and outcome.listener is None:
        # The connection is closed before a route is looked up.
        reasons |= {route.origin: outcome.reason for route in host.routes}
    elif host is not None:
        reasons |= _on_host(host, normalized, outcome.selected)
    for key, other in sorted(routing.hosts.items()):
        if key[0] == gateway and other is not host:
            for route in other.routes:
                if route.origin != outcome.selected:
                    reasons.setdefault(route.origin, _elsewhere(other, route, listener, request))
    return Explanation(outcome, tuple(RejectedMatch(origin, reason) for origin, reason in reasons.items()))


def _on_host(host: ir.VirtualHost, request: Request, winner: ir.Origin | None) -> dict[ir.Origin, str]:
    won = next((route for route in host.routes if route.origin == winner), None)
    reasons = {}
    for route in host.routes:
        if route is won:
            continue
        mismatch = route.match.mismatch(request)
        if mismatch is None and won is not None:
            mismatch = f"matches too, but {precedence.deciding_step(won.order, route.order)}: {won.origin}"
        reasons[route.origin] = mismatch or ""
    return reasons


def _elsewhere(host: ir.VirtualHost, route: ir.Route, listener: ir.Listener | None, request: Request) -> str:
    if route.port != request.port:
        return f"is on port {route.port}"
    if listener is not None and host.listener != listener.name:
        return f"is on listener {host.listener!r}, and {listener.name!r} is the one for {request.host}"
    return f"is for host {host.hostname or '*'}"
