"""Ports of Services: which one a backendRef selects, and which protocol it speaks. Pure; problems are raised as
`Invalid`.
"""

import msgspec

from headgate.api import core
from headgate.api.meta import Key
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read
from headgate.ir.routing import Backend, transport
from headgate.world import World
from headgate.world.objects import ROUTE_KINDS

#: Values of `appProtocol` that mean HTTP/2 without TLS.
_HTTP2 = ("kubernetes.io/h2c", "h2c", "grpc")

#: A WebSocket starts as HTTP/1.1 and is upgraded, which every HTTPRoute allows; `wss` is the same inside TLS.
_WEBSOCKET, SECURE_WEBSOCKET = "kubernetes.io/ws", "kubernetes.io/wss"

#: Kinds of routes that forward connections or datagrams without parsing them, and the transport that they need.
_STREAMS = {kind.name: transport(kind.protocols[0]) for kind in ROUTE_KINDS if kind.is_stream_route}


class ServicePorts(msgspec.Struct, frozen=True, gc=False):
    """The fields of a Service that routing reads."""

    external_name: bool
    ports: tuple[core.ServicePort, ...]

    def port_of(self, backend: Backend) -> core.ServicePort | None:
        """The port of a backend."""
        same = (port for port in self.ports if (port.port, port.protocol) == (backend.port, backend.transport))
        return next(same, None)


def declare(world: World) -> Collection[Key, ServicePorts]:
    """The ports of every Service."""
    return world.engine.map("ports of Services", world.services, _service_ports)


def _service_ports(_read: Read, _key: Key, service: core.Service) -> ServicePorts:
    return ServicePorts(service.spec.type == "ExternalName", tuple(map(_without_unread_fields, service.spec.ports)))


def _without_unread_fields(port: core.ServicePort) -> core.ServicePort:
    """The port without `nodePort` and `targetPort`, so that a change of those changes nothing here."""
    if port.node_port is None and port.target_port is None:
        return port
    return msgspec.structs.replace(port, node_port=None, target_port=None)


def select(path: str, service: Key, number: int | None, known: ServicePorts, kind: str, *, grpc: bool) -> Backend:
    """The backend that an object of a kind refers to by a Service and port number; raises `Invalid`. With `grpc` the
    backend speaks HTTP/2.
    """
    if known.external_name:
        raise conditions.external_name_backend(path, service)
    ports = _with_number(path, service, number, known)
    if kind in _STREAMS:
        return _stream_backend(path, service, ports, kind)
    return _http_backend(path, service, ports, grpc=grpc)


def is_stream(kind: str) -> bool:
    """Whether a route of the kind forwards connections or datagrams without parsing them."""
    return kind in _STREAMS


def _with_number(path: str, service: Key, number: int | None, known: ServicePorts) -> list[core.ServicePort]:
    """The ports with a number: at most one per transport."""
    numbers = [port.port for port in known.ports]
    if number is None:
        raise conditions.backend_port_missing(f"{path}.port", service, numbers)
    ports = [port for port in known.ports if port.port == number]
    if not ports:
        raise conditions.backend_port_not_found(f"{path}.port", service, number, numbers)
    return ports


def _stream_backend(path: str, service: Key, ports: list[core.ServicePort], kind: str) -> Backend:
    needed = _STREAMS[kind]
    if all(port.protocol != needed for port in ports):
        raise conditions.unsupported_backend_protocol(
            f"{path}.port", service, f"protocol {ports[0].protocol}", f"{kind} needs a {needed} port"
        )
    return Backend(service, ports[0].port, "udp" if needed == "UDP" else "tcp")


def _http_backend(path: str, service: Key, ports: list[core.ServicePort], *, grpc: bool) -> Backend:
    port = next((port for port in ports if port.protocol == "TCP"), None)
    if port is None:
        raise conditions.unsupported_backend_protocol(
            f"{path}.port", service, f"protocol {ports[0].protocol}", "HTTP needs a TCP port"
        )
    app_protocol = port.app_protocol or ""
    if app_protocol.startswith("kubernetes.io/") and app_protocol not in (*_HTTP2, _WEBSOCKET, SECURE_WEBSOCKET):
        remedy = "use kubernetes.io/h2c, kubernetes.io/ws, kubernetes.io/wss, or none for HTTP/1.1"
        raise conditions.unsupported_backend_protocol(f"{path}.port", service, f"appProtocol {app_protocol!r}", remedy)
    return Backend(service, port.port, "http2" if app_protocol in _HTTP2 or grpc else "http1")
