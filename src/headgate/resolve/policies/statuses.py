"""What policies are told: one entry per Gateway that uses a target (`PolicyStatus.ancestors`, GEP-713)."""

from collections.abc import Iterable, Sequence

from headgate.api import certificates
from headgate.api.meta import Key, Ref
from headgate.conditions import Problem, condition_from, first_problem
from headgate.conditions import backend_tls_policy as say
from headgate.conditions import backend_traffic_policy as say_traffic
from headgate.incremental import Collection, Index, Read
from headgate.ir import routing as ir
from headgate.policies.backend_tls import Policy
from headgate.policies.backend_traffic import Policy as TrafficPolicy
from headgate.policies.targets import Target
from headgate.world import World

from ..gateways.managed import ManagedGateways
from ..references import ca_certificates
from ..references.resolver import References
from .ancestors import MOST, Entries, entry
from .backend_tls import BackendTLS
from .precedence import lost_to

_Used = tuple[Key, ir.Backend]


def declare(
    world: World,
    references: References,
    gateways: ManagedGateways,
    backends: Collection[_Used, ir.Backend],
) -> Collection[Ref, Entries]:
    """Per policy: our entries, by Gateway; a policy whose targets no Gateway of ours uses has none."""
    engine = world.engine
    users: Index[Key, _Used] = engine.index("users of a service", backends, lambda key, _backend: (key[1].service,))
    return engine.union(
        "policy statuses",
        _of_backend_tls(world, references, gateways, users),
        _of_backend_traffic(world, references, gateways, users),
    )


def _of_backend_tls(
    world: World, references: References, gateways: ManagedGateways, users: Index[Key, _Used]
) -> Collection[Ref, Entries]:
    found = references.backend_tls

    def status(read: Read, key: Key, policy: Policy) -> Iterable[tuple[Ref, Entries]]:
        missing = {at: _missing_section(read, references, at, target) for at, target in policy.targets}
        shared = [*policy.problems, *_authority_problems(read, world, found, policy)]
        entries = []
        for gateway, targets in _used_targets(read, users, policy, missing).items():
            problems = _conflicts(read, found, key, targets)
            problems += [each for at, _ in targets if (each := missing[at]) is not None]
            problems += shared
            controller = read(gateways.controllers, gateway)
            if controller is not None:
                told = (
                    condition_from(say.accepted(), problems),
                    condition_from(say.refs_resolved(), problems),
                )
                entries.append(entry(gateway, controller, policy.generation, told))
        if entries:
            yield Ref("BackendTLSPolicy", key.namespace, key.name), tuple(entries[:MOST])

    return world.engine.flat_map("statuses of TLS policies", found.policies, status)


def _of_backend_traffic(
    world: World, references: References, gateways: ManagedGateways, users: Index[Key, _Used]
) -> Collection[Ref, Entries]:
    found = references.backend_traffic

    def status(read: Read, key: Key, policy: TrafficPolicy) -> Iterable[tuple[Ref, Entries]]:
        used: dict[Key, list[Problem]] = {}
        for at, target in policy.targets:
            winner = lost_to(read, found.winners, target, key)
            for gateway, _ in read.group(users, target.key):
                problems = used.setdefault(gateway, list(policy.problems))
                if winner is not None:
                    problems.append(say_traffic.conflicted(f"spec.targetRefs[{at}]", str(target), winner))
        entries = []
        for gateway, problems in sorted(used.items()):
            controller = read(gateways.controllers, gateway)
            if controller is not None:
                told = (condition_from(say_traffic.accepted(), problems),)
                entries.append(entry(gateway, controller, policy.generation, told))
        if entries:
            yield Ref("XBackendTrafficPolicy", key.namespace, key.name), tuple(entries[:MOST])

    return world.engine.flat_map("statuses of traffic policies", found.policies, status)


def _used_targets(
    read: Read, users: Index[Key, _Used], policy: Policy, missing: dict[int, Problem | None]
) -> dict[Key, list[tuple[int, Target]]]:
    """By Gateway, sorted: the targets of the policy that it uses, or would use if the section existed."""
    found: dict[Key, dict[int, Target]] = {}
    for at, target in policy.targets:
        for gateway, backend in read.group(users, target.key):
            if backend.traffic.tls is not None or missing[at] is not None:
                found.setdefault(gateway, {})[at] = target
    return {gateway: sorted(targets.items()) for gateway, targets in sorted(found.items())}


def _missing_section(read: Read, references: References, at: int, target: Target) -> Problem | None:
    service = read(references.services, target.key)
    names = [port.name for port in service.ports] if service else []
    if not target.section or service is None or target.section in names:
        return None
    return say.section_not_found(f"spec.targetRefs[{at}]", target.key, target.section, names)


def _authority_problems(read: Read, world: World, found: BackendTLS, policy: Policy) -> Iterable[Problem]:
    """References that lead nowhere; when none is left, the policy believes nobody (one that is invalid says so)."""
    usable = policy.tls.system_ca_certificates or first_problem(policy.problems, say.ACCEPTED) is not None
    for path, config_map in zip(policy.authorities, policy.tls.ca_certificates, strict=True):
        why = ca_certificates.problem(read, found.bundles, config_map)
        usable = usable or not why
        if why:
            yield (
                say.authority_invalid(path, config_map, why)
                if ca_certificates.is_kind_served(read, world, config_map)
                else say.unsupported_authority_kind(path, certificates.GROUP, ca_certificates.CLUSTER_TRUST_BUNDLE)
            )
    if not usable:
        yield say.no_valid_authority("spec.validation.caCertificateRefs")


def _conflicts(read: Read, found: BackendTLS, key: Key, targets: Sequence[tuple[int, Target]]) -> list[Problem]:
    lost = ((at, target, lost_to(read, found.winners, target, key)) for at, target in targets)
    return [say.conflicted(f"spec.targetRefs[{at}]", str(target), by) for at, target, by in lost if by is not None]
