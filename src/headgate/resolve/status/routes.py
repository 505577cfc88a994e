"""Routes of every kind: our entries of `status.parents`."""

from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Ref
from headgate.conditions import Problem, first, sentence, stamp, verdict
from headgate.conditions import http_route as say
from headgate.incremental import Collection, Read

from ..attachment.routes import Parent, Spec
from . import waiting
from .inputs import Grounds


def declare(grounds: Grounds) -> Collection[Ref, tuple[api.RouteParentStatus, ...]]:
    """Per route: one entry for each parentRef to a Gateway of ours or to a ListenerSet of one."""

    before = waiting.reported(grounds)

    def status(read: Read, key: Ref, found: Spec) -> tuple[api.RouteParentStatus, ...] | None:
        problems = read(grounds.rules.problems, key) or ()
        entries = tuple(
            parent_status(
                found,
                parent,
                read(grounds.gateways.controllers, parent.gateway) or "",
                problems,
                read(grounds.facts.refused_routes, (parent.gateway, key)),
                waiting.waits(read, grounds, before, key, parent.ref, parent),
            )
            for parent in read(grounds.attached.parents, key) or ()
        )
        return entries or None

    return grounds.world.engine.map("route statuses", grounds.attached.specs, status)


def parent_status(
    found: Spec, parent: Parent, controller: str, problems: Sequence[Problem], refused: str | None, waits: bool
) -> api.RouteParentStatus:
    """Our entry for one parentRef, which is copied as it is written."""
    every = ([parent.problem] if parent.problem else []) + list(problems)
    accepted = verdict(say.accepted(), every)
    if accepted.status == "True" and refused is not None:
        accepted = say.refused(refused)
    elif accepted.status == "True" and waits:
        accepted = say.waiting()
    conditions = [accepted, verdict(say.refs_resolved(), every)]
    if accepted.status == "True" and first(every, say.PARTIALLY_INVALID) is not None:
        conditions.append(say.dropped_rules(sentence(every, say.PARTIALLY_INVALID)))
    return api.RouteParentStatus(
        parent_ref=parent.ref,
        controller_name=controller,
        conditions=stamp(conditions, found.generation),
    )
