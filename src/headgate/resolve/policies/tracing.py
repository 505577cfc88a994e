"""What policies set for Gateways: tracing, by all policy kinds with `Tracing` as settings."""

from dataclasses import dataclass

from headgate import policies
from headgate.api.gateway import BackendObjectReference
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Read
from headgate.ir.routing import Backend
from headgate.ir.tracing import Tracing
from headgate.world import World

from ..gateways.managed import ManagedGateway, ManagedGateways
from ..references.resolver import References, Resolver
from . import attachment, chains
from .attachment import AttachedPolicies
from .references import PolicyReferences

#: The kinds that Headgate serves.
KINDS = policies.of_settings(policies.KINDS, Tracing)


@dataclass(frozen=True, slots=True)
class TracingPolicies:
    """The attached policies of every kind for tracing, and what they come to."""

    kinds: tuple[AttachedPolicies[Tracing], ...]
    #: Per Gateway whose requests are traced.
    tracing: Collection[Key, Tracing]


def declare(world: World, references: References, gateways: ManagedGateways) -> TracingPolicies:
    """Attach every policy for tracing, and read one per Gateway."""

    def resolvers(read: Read, owner: Ref) -> PolicyReferences:
        def backend(path: str, ref: BackendObjectReference, grpc: bool) -> Backend:
            return Resolver(read, references, owner).backend(path, ref, grpc=grpc)

        return PolicyReferences(read, world, references.ca_bundles, backend)

    kinds = tuple(attachment.declare(world, kind, resolvers) for kind in KINDS)

    def tracing(read: Read, key: Key, _gateway: ManagedGateway) -> Tracing | None:
        chain = chains.of_gateway(key)
        settings = (kind.precedence.settings_of(read, chain) for kind in kinds)
        return next((each for each in settings if each is not None), None)

    return TracingPolicies(kinds, world.engine.map("tracing", gateways.managed, tracing))
