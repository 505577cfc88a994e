"""Resolves references of Gateways, ListenerSets, routes and policies.

The order of checks is the specification's: the kind, then the permission, then the existence. An object of another
namespace is looked up after its namespace has permitted the reference, so that a problem never discloses what exists
there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate import policies
from headgate.api import core, gateway, gateway_x
from headgate.api.meta import Key, Ref
from headgate.conditions import http_route, listener
from headgate.incremental import Collection, Read
from headgate.ir.routing import Backend, BackendTraffic, Certificate
from headgate.ir.sessions import SessionPersistence
from headgate.policies.base import BackendSettings, PolicyKind
from headgate.world import World
from headgate.world.objects import ROUTE_KINDS

from ..policies import backends as backend_policies
from ..policies.backends import NO_SETTINGS, BackendPolicies
from . import ca_certificates, service_ports, tls_secrets, xbackends
from .ca_certificates import CABundle
from .reference_grants import is_permitted
from .service_ports import SECURE_WEBSOCKET, ServicePorts
from .tls_secrets import TLSSecret
from .xbackends import XBackends

NO_TRAFFIC = BackendTraffic()

#: Kinds of routes whose bytes are forwarded unchanged: no policy for backends applies to them.
_OPAQUE = frozenset(kind.name for kind in ROUTE_KINDS if kind.is_stream_route and "TLS" not in kind.protocols)

#: The groups of policy kinds that refer to backends. All other kinds that do are of `gateway.networking.k8s.io`.
_GROUPS = {kind.name: kind.group for kind in policies.KINDS}


@dataclass(frozen=True, slots=True)
class References:
    """The objects that references resolve to, as far as they are read."""

    world: World
    services: Collection[Key, ServicePorts]
    tls_secrets: Collection[Key, TLSSecret]
    ca_bundles: Collection[Key, CABundle]
    backend_policies: BackendPolicies
    xbackends: XBackends


def declare(world: World, policy_kinds: Iterable[PolicyKind[Any]]) -> References:
    """Declare the collections of everything that can be referred to; backends get what policies of these kinds set."""
    services, secrets, ca_bundles = (
        service_ports.declare(world),
        tls_secrets.declare(world),
        ca_certificates.declare(world),
    )
    attached = backend_policies.declare(world, services, ca_bundles, policy_kinds)
    return References(
        world=world,
        services=services,
        tls_secrets=secrets,
        ca_bundles=ca_bundles,
        backend_policies=attached,
        xbackends=xbackends.declare(world, ca_bundles, secrets, attached),
    )


class Resolver:
    """Resolves the references of one object, `owner`, with the permissions of its namespace."""

    def __init__(self, read: Read, references: References, owner: Ref) -> None:
        self._read = read
        self._references = references
        self._owner = owner

    def is_permitted(self, referent: Ref, group: str = "") -> bool:
        """Whether the owner may refer to an object: one in its own namespace, or one that a ReferenceGrant permits."""
        owner = self._owner
        return referent.namespace == owner.namespace or is_permitted(
            self._read,
            self._references.world,
            who=(_GROUPS.get(owner.kind, gateway.GROUP), owner.kind, owner.namespace),
            what=(group, referent.kind, referent.name),
            namespace=referent.namespace,
        )

    def certificate(self, path: str, ref: gateway.SecretObjectReference) -> Certificate:
        """The certificate in a Secret of type kubernetes.io/tls; raises `Invalid`."""
        if (ref.group, ref.kind) != ("", "Secret"):
            raise listener.unsupported_certificate_kind(path, ref.group, ref.kind)
        secret = Ref("Secret", ref.namespace or self._owner.namespace, ref.name)
        if not self.is_permitted(secret):
            raise listener.certificate_ref_not_permitted(path, secret, self._owner)
        tls_secret = self._read(self._references.tls_secrets, secret.key)
        if tls_secret is None:
            raise listener.certificate_not_found(path, secret)
        if tls_secret.certificate is None:
            raise listener.invalid_certificate(path, secret, tls_secret.problem)
        return tls_secret.certificate

    def backend(self, path: str, ref: gateway.BackendObjectReference, *, grpc: bool | None = None) -> Backend:
        """The backend of a backendRef: a Service port or an XBackend; raises `Invalid`. `grpc` is whether it gets gRPC
        (None: if the owner is a GRPCRoute).
        """
        read, references, owner = self._read, self._references, self._owner
        grpc = owner.kind == "GRPCRoute" if grpc is None else grpc
        is_xbackend = (ref.group, ref.kind) == (gateway_x.GROUP, xbackends.KIND)
        if is_xbackend and xbackends.is_kind_served(read, references.world):
            return xbackends.backend(read, references.xbackends, path, ref, owner, grpc=grpc)
        if (ref.group, ref.kind) != ("", "Service"):
            raise http_route.invalid_backend_kind(path, ref.group, ref.kind)
        service = Ref("Service", ref.namespace or owner.namespace, ref.name)
        if not self.is_permitted(service):
            raise http_route.backend_ref_not_permitted(path, service, owner)
        known = read(references.services, service.key)
        if known is None:
            raise http_route.backend_not_found(path, service)
        backend = service_ports.select(path, service.key, ref.port, known, owner.kind, grpc=grpc)
        return backend if owner.kind in _OPAQUE else self._with_policies(path, known, backend)

    def _with_policies(self, path: str, service: ServicePorts, backend: Backend) -> Backend:
        """The backend with the traffic settings of policies; raises `Invalid` if it needs TLS and no policy sets it."""
        port = service.port_of(backend)
        traffic = self._policy_settings(backend, port).traffic
        is_secure_websocket = port is not None and port.app_protocol == SECURE_WEBSOCKET
        if traffic.tls is None and self._owner.kind == "HTTPRoute" and is_secure_websocket:
            raise http_route.unsupported_backend_protocol(
                f"{path}.port", backend.service, f"appProtocol {SECURE_WEBSOCKET!r}", "add a BackendTLSPolicy for it"
            )
        if service_ports.is_stream(self._owner.kind):
            traffic = BackendTraffic(tls=traffic.tls)  # Retries and all other settings are for requests.
        return backend if traffic == NO_TRAFFIC else msgspec.structs.replace(backend, traffic=traffic)

    def _policy_settings(self, backend: Backend, port: core.ServicePort | None) -> BackendSettings:
        of_ports = self._read(self._references.backend_policies.settings, backend.service) or {}
        return of_ports.get(port.name if port else "", NO_SETTINGS)

    def session_persistence(self, backend: Backend) -> SessionPersistence | None:
        """The session persistence that an XBackend declares, or that a policy sets for a Service (None: requests of
        one client may go to different endpoints).
        """
        if backend.x_backend is not None:
            return xbackends.session_persistence(self._read, self._references.xbackends, backend.x_backend)
        service = self._read(self._references.services, backend.service)
        port = service.port_of(backend) if service else None
        return self._policy_settings(backend, port).session_persistence
