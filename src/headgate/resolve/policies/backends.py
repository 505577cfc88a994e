"""What policies set for backends: all policy kinds with `BackendSettings`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headgate import policies
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.tls import UpstreamTLS
from headgate.policies.base import BackendSettings, PolicyKind
from headgate.world import World

from ..references import ca_certificates
from ..references.ca_certificates import CABundle
from . import attachment, chains
from .attachment import AttachedPolicies
from .references import PolicyReferences


@dataclass(frozen=True, slots=True)
class BackendPolicies:
    """The attached policies of every kind for backends."""

    kinds: tuple[AttachedPolicies[BackendSettings], ...]


def declare(world: World, ca_bundles: Collection[Key, CABundle], kinds: Iterable[PolicyKind[Any]]) -> BackendPolicies:
    """Attach every policy for backends."""

    def attached(kind: PolicyKind[BackendSettings]) -> AttachedPolicies[BackendSettings]:
        return attachment.declare(world, kind, lambda read, _owner: PolicyReferences(read, world, ca_bundles))

    return BackendPolicies(tuple(map(attached, policies.of_settings(kinds, BackendSettings))))


def settings(read: Read, attached: BackendPolicies, service: Key, port_name: str) -> BackendSettings:
    """What policies of all kinds set for a Service port."""
    chain, result = chains.of_service(service, port_name), BackendSettings()
    for kind in attached.kinds:
        own = kind.precedence.settings_of(read, chain)
        result = result if own is None else result.overlay(own)
    return result


def trusts_any_ca(read: Read, ca_bundles: Collection[Key, CABundle], tls: UpstreamTLS) -> bool:
    """Whether any certificate of a backend can be verified. If not, nothing is sent to it."""
    return tls.system_ca_certificates or ca_certificates.any_usable(read, ca_bundles, tls.ca_certificates)
