"""What policies set for the clients of listeners: all policy kinds with `ir.ClientTraffic`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headgate import policies
from headgate.api.meta import Key, Ref
from headgate.incremental import Read
from headgate.ir import routing as ir
from headgate.policies.base import PolicyKind
from headgate.world import World

from . import attachment, chains
from .attachment import AttachedPolicies, ObjectLabels, Resolvers


@dataclass(frozen=True, slots=True)
class ListenerPolicies:
    """The attached policies of every kind for listeners."""

    kinds: tuple[AttachedPolicies[ir.ClientTraffic], ...]

    def client_traffic(self, read: Read, gateway: Key, owner: Ref, section: str) -> ir.ClientTraffic:
        """What policies of all kinds set for a listener."""
        chain, result = chains.of_listener(gateway, owner, section), ir.ClientTraffic()
        for kind in self.kinds:
            own = kind.precedence.settings_of(read, chain)
            result = result if own is None else result.overlay(own)
        return result


def declare(
    world: World, kinds: Iterable[PolicyKind[Any]], resolvers: Resolvers, labels: ObjectLabels
) -> ListenerPolicies:
    """Attach every policy for listeners."""
    return ListenerPolicies(
        tuple(
            attachment.declare(world, kind, resolvers, labels) for kind in policies.of_settings(kinds, ir.ClientTraffic)
        )
    )
