"""Where does a connection or a datagram go? For listeners of TLS, TCP and UDP; requests are asked for in `asking`."""

import msgspec

from headgate.api.meta import Key, Ref
from headgate.ir import routing as ir
from headgate.ir.streams import Connection, ListenerStreams, WeightedBackends
from headgate.world import Routing


class ConnectionShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the connections like this one. Without a backend it is closed (UDP: the datagram is dropped).

    `sni` is the server name of the TLS that the backend sees: the client's, or that of its policy; None: no TLS.
    """

    weight: int
    backend: str | None = None
    sni: str | None = None


class ConnectionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where a connection goes. Without a listener, or without lines, it is closed (UDP: dropped), and `why` says so.

    `terminated`: TLS ends at the Gateway.
    """

    listener: str | None
    route: Ref | None = None
    terminated: bool = False
    shares: tuple[ConnectionShare, ...] = ()
    reason: str = ""


def connect(routing: Routing, gateway: Key, arriving: Connection) -> ConnectionOutcome:
    """Where a connection to a Gateway goes."""
    port = routing.ports.get((gateway, arriving.transport, arriving.port))
    if port is None:
        why = f"Gateway {gateway} has no valid listener on {arriving.transport} port {arriving.port}"
        return ConnectionOutcome(listener=None, reason=why)
    listener = _listener(port, arriving)
    if listener is None:
        return ConnectionOutcome(
            listener=None, reason=f"no listener on port {port.number} for server name {_shown(arriving)}"
        )
    if listener.protocol in ("HTTP", "HTTPS"):
        return ConnectionOutcome(
            listener=listener.name, reason=f"listener {listener.name!r} takes requests, not connections"
        )
    found = _streams(routing, port, listener)
    chain = found.chain(arriving.sni if listener.protocol == "TLS" else None) if found else None
    if chain is None or chain.backends is None:
        return ConnectionOutcome(listener=listener.name, reason=f"no route takes server name {_shown(arriving)}")
    pool = routing.weighted_backends.get((gateway, chain.backends))
    terminated = listener.protocol == "TLS" and listener.mode == "Terminate"
    lines = _lines(routing, pool, None if terminated else arriving.sni) if pool else ()
    return ConnectionOutcome(
        listener=listener.name,
        route=chain.backends.route,
        terminated=terminated,
        shares=lines,
        reason="" if lines else "the route has no backend with a weight",
    )


def _shown(arriving: Connection) -> str:
    return arriving.sni or "(none)"


def _listener(port: ir.Port, arriving: Connection) -> ir.Listener | None:
    """By server name where TLS is spoken: the most specific hostname that covers it; else there is one."""
    if port.family != "TLS":
        return port.listeners[0]
    if arriving.sni is None:
        return next((each for each in port.listeners if not each.hostname), None)
    return ir.select_listener(port.listeners, arriving.sni.lower())


def _streams(routing: Routing, port: ir.Port, listener: ir.Listener) -> ListenerStreams | None:
    every = routing.streams.get((port.gateway, ir.transport(listener.protocol), port.number)) or ()
    return next((each for each in every if each.listener == listener.name), None)


def _lines(routing: Routing, pool: WeightedBackends, sni: str | None) -> tuple[ConnectionShare, ...]:
    """By backend, in the order of the route; those without endpoints are closed like those that lead nowhere."""
    lines = []
    for target, weight in zip(pool.backends, pool.weights, strict=True):
        served = routing.endpoints.get(target) if target is not None else None
        if target is None or served is None or not served.endpoints:
            lines.append(ConnectionShare(weight=weight))
        else:
            lines.append(
                ConnectionShare(
                    weight=weight,
                    backend=str(target),
                    sni=target.traffic.tls.server_name if target.traffic.tls else sni,
                )
            )
    return tuple(line for line in lines if line.weight)
