"""Which XTelemetryPolicy counts for a Gateway, where its traces go, and what policies are told."""

from collections.abc import Iterable
from dataclasses import dataclass

from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem, condition_from
from headgate.conditions import telemetry_policy as say
from headgate.incremental import Collection, Read
from headgate.ir.routing import Backend
from headgate.ir.tracing import Tracing
from headgate.policies import telemetry
from headgate.policies.targets import Target
from headgate.policies.telemetry import Policy
from headgate.world import World

from ..gateways.managed import ManagedGateway, ManagedGateways
from ..references import resolver
from ..references.resolver import References
from .ancestors import MOST, Entries, entry
from .precedence import lost_to, winners

KIND = "XTelemetryPolicy"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Per Gateway, and what policies are told."""

    tracing: Collection[Key, Tracing]
    statuses: Collection[Ref, Entries]


def declare(world: World, references: References, gateways: ManagedGateways) -> Telemetry:
    """Read every policy, choose one per Gateway."""
    engine = world.engine
    policies = engine.map(
        "telemetry policies", world.x_telemetry_policies, lambda _read, key, found: telemetry.read(key, found)
    )
    winning = winners(engine, "telemetry policies", policies)

    def tracing(read: Read, key: Key, _found: ManagedGateway) -> Tracing | None:
        winner = read(winning, Target(key))
        policy = read(policies, winner.policy) if winner is not None else None
        if winner is None or policy is None or policy.provider is None:
            return None
        collector, _ = _collector(read, references, winner.policy, policy)
        return None if collector is None else Tracing(collector, policy.spans)

    def status(read: Read, key: Key, policy: Policy) -> Iterable[tuple[Ref, Entries]]:
        _, wrong = _collector(read, references, key, policy)
        entries = []
        for at, target in policy.targets:
            controller = read(gateways.controllers, target.key)
            problems = [*policy.problems, *wrong]
            if (winner := lost_to(read, winning, target, key)) is not None:
                problems.insert(0, say.conflicted(f"spec.targetRefs[{at}]", target.key, winner))
            if controller is not None:
                told = (
                    condition_from(say.accepted(), problems),
                    condition_from(say.refs_resolved(), problems),
                )
                entries.append(entry(target.key, controller, policy.generation, told))
        if entries:
            yield Ref(KIND, key.namespace, key.name), tuple(dict.fromkeys(entries))[:MOST]

    return Telemetry(
        tracing=engine.map("tracing", gateways.managed, tracing),
        statuses=engine.flat_map("statuses of telemetry policies", policies, status),
    )


def _collector(
    read: Read, references: References, key: Key, policy: Policy
) -> tuple[Backend | None, tuple[Problem, ...]]:
    """Who gets the traces, or why nobody does."""
    if policy.provider is None:
        return None, ()
    at = Ref(KIND, key.namespace, key.name)
    try:
        return resolver.backend(read, references, "spec.tracing.provider.backendRef", policy.provider, at), ()
    except Invalid as error:
        return None, (say.part_of_route(error.problem),)
