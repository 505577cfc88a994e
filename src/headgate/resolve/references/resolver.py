"""Does a reference lead somewhere, and may it?

The order of checks is the specification's: a kind that we know, then permission, then existence, so that nobody learns
what exists in a namespace that has not allowed him.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from headgate import policies
from headgate.api import core, gateway, gateway_x
from headgate.api.meta import Key, Ref
from headgate.conditions import http_route, listener
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.routing import Backend, Certificate, transport
from headgate.ir.sessions import SessionPersistence
from headgate.world import World
from headgate.world.objects import ROUTE_KINDS

from ..policies import backends as backend_policies
from ..policies.backends import BackendPolicies
from . import ca_certificates, tls_secrets, xbackends
from .ca_certificates import CABundle
from .reference_grants import is_permitted
from .tls_secrets import TLSSecret
from .xbackends import XBackends


class ServicePorts(msgspec.Struct, frozen=True, gc=False):
    """What routing needs of a Service."""

    external: bool
    ports: tuple[core.ServicePort, ...]

    def port_of(self, backend: Backend) -> core.ServicePort | None:
        """The port of a backend."""
        same = (port for port in self.ports if (port.port, port.protocol) == (backend.port, backend.transport))
        return next(same, None)


@dataclass(frozen=True, slots=True)
class References:
    """What references lead to."""

    world: World
    services: Collection[Key, ServicePorts]
    tls_secrets: Collection[Key, TLSSecret]
    ca_bundles: Collection[Key, CABundle]
    backend_policies: BackendPolicies
    xbackends: XBackends


def declare(world: World) -> References:
    """Services and Secrets, reduced to what is read of them."""
    secrets, ca_bundles = tls_secrets.declare(world), ca_certificates.declare(world)
    return References(
        world=world,
        services=world.engine.map("ports of a service", world.services, _service),
        tls_secrets=secrets,
        ca_bundles=ca_bundles,
        backend_policies=backend_policies.declare(world, ca_bundles),
        xbackends=xbackends.declare(world, ca_bundles, secrets),
    )


def _service(_read: Read, _key: Key, found: core.Service) -> ServicePorts:
    return ServicePorts(found.spec.type == "ExternalName", tuple(map(_port_that_is_read, found.spec.ports)))


def _port_that_is_read(found: core.ServicePort) -> core.ServicePort:
    """A port without what nobody reads; one that has nothing else is not copied."""
    if found.node_port is None and found.target_port is None:
        return found
    return msgspec.structs.replace(found, node_port=None, target_port=None)


def certificate(
    read: Read, references: References, path: str, ref: gateway.SecretObjectReference, at: Ref
) -> Certificate:
    """The certificate that a listener of `at`, a Gateway or a ListenerSet, refers to; raises `Invalid`."""
    if (ref.group, ref.kind) != ("", "Secret"):
        raise listener.unsupported_certificate_kind(path, ref.group, ref.kind)
    namespace = ref.namespace or at.namespace
    if namespace != at.namespace and not is_permitted(
        read,
        references.world,
        who=(gateway.GROUP, at.kind, at.namespace),
        what=("", "Secret", ref.name),
        namespace=namespace,
    ):
        raise listener.certificate_ref_not_permitted(path, namespace, ref.name, at)
    found = read(references.tls_secrets, Key(namespace, ref.name))
    if found is None:
        raise listener.certificate_not_found(path, namespace, ref.name)
    if found.certificate is None:
        raise listener.invalid_certificate(path, namespace, ref.name, found.problem)
    return found.certificate


#: Protocols of a Service port (`appProtocol`) that are HTTP/2 without TLS.
_HTTP2 = ("kubernetes.io/h2c", "h2c", "grpc")

#: A WebSocket: HTTP/1.1 that is upgraded, which every route lets happen; `wss` inside of TLS.
_WEBSOCKET, _SECURE_WEBSOCKET = "kubernetes.io/ws", "kubernetes.io/wss"

#: Kinds of routes whose bytes are passed on as they are: no policy for backends applies to them.
_OPAQUE = frozenset(kind.name for kind in ROUTE_KINDS if kind.is_stream_route and "TLS" not in kind.protocols)

#: The groups of the policy kinds that refer to backends; routes are of the Gateway API's own group.
_GROUPS = {kind.name: kind.group for kind in policies.KINDS}

#: Kinds of routes that pass on connections or datagrams, whatever is spoken: the transport of the ports that they need.
_STREAMS = {kind.name: transport(kind.protocols[0]) for kind in ROUTE_KINDS if kind.is_stream_route}

#: Finds the backend of a reference at a path; raises `Invalid`.
FindBackend = Callable[[str, gateway.BackendObjectReference], Backend]


def backend(
    read: Read,
    references: References,
    path: str,
    ref: gateway.BackendObjectReference,
    at: Ref,
    *,
    grpc: bool | None = None,
) -> Backend:
    """The Service port or XBackend that `at`, a route or a policy, refers to; raises `Invalid`. `grpc` is whether gRPC
    is sent to it (None: if `at` is a GRPCRoute).
    """
    grpc = at.kind == "GRPCRoute" if grpc is None else grpc
    if (ref.group, ref.kind) == (gateway_x.GROUP, xbackends.KIND) and xbackends.is_kind_served(read, references.world):
        return xbackends.backend(read, references.xbackends, path, ref, at, grpc=grpc)
    if (ref.group, ref.kind) != ("", "Service"):
        raise http_route.invalid_backend_kind(path, ref.group, ref.kind)
    namespace = ref.namespace or at.namespace
    if namespace != at.namespace and not is_permitted(
        read,
        references.world,
        who=(_GROUPS.get(at.kind, gateway.GROUP), at.kind, at.namespace),
        what=("", "Service", ref.name),
        namespace=namespace,
    ):
        raise http_route.backend_ref_not_permitted(path, namespace, ref.name, at.kind, at.namespace)
    service = read(references.services, Key(namespace, ref.name))
    if service is None:
        raise http_route.backend_not_found(path, namespace, ref.name)
    if service.external:
        raise http_route.external_name_backend(path, ref.name)
    if at.kind in _STREAMS:
        plain = _stream_port(path, Key(namespace, ref.name), ref.port, service, at.kind)
    else:
        plain = _port(path, Key(namespace, ref.name), ref.port, service, grpc=grpc)
    return plain if at.kind in _OPAQUE else _with_policies(read, references, path, service, plain, at)


def _with_policies(
    read: Read, references: References, path: str, service: ServicePorts, plain: Backend, at: Ref
) -> Backend:
    """The same with the traffic settings of policies; raises `Invalid` if it needs TLS and no policy sets it."""
    port = service.port_of(plain)
    name = port.name if port else ""
    traffic = backend_policies.settings(read, references.backend_policies, plain.service, name).traffic
    if traffic.tls is None and at.kind == "HTTPRoute" and port is not None and port.app_protocol == _SECURE_WEBSOCKET:
        raise http_route.unsupported_backend_protocol(
            f"{path}.port", plain.service.name, f"appProtocol {_SECURE_WEBSOCKET!r}", "it needs a BackendTLSPolicy"
        )
    # Of connections only TLS can be set: retries and the like are for requests.
    return msgspec.structs.replace(
        plain, traffic=ir.BackendTraffic(tls=traffic.tls) if at.kind in _STREAMS else traffic
    )


def _same_number(path: str, service: Key, wanted: int | None, found: ServicePorts) -> list[core.ServicePort]:
    """The ports with this number: at most one of each transport."""
    numbers = [port.port for port in found.ports]
    if wanted is None:
        raise http_route.backend_port_missing(f"{path}.port", service.name, numbers)
    same = [port for port in found.ports if port.port == wanted]
    if not same:
        raise http_route.backend_port_not_found(f"{path}.port", service.name, wanted, numbers)
    return same


def _stream_port(path: str, service: Key, wanted: int | None, found: ServicePorts, kind: str) -> Backend:
    same, transport = _same_number(path, service, wanted, found), _STREAMS[kind]
    if all(port.protocol != transport for port in same):
        raise http_route.unsupported_backend_protocol(
            f"{path}.port", service.name, same[0].protocol, f"{kind} needs a {transport} port"
        )
    return Backend(service, same[0].port, "udp" if transport == "UDP" else "tcp")


def _port(path: str, service: Key, wanted: int | None, found: ServicePorts, *, grpc: bool) -> Backend:
    same = _same_number(path, service, wanted, found)
    port = next((port for port in same if port.protocol == "TCP"), None)
    if port is None:
        raise http_route.unsupported_backend_protocol(
            f"{path}.port", service.name, same[0].protocol, "HTTP needs a TCP port"
        )
    spoken = port.app_protocol or ""
    if spoken.startswith("kubernetes.io/") and spoken not in (*_HTTP2, _WEBSOCKET, _SECURE_WEBSOCKET):
        works = "HTTP/1.1, kubernetes.io/h2c, kubernetes.io/ws and kubernetes.io/wss are supported"
        raise http_route.unsupported_backend_protocol(f"{path}.port", service.name, f"appProtocol {spoken!r}", works)
    return Backend(service, port.port, "http2" if spoken in _HTTP2 or grpc else "http1")


def session_persistence(read: Read, references: References, backend: Backend) -> SessionPersistence | None:
    """What an XBackend itself, or a policy for a Service, sets (None: requests of one client may change endpoints)."""
    if backend.x_backend is not None:
        return xbackends.session_persistence(read, references.xbackends, backend.x_backend)
    service = read(references.services, backend.service)
    port = service.port_of(backend) if service else None
    name = port.name if port else ""
    return backend_policies.settings(read, references.backend_policies, backend.service, name).session_persistence
