"""The client certificate that a Gateway presents to backends with TLS (`Gateway.spec.tls.backend`; GEP-3155)."""

import msgspec

from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import gateway as conditions
from headgate.incremental import Collection, Read
from headgate.ir.routing import Certificate
from headgate.world import World

from ..references.resolver import References, Resolver
from .managed import ManagedGateway, ManagedGateways

_PATH = "spec.tls.backend.clientCertificateRef"


class ClientCertificate(msgspec.Struct, frozen=True, gc=False):
    """The certificate, or the problem of the reference to it."""

    certificate: Certificate | None
    problem: Problem | None = None


def declare(world: World, references: References, gateways: ManagedGateways) -> Collection[Key, ClientCertificate]:
    """The client certificates of Gateways that refer to one."""

    def client_certificate(read: Read, key: Key, gateway: ManagedGateway) -> ClientCertificate | None:
        backend = gateway.spec.tls.backend if gateway.spec.tls else None
        if backend is None or backend.client_certificate_ref is None:
            return None
        owner = Ref("Gateway", key.namespace, key.name)
        try:
            return ClientCertificate(
                Resolver(read, references, owner).certificate(_PATH, backend.client_certificate_ref)
            )
        except Invalid as error:
            problem = conditions.as_client_certificate(error.problem)
            return ClientCertificate(None, msgspec.structs.replace(problem, subject=owner))

    return world.engine.map("client certificates of Gateways", gateways.managed, client_certificate)


def valid(world: World, certificates: Collection[Key, ClientCertificate]) -> Collection[Key, Certificate]:
    """The certificates whose reference resolved."""
    return world.engine.map(
        "valid client certificates of Gateways", certificates, lambda _read, _key, found: found.certificate
    )
