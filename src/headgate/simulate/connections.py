"""Where a connection or a datagram goes, for listeners of TLS, TCP and UDP. `requests` answers it for requests."""

import msgspec

from headgate.api.meta import Key, Ref
from headgate.ir import routing as ir
from headgate.ir.streams import Connection, ListenerStreams, WeightedBackends

from .lookup import RoutingTables


class ConnectionShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the connections like this one. Without a backend it is closed (UDP: the datagram is dropped).

    `sni` is the server name of the TLS that the backend sees: the client's, or that of the backend's policy; None: no
    TLS.
    """

    weight: int
    backend: str | None = None
    sni: str | None = None


class ConnectionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where a connection goes. Without a listener, or without shares, it is closed (UDP: dropped), for this `reason`.

    `terminated`: TLS ends at the Gateway.
    """

    listener: str | None
    route: Ref | None = None
    terminated: bool = False
    shares: tuple[ConnectionShare, ...] = ()
    reason: str = ""


def connect(routing: RoutingTables, gateway: Key, connection: Connection) -> ConnectionOutcome:
    """Where a connection to a Gateway goes."""
    port = routing.ports.get((gateway, connection.transport, connection.port))
    if port is None:
        reason = f"Gateway {gateway} has no valid listener on {connection.transport} port {connection.port}"
        return ConnectionOutcome(listener=None, reason=reason)
    listener, sni = _listener(port, connection), connection.sni or "(none)"
    if listener is None:
        return ConnectionOutcome(listener=None, reason=f"no listener on port {port.number} for server name {sni}")
    if listener.protocol in ("HTTP", "HTTPS"):
        reason = f"listener {listener.name!r} accepts requests, not connections"
        return ConnectionOutcome(listener=listener.name, reason=reason)
    streams = _streams(routing, port, listener)
    chain = streams.chain(connection.sni if listener.protocol == "TLS" else None) if streams else None
    if chain is None or chain.backends is None:
        return ConnectionOutcome(listener=listener.name, reason=f"no route for server name {sni}")
    backends = routing.weighted_backends.get((gateway, chain.backends))
    terminated = listener.protocol == "TLS" and listener.mode == "Terminate"
    shares = _shares(routing, backends, None if terminated else connection.sni) if backends else ()
    return ConnectionOutcome(
        listener=listener.name,
        route=chain.backends.route,
        terminated=terminated,
        shares=shares,
        reason="" if shares else "the route has no backend with a weight",
    )


def _listener(port: ir.Port, connection: Connection) -> ir.Listener | None:
    """The listener of a port; with TLS the one with the most specific hostname that covers the server name."""
    if port.family != "TLS":
        return port.listeners[0]
    if connection.sni is None:
        return next((listener for listener in port.listeners if not listener.hostname), None)
    return ir.select_listener(port.listeners, connection.sni.lower())


def _streams(routing: RoutingTables, port: ir.Port, listener: ir.Listener) -> ListenerStreams | None:
    streams = routing.streams.get((port.gateway, ir.transport(listener.protocol), port.number)) or ()
    return next((each for each in streams if each.listener == listener.name), None)


def _shares(routing: RoutingTables, backends: WeightedBackends, sni: str | None) -> tuple[ConnectionShare, ...]:
    """By backend, in the order of the route. Unresolved references and backends without endpoints are closed."""
    shares = []
    for backend, weight in zip(backends.backends, backends.weights, strict=True):
        if not weight:
            continue
        endpoints = routing.endpoints.get(backend) if backend is not None else None
        if backend is None or endpoints is None or not endpoints.endpoints:
            shares.append(ConnectionShare(weight=weight))
        else:
            tls = backend.traffic.tls
            server_name = tls.server_name if tls else sni
            shares.append(ConnectionShare(weight=weight, backend=str(backend), sni=server_name))
    return tuple(shares)
