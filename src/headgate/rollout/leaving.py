"""Rules about a Canary that is deleted, with `revertOnDeletion`: the target serves again as if there had been no
Canary.

Better than leaving a route behind that leads nowhere: in an HTTPRoute that is not the Canary's own, `<apex>` takes the
place of primary and canary again.
"""

from headgate.api.apps import Deployment
from headgate.api.core import Service
from headgate.api.delivery import Canary
from headgate.api.gateway import HTTPRoute

from . import intent, primary, routes
from .deciding import act, wait, write
from .effects import Decision, Json, Patch, normal, pointer
from .ownership import is_owned
from .release import Release
from .seen import Ref
from .status import enter

FINALIZER = "finalizer.flagger.app"


def leaving(release: Release) -> Decision | None:
    """A deleted Canary: reverted if it asked for that, else nothing is touched any more."""
    if release.canary.metadata.deletion_timestamp is None:
        return None
    if FINALIZER not in release.canary.metadata.finalizers:
        return Decision(memory=release.seen.memory)
    name = f"{release.canary.metadata.name}.{release.names.namespace}"
    if release.phase != "Terminating":
        after = enter(release.status, "Terminating", release.kind, release.now)
        return act(release, write(release, after), normal(f"Terminating canary {name}"))
    if release.seen.objects.get(_target(release)) is not None and (reverting := _revert(release)):
        return reverting
    return act(release, _finalizers(release, keep=False), normal(f"Terminated canary {name}"))


def finalizer(release: Release) -> Decision | None:
    """`revertOnDeletion` needs a finalizer, and only then is there one."""
    there = FINALIZER in release.canary.metadata.finalizers
    if there == release.canary.spec.revert_on_deletion:
        return None
    return act(release, _finalizers(release, keep=not there))


def _revert(release: Release) -> Decision | None:
    """Pods first, then what leads to them."""
    if not release.target_replicas:
        return act(release, primary.scale(release.names, release.full_replicas))
    if release.canary_unready and not release.stalled:
        reason = f"canary deployment {release.names.target}.{release.names.namespace} not ready: "
        return wait(release, reason + release.canary_unready.message)
    reverted = tuple(patch for patch in (_apex(release), _route(release)) if patch)
    return act(release, *reverted) if reverted else None


def _finalizers(release: Release, *, keep: bool) -> Patch:
    before = list(release.canary.metadata.finalizers)
    after = [*before, FINALIZER] if keep else [name for name in before if name != FINALIZER]
    operations: list[Json] = [{"op": "add", "path": "/metadata/finalizers", "value": after}]
    if before:
        operations.insert(0, {"op": "test", "path": "/metadata/finalizers", "value": before})
    return Patch(Canary, release.canary.key, tuple(operations))


def _target(release: Release) -> Ref:
    return Ref(Deployment, release.names.key(release.names.target))


def _apex(release: Release) -> Patch | None:
    key = release.names.key(release.names.apex)
    service = release.seen.objects.get(Ref(Service, key))
    if service is None or is_owned(service, release.seen.canary):
        return None
    label, value = primary.selector_label(release.target, release.names, release.settings)
    if (service.get("spec") or {}).get("selector") == {label: value}:
        return None
    return Patch(Service, key, ({"op": "add", "path": "/spec/selector", "value": {label: value}},))


def _route(release: Release) -> Patch | None:
    route = release.route
    if route is None or is_owned(route, release.seen.canary):
        return None
    operations: list[Json] = []
    for pair in routes.pairs(route, release.names):
        refs = route["spec"]["rules"][pair.rule]["backendRefs"]
        apex = {**refs[pair.primary], "name": release.names.apex, "weight": pair.total}
        kept = [ref for index, ref in enumerate(refs) if index not in (pair.primary, pair.canary)]
        at = pointer("spec", "rules", pair.rule, "backendRefs")
        test = {"op": "test", "path": f"{at}/{pair.primary}/name", "value": release.names.primary_service}
        operations += [test, {"op": "replace", "path": at, "value": [apex, *kept]}]
    if intent.ANNOTATION in (route["metadata"].get("annotations") or {}):
        operations.append({"op": "remove", "path": pointer("metadata", "annotations", intent.ANNOTATION)})
    return Patch(HTTPRoute, release.names.key(release.names.apex), tuple(operations)) if operations else None
