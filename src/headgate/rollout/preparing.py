"""Rules about the objects around a Canary: Services, primary, route; and its first initialisation.

The order keeps traffic served: the primary is ready before anything leads to it, and everything leads to it before the
target is scaled to zero.
"""

import msgspec

from . import configs, intent, primary, revision, services
from .analysis import checks
from .deciding import act, asking, rest, wait, weights, write
from .effects import Decision, Effect, normal, warning
from .problems import RefusedError, is_ours, problems
from .providers import QueryError, Response, Unanswered, prometheus
from .release import Release
from .status import enter


def stranger(release: Release) -> Decision | None:
    """A Canary of another provider belongs to another controller."""
    return None if is_ours(release.canary, release.settings) else Decision(memory=release.seen.memory)


def suspended(release: Release) -> Decision | None:
    """`spec.suspend` stops everything where it is."""
    if not release.canary.spec.suspend:
        return None
    memory = release.seen.memory
    if memory.said is not None and release.now < memory.said + release.interval:
        return rest(release, memory.said + release.interval)
    said = msgspec.structs.replace(memory, said=release.now)
    return Decision(effects=(normal("skipping canary run as object is suspended"),), memory=said)


def impossible(release: Release) -> Decision | None:
    """What the spec asks for and we cannot do. A promotion that has begun is brought to its end first."""
    if release.phase in ("Promoting", "Finalising"):
        return None
    if release.seen.rival:
        message = f"{release.names.target} is released by Canary {release.seen.rival} already; delete one of the two"
        raise RefusedError("spec.targetRef.name", message, "Conflict")
    found = problems(release.canary, release.settings)
    if found:
        raise RefusedError(found[0].path, "; ".join((found[0].message, *map(str, found[1:]))), found[0].reason)
    return None


def begin(release: Release) -> Decision | None:
    """A new Canary."""
    return act(release, write(release, enter(release.status, "Initializing", release.kind, release.now)))


def take_over(release: Release) -> Decision | None:
    """A status with another controller's hash gets ours. Never does that alone start a release.

    Resting Canaries whose primary differs from the target have a release to come, which the hash of the other
    controller would have shown as well.
    """
    if revision.is_ours(release.status.last_applied_spec):
        return None
    same = release.primary is not None and primary.same_pods(
        release.target, release.primary, release.names, configs.renames(release.configs), release.settings
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
    effects = services.workload_services(
        release.service, release.target, release.seen.canary, release.names, release.seen.objects, release.settings
    )
    return act(release, *effects) if effects else None


def primary_exists(release: Release) -> Decision | None:
    """`<target>-primary` and its copies of the configuration; while initialising it follows the target."""
    renames = configs.renames(release.configs)
    mark = primary.mark(release.revision, release.checksums)
    canary, names, settings = release.seen.canary, release.names, release.settings
    if release.primary is None:
        made = primary.create(release.target, canary, names, renames, mark, settings)
        return act(release, *configs.copies(release.configs, canary, settings), made)
    if release.phase == "Initializing" and not primary.same_pods(
        release.target, release.primary, names, renames, settings
    ):
        copies = configs.copies(release.configs, canary, settings)
        return act(release, *copies, primary.promote(release.target, release.primary, names, renames, mark, settings))
    return None


def primary_serves(release: Release) -> Decision | None:
    """The first primary has to be ready before anything leads to it; until then the target serves on."""
    if not release.primary_unready:
        return None
    name = f"{release.names.primary}.{release.names.namespace}"
    return wait(release, f"{name} not ready: {release.primary_unready.message}")


def apex_service(release: Release) -> Decision | None:
    """`<apex>` leads to the primary."""
    effects = services.apex_service(
        release.service, release.target, release.seen.canary, release.names, release.seen.objects, release.settings
    )
    return act(release, *effects) if effects else None


def route(release: Release) -> Decision | None:
    """The HTTPRoute has what the spec asks for."""
    effects = intent.ensure(release.route, release.service, release.seen.canary, release.names, release.weight)
    return act(release, *effects) if effects else None


def route_weights(release: Release) -> Decision | None:
    """The route has the weight that the status says: this finishes what a crash left and undoes what others set."""
    patch = weights(release, release.weight)
    return act(release, patch) if patch else None


def initialised(release: Release) -> Decision | None:
    """Everything stands: the target rests at zero until its next revision."""
    if release.target_replicas > 0:
        return act(release, primary.scale(release.names, 0))
    said: Decision | tuple[Effect, ...] = () if release.canary.spec.skip_analysis else _availability(release)
    if isinstance(said, Decision):
        return said
    after = enter(
        release.with_status(release.status),
        "Initialized",
        release.kind,
        release.now,
        canary_weight=0,
        failed_checks=0,
        iterations=0,
        last_promoted_spec=release.revision,
    )
    done = normal(f"Initialization done! {release.canary.metadata.name}.{release.names.namespace}")
    return act(release, *said, write(release, after), done)


def _availability(release: Release) -> Decision | tuple[Effect, ...]:
    """Whether the metrics backends are there; it is said, and changes nothing."""
    online = checks.online(release.canary, release.seen.objects, release.settings)
    questions = [question for _, question in online if not isinstance(question, str)]
    answers = release.seen.answers
    if questions and answers is None:
        return asking(release, questions)
    for name, question in online:
        try:
            if isinstance(question, str):
                raise QueryError(question)
            answer = (answers or {}).get(question)
            if isinstance(answer, Response | Unanswered):
                prometheus.read(answer)
        except QueryError as error:
            return (warning(f"Error checking metric providers: {name}: {error}"),)
    return (normal("all the metrics providers are available!"),)
