"""What policies set for the traces of Gateways: all policy kinds with `Tracing`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headgate import policies
from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.tracing import Tracing
from headgate.policies.base import PolicyKind
from headgate.world import World

from ..gateways.managed import ManagedGateway, ManagedGateways
from . import attachment, chains
from .attachment import AttachedPolicies, ObjectLabels, Resolvers


@dataclass(frozen=True, slots=True)
class TracingPolicies:
    """The attached policies of every kind for tracing, and what they come to."""

    kinds: tuple[AttachedPolicies[Tracing], ...]
    #: Per Gateway whose requests are traced.
    tracing: Collection[Key, Tracing]


def declare(
    world: World,
    kinds: Iterable[PolicyKind[Any]],
    resolvers: Resolvers,
    labels: ObjectLabels,
    gateways: ManagedGateways,
) -> TracingPolicies:
    """Attach every policy for tracing, and choose one per Gateway."""
    attached = tuple(
        attachment.declare(world, kind, resolvers, labels) for kind in policies.of_settings(kinds, Tracing)
    )

    def tracing(read: Read, key: Key, _gateway: ManagedGateway) -> Tracing | None:
        chain = chains.of_gateway(key)
        settings = (kind.precedence.settings_of(read, chain) for kind in attached)
        return next((each for each in settings if each is not None), None)

    return TracingPolicies(attached, world.engine.map("tracing", gateways.managed, tracing))
