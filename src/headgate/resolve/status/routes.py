"""Routes of every kind: our entries of `status.parents`."""

from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Ref
from headgate.conditions import Problem, condition_from, first_problem, joined_messages, stamp
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read
from headgate.resolve.status import pending_udp_routes

from ..attachment.routes import ParentResult, RouteSnapshot
from .inputs import StatusInputs


def declare(grounds: StatusInputs) -> Collection[Ref, tuple[api.RouteParentStatus, ...]]:
    """Per route: one entry for each parentRef to a Gateway of ours or to a ListenerSet of one."""

    before = pending_udp_routes.reported_accepted(grounds)

    def status(read: Read, key: Ref, found: RouteSnapshot) -> tuple[api.RouteParentStatus, ...] | None:
        problems = read(grounds.rules.problems, key) or ()
        entries = tuple(
            parent_status(
                found,
                parent,
                read(grounds.gateways.controllers, parent.gateway) or "",
                problems,
                read(grounds.facts.refused_routes, (parent.gateway, key)),
                pending_udp_routes.is_pending(read, grounds, before, key, parent.ref, parent),
            )
            for parent in read(grounds.attached.parents, key) or ()
        )
        return entries or None

    return grounds.world.engine.map("route statuses", grounds.attached.snapshots, status)


def parent_status(
    found: RouteSnapshot,
    parent: ParentResult,
    controller: str,
    problems: Sequence[Problem],
    refused: str | None,
    waits: bool,
) -> api.RouteParentStatus:
    """Our entry for one parentRef, which is copied as it is written."""
    every = ([parent.problem] if parent.problem else []) + list(problems)
    accepted = condition_from(conditions.accepted(), every)
    if accepted.status == "True" and refused is not None:
        accepted = conditions.rejected_by_envoy(refused)
    elif accepted.status == "True" and waits:
        accepted = conditions.pending()
    result = [accepted, condition_from(conditions.refs_resolved(), every)]
    if accepted.status == "True" and first_problem(every, conditions.PARTIALLY_INVALID) is not None:
        result.append(conditions.partially_invalid(joined_messages(every, conditions.PARTIALLY_INVALID)))
    return api.RouteParentStatus(
        parent_ref=parent.ref,
        controller_name=controller,
        conditions=stamp(result, found.generation),
    )
