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
from ..references.service_ports import ServicePorts
from . import attachment, chains
from .attachment import AttachedPolicies
from .references import PolicyReferences

NO_SETTINGS = BackendSettings()


@dataclass(frozen=True, slots=True)
class BackendPolicies:
    """The attached policies of every kind for backends, and the settings of Service ports."""

    kinds: tuple[AttachedPolicies[BackendSettings], ...]
    #: Per Service: settings by port name (empty: a port without a name). A port or Service for which policies set
    #: nothing is absent. Many routes refer to one Service: its settings are found once, not for each reference.
    settings: Collection[Key, dict[str, BackendSettings]]


def declare(
    world: World,
    services: Collection[Key, ServicePorts],
    ca_bundles: Collection[Key, CABundle],
    kinds: Iterable[PolicyKind[Any]],
) -> BackendPolicies:
    """Attach every policy for backends."""

    def attached(kind: PolicyKind[BackendSettings]) -> AttachedPolicies[BackendSettings]:
        return attachment.declare(world, kind, lambda read, _owner: PolicyReferences(read, world, ca_bundles))

    all_kinds = tuple(map(attached, policies.of_settings(kinds, BackendSettings)))

    def settings(read: Read, service: Key, known: ServicePorts) -> dict[str, BackendSettings] | None:
        of_ports = {
            port.name: _settings(read, all_kinds, chains.of_service(service, port.name), NO_SETTINGS)
            for port in known.ports
        }
        return {name: of_port for name, of_port in of_ports.items() if of_port != NO_SETTINGS} or None

    return BackendPolicies(all_kinds, world.engine.map("policy settings of Services", services, settings))


def with_policies(read: Read, attached: BackendPolicies, xbackend: Key, own: BackendSettings) -> BackendSettings:
    """The settings of an XBackend, with those that policies set for it."""
    return _settings(read, attached.kinds, chains.of_xbackend(xbackend), own)


def _settings(
    read: Read, kinds: Iterable[AttachedPolicies[BackendSettings]], chain: chains.Chain, result: BackendSettings
) -> BackendSettings:
    """The settings of policies of all kinds for a chain of targets, over those that are there."""
    for kind in kinds:
        own = kind.precedence.settings_of(read, chain)
        result = result if own is None else result.overlay(own)
    return result


def trusts_any_ca(read: Read, ca_bundles: Collection[Key, CABundle], tls: UpstreamTLS) -> bool:
    """Whether any certificate of a backend can be verified. If not, nothing is sent to it."""
    return tls.system_ca_certificates or ca_certificates.any_usable(read, ca_bundles, tls.ca_certificates)
