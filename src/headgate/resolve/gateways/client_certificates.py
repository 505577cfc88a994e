"""Which certificate a Gateway shows to backends that it speaks TLS with (`Gateway.spec.tls.backend`; GEP-3155)."""

import msgspec

from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import gateway as conditions
from headgate.incremental import Collection, Read
from headgate.ir.routing import Certificate
from headgate.world import World

from ..references import resolver
from ..references.resolver import References
from .managed import ManagedGateway, ManagedGateways

_PATH = "spec.tls.backend.clientCertificateRef"


class ClientCertificate(msgspec.Struct, frozen=True, gc=False):
    """The certificate, or why there is none although the Gateway refers to one."""

    certificate: Certificate | None
    problem: Problem | None = None


def declare(world: World, references: References, gateways: ManagedGateways) -> Collection[Key, ClientCertificate]:
    """Gateways that refer to one."""

    def shown(read: Read, key: Key, found: ManagedGateway) -> ClientCertificate | None:
        backend = found.spec.tls.backend if found.spec.tls else None
        if backend is None or backend.client_certificate_ref is None:
            return None
        at = Ref("Gateway", key.namespace, key.name)
        try:
            return ClientCertificate(resolver.certificate(read, references, _PATH, backend.client_certificate_ref, at))
        except Invalid as error:
            return ClientCertificate(None, conditions.as_client_certificate(error.problem))

    return world.engine.map("certificates for backends", gateways.managed, shown)


def valid(world: World, found: Collection[Key, ClientCertificate]) -> Collection[Key, Certificate]:
    """Only those that can be shown."""
    return world.engine.map("usable certificates for backends", found, lambda _read, _key, each: each.certificate)
