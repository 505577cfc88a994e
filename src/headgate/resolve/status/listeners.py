"""Listeners of a Gateway and of its ListenerSets: what each is told, whoever owns it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key, Ref
from headgate.conditions import Problem, condition_from, first_problem, joined_messages, stamp
from headgate.conditions import http_route as route_conditions
from headgate.conditions import listener as conditions
from headgate.incremental import Collection, Read
from headgate.world import EnvoyFleetStatus
from headgate.world.facts import ListenerFact

from ..attachment.listeners import ValidatedListener
from ..attachment.merged_listeners import unique_name
from ..attachment.routes import Attachment
from ..attachment.tls_overlaps import overlapping_listeners as find
from ..gateways.managed import ManagedGateway
from .inputs import StatusInputs

#: In `reported`: the Gateway itself, beside the names of its listeners.
GATEWAY = ""
WAITING_FOR_ENVOY = "waiting for the first Envoy of the Gateway to connect and take its listeners"


class ListenerConditions(msgspec.Struct, frozen=True, gc=False):
    """A listener with its conditions, without generation."""

    listener: ValidatedListener
    attached_routes: int
    conditions: tuple[Condition, ...]

    @property
    def serving(self) -> bool:
        """Whether Envoys serve it."""
        return any(each.type == conditions.PROGRAMMED and each.status == "True" for each in self.conditions)

    def status(self, generation: int) -> api.ListenerStatus:
        """Its entry in the status of its owner."""
        return api.ListenerStatus(
            name=self.listener.section,
            attached_routes=self.attached_routes,
            supported_kinds=tuple(api.RouteGroupKind(kind=kind) for kind in self.listener.kinds),
            conditions=stamp(self.conditions, generation),
        )


@dataclass(frozen=True, slots=True)
class ListenerStatuses:
    """What all listeners are told, and what owners said before."""

    #: Per Gateway, in order of precedence.
    conditions: Collection[Key, tuple[ListenerConditions, ...]]
    #: Per Gateway: whether its status says that it is programmed, and which of its listeners are.
    reported: Collection[Key, frozenset[str]]


def declare(grounds: StatusInputs) -> ListenerStatuses:
    """Everything about listeners; the owners only sort it out."""
    engine, facts = grounds.world.engine, grounds.facts
    attached_routes = _attached_routes(grounds)
    reported = engine.map("reported as programmed", grounds.world.gateways, lambda _read, _key, found: _own(found))
    of_sets = engine.map("reported of sets", grounds.world.listener_sets, lambda _read, key, found: _of_set(key, found))
    overlaps = engine.map("overlapping listeners", grounds.listeners.validated, lambda _read, _key, found: find(found))

    def told(read: Read, key: Key, _owned: ManagedGateway) -> tuple[ListenerConditions, ...]:
        says: list[frozenset[str] | None] = [read(reported, key)]
        says += [read(of_sets, name) for name in read(grounds.merged_listeners.listener_sets_of, key) or ()]
        before = frozenset[str]().union(*(each for each in says if each))
        fleet = read(grounds.world.fleet_statuses, key) or EnvoyFleetStatus()
        judged = read(grounds.listeners.validated, key) or ()
        overlapping = read(overlaps, key) or {}
        every = []
        for each in judged:
            version = read(grounds.versions, (key, *each.port)) if each.listener else None
            fact = read(facts.listeners, (key, version[0])) if version else None
            serving = programmed(each, version, fact, fleet, each.name in before)
            for certificate in each.listener.certificates if each.listener else ():
                if (why := read(facts.refused_secrets, (key, certificate.secret))) is not None:
                    serving = conditions.certificate_rejected_by_envoy(certificate.secret, why)
            count = read(attached_routes, (key, each.name)) or 0
            extra = [overlapping[each.name]] if each.name in overlapping else []
            every.append(ListenerConditions(each, count, (*listener_conditions(each), serving, *extra)))
        return tuple(every)

    return ListenerStatuses(engine.map("what listeners are told", grounds.gateways.managed, told), reported)


def _attached_routes(grounds: StatusInputs) -> Collection[tuple[Key, str], int]:
    """Routes that are accepted, per Gateway and listener, whatever the listener's own state."""
    engine = grounds.world.engine

    def counts(read: Read, key: tuple[Key, str, Ref], _place: Attachment) -> bool | None:
        gateway, _, route = key
        refused = read(grounds.facts.refused_routes, (gateway, route)) is not None
        broken = any(each.condition == route_conditions.ACCEPTED for each in read(grounds.rules.problems, route) or ())
        return None if refused or broken else True

    accepted = engine.map("accepted places", grounds.attached.attachments, counts)
    return engine.count("attached routes", accepted, lambda key, _true: (key[0], key[1]))


def _own(found: api.Gateway) -> frozenset[str]:
    """Which listeners the Gateway's status says are programmed, and whether it is itself."""
    names = _programmed_names(found.ref, found.status.listeners)
    return frozenset(names | {GATEWAY} if _is_programmed(found.status.conditions) else names)


def _of_set(_key: Key, found: api.ListenerSet) -> frozenset[str]:
    return frozenset(_programmed_names(found.ref, found.status.listeners))


def _programmed_names(owner: Ref, listeners: Iterable[api.ListenerStatus]) -> set[str]:
    return {unique_name(owner, each.name) for each in listeners if _is_programmed(each.conditions)}


def _is_programmed(reported: Sequence[Condition]) -> bool:
    return any(each.type == conditions.PROGRAMMED and each.status == "True" for each in reported)


def listener_conditions(judged: ValidatedListener) -> tuple[Condition, ...]:
    """Accepted, Conflicted, ResolvedRefs."""
    return (
        _accepted(judged.problems),
        _conflicted(judged.problems),
        condition_from(conditions.refs_resolved(), judged.problems),
    )


def _accepted(problems: Sequence[Problem]) -> Condition:
    if (
        problem := first_problem(problems, conditions.ACCEPTED) or first_problem(problems, conditions.CONFLICTED)
    ) is not None:
        return conditions.not_accepted(problem.reason, joined_messages(problems, problem.condition))
    return conditions.accepted()


def _conflicted(problems: Sequence[Problem]) -> Condition:
    if (problem := first_problem(problems, conditions.CONFLICTED)) is not None:
        return conditions.conflicted(problem)
    return conditions.not_conflicted()


def programmed(
    judged: ValidatedListener,
    version: tuple[str, str] | None,
    fact: ListenerFact | None,
    fleet: EnvoyFleetStatus,
    reported: bool,
) -> Condition:
    """Programmed: an Envoy took this very version; or it was programmed before and nothing is known to be wrong."""
    if judged.listener is None:
        conflict = first_problem(judged.problems, conditions.CONFLICTED)
        return conditions.not_programmed(
            "; ".join(str(each) for each in judged.problems), conflict.reason if conflict else "Invalid"
        )
    if version is not None and fact is not None:
        if fact.refused and fact.refused_version == version[1]:
            return conditions.rejected_by_envoy(fact.refused)
        if fact.acked == version[1]:
            return conditions.programmed()
    if reported:
        return conditions.programmed()
    if version is None:
        return conditions.pending(fleet.reason_unavailable or WAITING_FOR_ENVOY)
    return conditions.pending("the Envoys of the Gateway were told and have not answered yet")
