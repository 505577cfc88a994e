"""Rules about the objects around a Canary: Services, primary, route; and its initialization.

The order keeps traffic served: the primary is ready before a Service selects it, and every Service selects it before
the target is scaled to zero.
"""

import msgspec

from headgate.api.gateway import HTTPRoute
from headgate.api.patch import json_patch

from .. import configs, intent, revision, routes, services, status
from ..alerting import alert
from ..analysis import checks
from ..decision import act, query, rest, route_split, wait, write
from ..effects import Create, Decision, EmitEvent, Patch, normal, warning
from ..problem import NotAcceptedError
from ..providers import QueryError
from ..release import Release
from ..validation import is_ours, validate


def other_provider(release: Release) -> Decision | None:
    """A Canary of another provider belongs to another controller."""
    return None if is_ours(release.canary, release.settings) else rest(release)


def suspended(release: Release) -> Decision | None:
    """`spec.suspend` stops everything where it is."""
    if not release.canary.spec.suspend:
        return None
    memory = release.snapshot.memory
    if memory.last_wait_event is not None and release.now < memory.last_wait_event + release.interval:
        return rest(release, memory.last_wait_event + release.interval)
    memory = msgspec.structs.replace(memory, last_wait_event=release.now)
    return Decision(effects=(normal("skipping canary run as object is suspended"),), memory=memory)


def invalid_spec(release: Release) -> Decision | None:
    """A spec that cannot be followed. A promotion that has begun is completed first."""
    if release.phase in ("Promoting", "Finalising"):
        return None
    if other := release.snapshot.conflicting_canary:
        message = f"{release.names.target} is released by Canary {other} already; delete one of the two"
        raise NotAcceptedError("spec.targetRef.name", message, "Conflict")
    problems = validate(release.canary, release.settings)
    if problems:
        message = "; ".join((problems[0].message, *map(str, problems[1:])))
        raise NotAcceptedError(problems[0].path, message, problems[0].reason)
    return None


def initialize(release: Release) -> Decision | None:
    """A new Canary."""
    return act(release, write(release, status.enter_phase(release.status, "Initializing", release.kind, release.now)))


def take_over(release: Release) -> Decision | None:
    """A status with another controller's hash gets ours. That alone never starts a rollout.

    If the primary of a resting Canary differs from its target, a rollout follows, as the hash of the other controller
    would have shown as well.
    """
    if revision.is_ours(release.status.last_applied_spec):
        return None
    same = release.primary is not None and release.workload.is_copy(
        release.target, release.primary, release.primary_of("", {})
    )
    resting = release.phase in ("Initialized", "Succeeded")
    after = msgspec.structs.replace(
        release.status,
        last_applied_spec=release.revision if same or not resting else "",
        last_promoted_spec=release.revision if same else "",
        tracked_configs=release.status.tracked_configs or release.checksums,
    )
    return act(release, write(release, after))


def workload_services(release: Release) -> Decision | None:
    """`<apex>-canary` and `<apex>-primary`."""
    effects = services.workload_services(release)
    return act(release, *effects) if effects else None


def primary_created(release: Release) -> Decision | None:
    """`<target>-primary` and its copies of the configuration. During initialization it follows the target."""
    how = release.primary_of(release.revision, release.checksums)
    canary, settings = release.snapshot.canary, release.settings
    if release.primary is None:
        primary = release.workload.create_primary(release.target, canary, how)
        return act(release, *configs.copies(release.configs, canary, settings), primary)
    if release.phase == "Initializing" and not release.workload.is_copy(release.target, release.primary, how):
        copies = configs.copies(release.configs, canary, settings)
        return act(release, *copies, release.workload.promote(release.target, release.primary, how))
    return None


def primary_initialized(release: Release) -> Decision | None:
    """The first primary has to be ready before a Service selects it; until then the target serves."""
    if not release.primary_unready:
        return None
    return wait(release, f"{release.primary_name} not ready: {release.primary_unready.message}")


def apex_service(release: Release) -> Decision | None:
    """`<apex>` selects the primary."""
    effects = services.apex_service(release)
    return act(release, *effects) if effects else None


def route(release: Release) -> Decision | None:
    """The HTTPRoute is what `spec.service` wants."""
    names, split = release.names, release.split
    if release.route is None:
        route = intent.create(release.service, release.snapshot.canary, names)
        expressed = routes.express(route, names, split)
        return act(release, Create(HTTPRoute, json_patch(route, expressed.operations) if expressed else route))
    operations = routes.adopt(release.route, names, split)
    if operations:
        expressed = routes.express(json_patch(release.route, operations), names, split)
        operations += expressed.operations if expressed else ()
    else:
        operations = intent.changes(release.route, release.service, names, split)
    return act(release, Patch(HTTPRoute, names.key(names.apex), tuple(operations))) if operations else None


def route_has_split(release: Release) -> Decision | None:
    """The route has the split of the status: finishes what a crash left and undoes what other writers set."""
    patch = route_split(release, release.split)
    return act(release, patch) if patch else None


def initialized(release: Release) -> Decision | None:
    """Initialization is complete: scale the target to zero until the next revision."""
    if release.target_has_pods:
        return act(release, release.workload.scale_to_zero(release.names))
    available = None if release.canary.spec.skip_analysis else _availability(release)
    if isinstance(available, Decision):
        return available
    after = status.enter_phase(
        release.with_revision(release.status),
        "Initialized",
        release.kind,
        release.now,
        canary_weight=0,
        failed_checks=0,
        iterations=0,
        last_promoted_spec=release.revision,
    )
    message = f"New {release.kind} detected, initialization completed."
    return act(
        release,
        available,
        write(release, after),
        normal(f"Initialization done! {release.name}"),
        *alert(release, "info", message, details=True),
    )


def _availability(release: Release) -> Decision | EmitEvent:
    """Whether the metrics providers answer; that is only an event."""
    sources = checks.Sources(release.route, release.snapshot.objects, release.settings, 0.0, release.now)
    named = checks.availability(release.canary, sources)
    results = release.snapshot.query_results
    if asking := query(release, checks.missing(tuple(check for _, check in named), results)):
        return asking
    for name, check in named:
        try:
            check.value(results)
        except QueryError as error:
            return warning(f"Error checking metric providers: {name}: {error}")
    return normal("all the metrics providers are available!")
