"""Status of a route of any kind: the entries of this controller in `status.parents`."""

from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Condition, Ref
from headgate.conditions import Problem, condition_from, first_problem, joined_messages, stamp
from headgate.conditions import http_route as conditions
from headgate.incremental import Collection, Read

from ..attachment.routes import RouteSnapshot
from .inputs import StatusInputs
from .pending_udp_routes import PendingUDPRoutes


def declare(inputs: StatusInputs) -> Collection[Ref, tuple[api.RouteParentStatus, ...]]:
    """Per route: an entry for each parentRef to a managed Gateway or to a ListenerSet of one."""
    pending = PendingUDPRoutes(inputs)

    def status(read: Read, route: Ref, snapshot: RouteSnapshot) -> tuple[api.RouteParentStatus, ...] | None:
        problems = read(inputs.rules.problems, route) or ()
        entries = []
        for parent in read(inputs.attached.parents, route) or ():
            accepted = _accepted(
                [parent.problem, *problems] if parent.problem else problems,
                read(inputs.facts.refused_routes, (parent.gateway, route)),
                pending.is_pending(read, route, parent),
            )
            entry = api.RouteParentStatus(
                parent_ref=parent.ref,
                controller_name=read(inputs.gateways.controllers, parent.gateway) or "",
                conditions=stamp(_conditions(accepted, problems), snapshot.generation),
            )
            entries.append(entry)
        return tuple(entries) or None

    return inputs.world.engine.map("statuses of routes", inputs.attached.snapshots, status)


def _accepted(problems: Sequence[Problem], rejected: str | None, is_pending: bool) -> Condition:
    """Accepted; `rejected` is Envoy's error for the virtual host of the route."""
    accepted = condition_from(conditions.accepted(), problems)
    if accepted.status != "True":
        return accepted
    if rejected is not None:
        return conditions.rejected_by_envoy(rejected)
    return conditions.pending() if is_pending else accepted


def _conditions(accepted: Condition, problems: Sequence[Problem]) -> list[Condition]:
    """Accepted, ResolvedRefs, and PartiallyInvalid while it is True."""
    result = [accepted, condition_from(conditions.refs_resolved(), problems)]
    is_partial = first_problem(problems, conditions.PARTIALLY_INVALID) is not None
    if accepted.status == "True" and is_partial:
        result.append(conditions.partially_invalid(joined_messages(problems, conditions.PARTIALLY_INVALID)))
    return result
