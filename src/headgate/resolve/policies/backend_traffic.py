"""Which XBackendTrafficPolicy counts for a Service, and what it limits."""

from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.incremental import Collection, Read
from headgate.ir.limits import RetryBudget
from headgate.ir.sessions import SessionPersistence
from headgate.policies import backend_traffic
from headgate.policies.backend_traffic import Policy
from headgate.policies.targets import Target
from headgate.world import World

from .precedence import Winners, winners


@dataclass(frozen=True, slots=True)
class BackendTraffic:
    """Policies, and which of them counts where."""

    policies: Collection[Key, Policy]
    winners: Winners


def declare(world: World) -> BackendTraffic:
    """Read every policy, and choose per target."""
    engine, read = world.engine, backend_traffic.read
    policies = engine.map(
        "traffic policies", world.x_backend_traffic_policies, lambda _read, key, found: read(key, found)
    )
    return BackendTraffic(policies, winners(engine, "traffic policies", policies))


def budget(read: Read, found: BackendTraffic, service: Key) -> RetryBudget | None:
    """How retries to a Service are limited; None is not at all."""
    policy = _of(read, found, service)
    return policy.budget if policy else None


def session(read: Read, found: BackendTraffic, service: Key) -> SessionPersistence | None:
    """How requests of one client stay with one endpoint of a Service; None: they do not."""
    policy = _of(read, found, service)
    return policy.session if policy else None


def _of(read: Read, found: BackendTraffic, service: Key) -> Policy | None:
    """The policy that counts; one with problems does nothing."""
    winner = read(found.winners, Target(service))
    policy = read(found.policies, winner.policy) if winner is not None else None
    return None if policy is None or policy.problems else policy
