"""Which BackendTLSPolicy counts for a port of a Service.

One that names the port comes before one for the whole Service; among equals the older, then the first by
`namespace/name` (`BackendTLSPolicySpec.targetRefs`). A policy that counts and is broken is not passed over for another:
the backend gets nothing, least of all plain text.
"""

from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.tls import UpstreamTLS
from headgate.policies import backend_tls
from headgate.policies.backend_tls import Policy
from headgate.policies.targets import Target
from headgate.world import World

from ..references import ca_certificates
from ..references.ca_certificates import CABundle
from .precedence import Winners, winners


@dataclass(frozen=True, slots=True)
class BackendTLS:
    """Policies, and which of them counts where."""

    policies: Collection[Key, Policy]
    winners: Winners
    settings: Collection[Key, UpstreamTLS]
    bundles: Collection[Key, CABundle]


def declare(world: World) -> BackendTLS:
    """Read every policy, and choose per target."""
    engine = world.engine
    policies = engine.map("backend TLS", world.backend_tls_policies, lambda _read, key, found: _policy(key, found))

    return BackendTLS(
        policies=policies,
        winners=winners(engine, "backend TLS policies", policies),
        settings=engine.map("TLS of policies", policies, lambda _read, _key, found: found.tls),
        bundles=ca_certificates.declare(world),
    )


_policy = backend_tls.read


def of_port(read: Read, found: BackendTLS, service: Key, port_name: str) -> UpstreamTLS | None:
    """How a port of a Service is spoken to; None is plain text."""
    for section in dict.fromkeys((port_name, "")):
        winner = read(found.winners, Target(service, section))
        if winner is not None:
            return read(found.settings, winner.policy)
    return None


def believes(read: Read, found: BackendTLS, tls: UpstreamTLS) -> bool:
    """Whether there is anybody whose certificate would be taken."""
    return tls.system_ca_certificates or ca_certificates.any_usable(read, found.bundles, tls.ca_certificates)
