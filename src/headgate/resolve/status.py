"""What everybody is told. The one file of the core that reads what Envoys answered (`headgate.world.facts`).

A condition that was reported stays as it is while the fact that it came from is missing: after a restart of the
controller nothing turns False only because no Envoy has spoken yet.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import Problem, first, sentence, stamp
from headgate.conditions import gateway as say_gateway
from headgate.conditions import gateway_class as say_class
from headgate.conditions import http_route as say_route
from headgate.conditions import listener as say_listener
from headgate.incremental import Collection, Read
from headgate.ir.routing import Binding
from headgate.world import Facts, Fleet, ListenerFact, World

from . import gateways as ours
from .attach import Attached, Parent, Place, Spec
from .features import SUPPORTED
from .gateways import Class, Gateways, Owned
from .listeners import Judged, Listeners
from .rules import Rules

#: Name and version of the Envoy resource that serves a port of a Gateway; none while no Envoy ever connected.
Versions = Collection[tuple[Key, int], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Statuses:
    """Per object; conditions without time, stamped with the generation that they judge."""

    classes: Collection[Key, api.GatewayClassStatus]
    gateways: Collection[Key, api.GatewayStatus]
    routes: Collection[Key, tuple[api.RouteParentStatus, ...]]


def declare(
    world: World,
    facts: Facts,
    gateways: Gateways,
    listeners: Listeners,
    attached: Attached,
    rules: Rules,
    versions: Versions,
) -> Statuses:
    """Declare the statuses over everything else."""
    return Statuses(
        classes=world.engine.map("class statuses", gateways.classes, lambda _read, _key, found: class_status(found)),
        gateways=_gateways(world, facts, gateways, listeners, attached, rules, versions),
        routes=_routes(world, facts, gateways, attached, rules),
    )


# GatewayClass.


def class_status(found: Class) -> api.GatewayClassStatus:
    """Accepted, unless it has parameters, which we do not read."""
    if found.parameters is None:
        condition = say_class.accepted()
    else:
        condition = say_class.invalid_parameters(found.parameters.kind, found.parameters.name)
    return api.GatewayClassStatus(
        conditions=stamp([condition], found.generation),
        supported_features=tuple(api.SupportedFeature(name=name) for name in SUPPORTED),
    )


# Gateway.

#: In `_reported`: the Gateway itself, beside the names of its listeners.
_WHOLE = ""


def _gateways(
    world: World,
    facts: Facts,
    gateways: Gateways,
    listeners: Listeners,
    attached: Attached,
    rules: Rules,
    versions: Versions,
) -> Collection[Key, api.GatewayStatus]:
    engine = world.engine
    reported = engine.map("reported as programmed", world.gateways, lambda _read, _key, found: _reported(found))

    def counts(read: Read, key: tuple[Key, str, Key], _place: Place) -> bool | None:
        gateway, _, route = key
        refused = read(facts.refused_routes, (gateway, route)) is not None
        broken = any(each.condition == say_route.ACCEPTED for each in read(rules.problems, route) or ())
        return None if refused or broken else True

    accepted = engine.map("accepted places", attached.places, counts)
    attached_routes = engine.count("attached routes", accepted, lambda key, _true: (key[0], key[1]))

    def status(read: Read, key: Key, found: Owned) -> api.GatewayStatus:
        judged = read(listeners.judged, key) or ()
        before = read(reported, key) or frozenset()
        binding = read(world.bindings, key)
        fleet = read(world.fleets, key) or Fleet()
        programmed = {}
        for each in judged:
            version = read(versions, (key, each.listener.port)) if each.listener else None
            fact = read(facts.listeners, (key, version[0])) if version else None
            programmed[each.name] = listener_programmed(each, version, fact, fleet, each.name in before)
        serving = [name for name, condition in programmed.items() if condition.status == "True"]
        whole = (
            gateway_accepted(found.spec, judged),
            gateway_programmed(found.spec, judged, fleet, binding, serving, _WHOLE in before),
        )
        return api.GatewayStatus(
            addresses=addresses(found.spec, fleet),
            conditions=stamp(whole, found.generation),
            listeners=tuple(
                api.ListenerStatus(
                    name=each.name,
                    attached_routes=read(attached_routes, (key, each.name)) or 0,
                    supported_kinds=tuple(api.RouteGroupKind(kind=kind) for kind in each.kinds),
                    conditions=stamp((*listener_conditions(each), programmed[each.name]), found.generation),
                )
                for each in judged
            ),
        )

    return engine.map("gateway statuses", gateways.owned, status)


def _reported(found: api.Gateway) -> frozenset[str]:
    """Which listeners the Gateway's status says are programmed."""

    def programmed(conditions: Sequence[Condition]) -> bool:
        return any(each.type == say_listener.PROGRAMMED and each.status == "True" for each in conditions)

    names = {each.name for each in found.status.listeners if programmed(each.conditions)}
    return frozenset(names | {_WHOLE} if programmed(found.status.conditions) else names)


def gateway_accepted(spec: api.GatewaySpec, judged: Sequence[Judged]) -> Condition:
    """Accepted: as a whole, then by its listeners."""
    if (parameters := ours.parameters(spec)) is not None:
        return say_gateway.invalid_parameters(parameters.kind, parameters.name)
    if (at := ours.unsupported_address(spec)) is not None:
        return say_gateway.unsupported_address(at, spec.addresses[at].type)
    bad = [each.name for each in judged if not each.accepted]
    if not bad:
        return say_gateway.accepted()
    if len(bad) == len(judged):
        return say_gateway.no_valid_listener(bad)
    return say_gateway.some_listeners_not_valid(bad)


