"""Conditions of the listeners of Gateways and ListenerSets. The statuses of the owners take them from here."""

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

from ..attachment.listener_validation import ValidatedListener
from ..attachment.merged_listeners import unique_name
from ..attachment.routes import Attachment
from ..attachment.tls_overlaps import overlapping_listeners
from ..gateways.managed import ManagedGateway
from .inputs import StatusInputs

#: In `ListenerStatuses.reported`: the Gateway itself, beside the names of its listeners.
GATEWAY = ""
WAITING_FOR_ENVOY = "waiting for the first Envoy of the Gateway to connect and accept its listeners"


class ListenerConditions(msgspec.Struct, frozen=True, gc=False):
    """A listener with its conditions, without generation."""

    validated: ValidatedListener
    attached_routes: int
    conditions: tuple[Condition, ...]

    @property
    def serving(self) -> bool:
        """Whether Envoys serve it."""
        return _is_programmed(self.conditions)

    def status(self, generation: int) -> api.ListenerStatus:
        """Its entry in the status of its owner."""
        return api.ListenerStatus(
            name=self.validated.section,
            attached_routes=self.attached_routes,
            supported_kinds=tuple(api.RouteGroupKind(kind=kind) for kind in self.validated.kinds),
            conditions=stamp(self.conditions, generation),
        )


@dataclass(frozen=True, slots=True)
class ListenerStatuses:
    """The conditions of all listeners, and what the statuses of their owners reported before."""

    #: Per Gateway, in order of precedence.
    conditions: Collection[Key, tuple[ListenerConditions, ...]]
    #: Per Gateway: the names of its listeners whose status is Programmed, and `GATEWAY` if the Gateway is.
    reported: Collection[Key, frozenset[str]]


def declare(inputs: StatusInputs) -> ListenerStatuses:
    """Declare the conditions of all listeners."""
    engine, world, facts = inputs.world.engine, inputs.world, inputs.facts
    attached_routes = _attached_routes(inputs)
    reported = engine.map("Gateways and listeners reported as programmed", world.gateways, _reported_of_gateway)
    reported_of_sets = engine.map(
        "listeners of ListenerSets reported as programmed", world.listener_sets, _reported_of_listener_set
    )
    overlaps = engine.map(
        "listeners with overlapping TLS",
        inputs.listeners.validated,
        lambda _read, _key, listeners: overlapping_listeners(listeners),
    )

    def reported_names(read: Read, key: Key) -> frozenset[str]:
        names = [read(reported, key)]
        names += [read(reported_of_sets, name) for name in read(inputs.merged_listeners.listener_sets_of, key) or ()]
        return frozenset[str]().union(*filter(None, names))

    def rejected_certificate(read: Read, key: Key, validated: ValidatedListener) -> Condition | None:
        condition = None
        for certificate in validated.listener.certificates if validated.listener else ():
            if (message := read(facts.refused_secrets, (key, certificate.secret))) is not None:
                condition = conditions.certificate_rejected_by_envoy(certificate.secret, message)
        return condition

    def of_gateway(read: Read, key: Key, _gateway: ManagedGateway) -> tuple[ListenerConditions, ...]:
        before = reported_names(read, key)
        fleet = read(world.fleet_statuses, key) or EnvoyFleetStatus()
        overlapping = read(overlaps, key) or {}
        result = []
        for validated in read(inputs.listeners.validated, key) or ():
            name = validated.name
            version = read(inputs.versions, (key, *validated.port)) if validated.listener else None
            fact = read(facts.listeners, (key, version[0])) if version else None
            is_programmed = rejected_certificate(read, key, validated) or programmed(
                validated, version, fact, fleet, name in before
            )
            routes = read(attached_routes, (key, name)) or 0
            overlap = [overlapping[name]] if name in overlapping else []
            every = (*resolved_conditions(validated), is_programmed, *overlap)
            result.append(ListenerConditions(validated, routes, every))
        return tuple(result)

    return ListenerStatuses(engine.map("conditions of listeners", inputs.gateways.managed, of_gateway), reported)


def _attached_routes(inputs: StatusInputs) -> Collection[tuple[Key, str], int]:
    """Per Gateway and listener: the number of accepted routes, whether the listener is valid or not."""
    engine = inputs.world.engine

    def is_accepted(read: Read, key: tuple[Key, str, Ref], _attachment: Attachment) -> bool | None:
        gateway, _, route = key
        is_rejected = read(inputs.facts.refused_routes, (gateway, route)) is not None
        problems = read(inputs.rules.problems, route) or ()
        is_invalid = first_problem(problems, route_conditions.ACCEPTED) is not None
        return None if is_rejected or is_invalid else True

    accepted = engine.map("accepted attachments", inputs.attached.attachments, is_accepted)
    return engine.count("attached routes", accepted, lambda key, _true: (key[0], key[1]))


def _reported_of_gateway(_read: Read, _key: Key, gateway: api.Gateway) -> frozenset[str]:
    names = _programmed_names(gateway.ref, gateway.status.listeners)
    return frozenset(names | {GATEWAY} if _is_programmed(gateway.status.conditions) else names)


def _reported_of_listener_set(_read: Read, _key: Key, listener_set: api.ListenerSet) -> frozenset[str]:
    return frozenset(_programmed_names(listener_set.ref, listener_set.status.listeners))


def _programmed_names(owner: Ref, listeners: Iterable[api.ListenerStatus]) -> set[str]:
    return {unique_name(owner, listener.name) for listener in listeners if _is_programmed(listener.conditions)}


def _is_programmed(reported: Sequence[Condition]) -> bool:
    return any(condition.type == conditions.PROGRAMMED and condition.status == "True" for condition in reported)


def resolved_conditions(validated: ValidatedListener) -> tuple[Condition, ...]:
    """Accepted, Conflicted and ResolvedRefs, which depend on the objects alone."""
    problems = validated.problems
    return (_accepted(problems), _conflicted(problems), condition_from(conditions.refs_resolved(), problems))


def _accepted(problems: Sequence[Problem]) -> Condition:
    problem = first_problem(problems, conditions.ACCEPTED) or first_problem(problems, conditions.CONFLICTED)
    if problem is not None:
        return conditions.not_accepted(problem.reason, joined_messages(problems, problem.condition))
    return conditions.accepted()


def _conflicted(problems: Sequence[Problem]) -> Condition:
    if (problem := first_problem(problems, conditions.CONFLICTED)) is not None:
        return conditions.conflicted(problem)
    return conditions.not_conflicted()


def programmed(
    validated: ValidatedListener,
    version: tuple[str, str] | None,
    fact: ListenerFact | None,
    fleet: EnvoyFleetStatus,
    reported: bool,
) -> Condition:
    """Programmed: an Envoy accepted this version, or the listener was programmed before and no Envoy rejected it."""
    if validated.listener is None:
        conflict = first_problem(validated.problems, conditions.CONFLICTED)
        message = "; ".join(str(problem) for problem in validated.problems)
        return conditions.not_programmed(message, conflict.reason if conflict else "Invalid")
    if version is not None and fact is not None:
        if fact.refused and fact.refused_version == version[1]:
            return conditions.rejected_by_envoy(fact.refused)
        if fact.acked == version[1]:
            return conditions.programmed()
    if reported:
        return conditions.programmed()
    if version is None:
        return conditions.pending(fleet.reason_unavailable or WAITING_FOR_ENVOY)
    return conditions.pending("waiting for an Envoy of the Gateway to accept the listener")
