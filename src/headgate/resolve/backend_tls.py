"""Which BackendTLSPolicy counts for a port of a Service.

One that names the port comes before one for the whole Service; among equals the older, then the first by
`namespace/name` (`BackendTLSPolicySpec.targetRefs`). A policy that counts and is broken is not passed over for another:
the backend gets nothing, least of all plain text.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.tls import UpstreamTLS
from headgate.policies import backend_tls
from headgate.policies.backend_tls import Policy, Target
from headgate.world import World

from . import authorities
from .authorities import Bundle


class Claim(msgspec.Struct, frozen=True):
    """A policy that wants a target."""

    created: str
    policy: Key


@dataclass(frozen=True, slots=True)
class BackendTLS:
    """Policies, and which of them counts where."""

    policies: Collection[Key, Policy]
    winners: Collection[Target, Claim]
    settings: Collection[Key, UpstreamTLS]
    bundles: Collection[Key, Bundle]


def declare(world: World) -> BackendTLS:
    """Read every policy, and choose per target."""
    engine = world.engine
    policies = engine.map("backend TLS", world.backend_tls_policies, lambda _read, key, found: _policy(key, found))

    def claims(_read: Read, key: Key, found: Policy) -> Iterable[tuple[tuple[Target, Key], Claim]]:
        for _, target in found.targets:
            yield (target, key), Claim(found.created, key)

    every = engine.flat_map("claims of policies", policies, claims)
    winners: Collection[Target, Claim] = engine.least(
        "policies that count", every, lambda key, _claim: key[0], lambda _key, claim: _order(claim)
    )
    return BackendTLS(
        policies=policies,
        winners=winners,
        settings=engine.map("TLS of policies", policies, lambda _read, _key, found: found.tls),
        bundles=authorities.declare(world),
    )


_policy = backend_tls.read


def _order(claim: Claim) -> tuple[str, str]:
    return claim.created, str(claim.policy)


def of_port(read: Read, found: BackendTLS, service: Key, port_name: str) -> UpstreamTLS | None:
    """How a port of a Service is spoken to; None is plain text."""
    for section in dict.fromkeys((port_name, "")):
        winner = read(found.winners, Target(service, section))
        if winner is not None:
            return read(found.settings, winner.policy)
    return None


def believes(read: Read, found: BackendTLS, tls: UpstreamTLS) -> bool:
    """Whether there is anybody whose certificate would be taken."""
    return tls.system or authorities.usable(read, found.bundles, tls.authorities)