def gateway_programmed(
    spec: api.GatewaySpec,
    judged: Sequence[Judged],
    fleet: Fleet,
    binding: Binding | None,
    serving: Sequence[str],
    reported: bool,
) -> Condition:
    """Programmed: it has an address, and an Envoy has taken at least one listener.

    A Gateway none of whose listeners can serve yet, because references are not resolved, is programmed as soon as an
    Envoy is there.
    """
    if gateway_accepted(spec, judged).status != "True":
        return say_gateway.not_accepted()
    if not fleet.addresses:
        if fleet.trouble:
            return say_gateway.pending(fleet.trouble)
        return say_gateway.address_not_assigned(fleet.service or "of the Envoys")
    wanted = ours.wanted_addresses(spec)
    if missing := [each for each in wanted if each not in fleet.addresses]:
        return say_gateway.address_not_usable(missing, fleet.addresses)
    idle = not any(each.listener for each in judged)
    if serving or (idle and (binding is not None or reported)):
        moved = () if binding is None else _moved(judged, binding)
        return say_gateway.programmed(fleet.addresses, moved)
    return say_gateway.pending(fleet.trouble or _WAITING)


_WAITING = "waiting for the first Envoy of the Gateway to connect and take its listeners"


def _moved(judged: Sequence[Judged], binding: Binding) -> tuple[tuple[int, int], ...]:
    ports = sorted({each.listener.port for each in judged if each.listener})
    return tuple((port, binding.port(port)) for port in ports if binding.port(port) != port)


def addresses(spec: api.GatewaySpec, fleet: Fleet) -> tuple[api.GatewayStatusAddress, ...]:
    """The addresses that were assigned; of those only the ones that were asked for, if any were."""
    wanted = ours.wanted_addresses(spec)
    return tuple(
        api.GatewayStatusAddress(value=each, type="IPAddress" if _is_ip(each) else "Hostname")
        for each in fleet.addresses
        if not wanted or each in wanted
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# Listeners.


def listener_conditions(judged: Judged) -> tuple[Condition, ...]:
    """Accepted, Conflicted, ResolvedRefs."""
    return (_listener_accepted(judged.problems), _conflicted(judged.problems), _listener_refs(judged.problems))


def _listener_accepted(problems: Sequence[Problem]) -> Condition:
    if (problem := first(problems, say_listener.ACCEPTED) or first(problems, say_listener.CONFLICTED)) is not None:
        return say_listener.not_accepted(problem.reason, sentence(problems, problem.condition))
    return say_listener.accepted()


def _conflicted(problems: Sequence[Problem]) -> Condition:
    if (problem := first(problems, say_listener.CONFLICTED)) is not None:
        return say_listener.conflicted(problem)
    return say_listener.not_conflicted()


def _listener_refs(problems: Sequence[Problem]) -> Condition:
    if (problem := first(problems, say_listener.RESOLVED_REFS)) is not None:
        return say_listener.refs_not_resolved(problem.reason, sentence(problems, say_listener.RESOLVED_REFS))
    return say_listener.refs_resolved()


def listener_programmed(
    judged: Judged, version: tuple[str, str] | None, fact: ListenerFact | None, fleet: Fleet, reported: bool
) -> Condition:
    """Programmed: an Envoy took this very version; or it was programmed before and nothing is known to be wrong."""
    if judged.listener is None:
        return say_listener.not_programmed("; ".join(str(each) for each in judged.problems))
    if version is not None and fact is not None:
        if fact.refused and fact.refused_version == version[1]:
            return say_listener.refused(fact.refused)
        if fact.acked == version[1]:
            return say_listener.programmed()
    if reported:
        return say_listener.programmed()
    if version is None:
        return say_listener.pending(fleet.trouble or _WAITING)
    return say_listener.pending("the Envoys of the Gateway were told and have not answered yet")


# Routes.


def _routes(
    world: World, facts: Facts, gateways: Gateways, attached: Attached, rules: Rules
) -> Collection[Key, tuple[api.RouteParentStatus, ...]]:
    def status(read: Read, key: Key, found: Spec) -> tuple[api.RouteParentStatus, ...] | None:
        problems = read(rules.problems, key) or ()
        entries = tuple(
            parent_status(
                found,
                parent,
                read(gateways.controllers, parent.gateway) or "",
                problems,
                read(facts.refused_routes, (parent.gateway, key)),
            )
            for parent in read(attached.parents, key) or ()
        )
        return entries or None

    return world.engine.map("route statuses", attached.specs, status)


def parent_status(
    found: Spec, parent: Parent, controller: str, problems: Sequence[Problem], refused: str | None
) -> api.RouteParentStatus:
    """Our entry for one parentRef, which is copied as it is written."""
    every = ([parent.problem] if parent.problem else []) + list(problems)
    if (problem := first(every, say_route.ACCEPTED)) is not None:
        accepted = say_route.not_accepted(problem.reason, sentence(every, say_route.ACCEPTED))
    elif refused is not None:
        accepted = say_route.refused(refused)
    else:
        accepted = say_route.accepted()
    refs = say_route.refs_resolved()
    if (problem := first(every, say_route.RESOLVED_REFS)) is not None:
        refs = say_route.refs_not_resolved(problem.reason, sentence(every, say_route.RESOLVED_REFS))
    return api.RouteParentStatus(
        parent_ref=found.spec.parent_refs[parent.index],
        controller_name=controller,
        conditions=stamp((accepted, refs), found.generation),
    )
