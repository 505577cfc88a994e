"""Rules about a deleted Canary. With `revertOnDeletion` the target serves again as if there had been no Canary.

An HTTPRoute that is not the Canary's own gets `<apex>` back in place of primary and canary, which no longer exist.
"""

from headgate.api.core import Service
from headgate.api.delivery import Canary
from headgate.api.gateway import HTTPRoute
from headgate.api.json_pointer import pointer

from .. import intent, routes
from ..decision import act, rest, wait, write
from ..effects import Decision, Json, Patch, normal
from ..ownership import is_owned
from ..release import Release
from ..status import enter_phase

FINALIZER = "finalizer.flagger.app"


def deletion(release: Release) -> Decision | None:
    """A deleted Canary is reverted if its finalizer is there; otherwise nothing is done for it any more."""
    if release.canary.metadata.deletion_timestamp is None:
        return None
    if FINALIZER not in release.canary.metadata.finalizers:
        return rest(release)
    if release.phase != "Terminating":
        after = enter_phase(release.status, "Terminating", release.kind, release.now)
        return act(release, write(release, after), normal(f"Terminating canary {release.name}"))
    if release.existing_target is not None and (decision := _revert(release)):
        return decision
    return act(release, _finalizers(release, keep=False), normal(f"Terminated canary {release.name}"))


def finalizer(release: Release) -> Decision | None:
    """The finalizer is there exactly if `revertOnDeletion` is set."""
    present = FINALIZER in release.canary.metadata.finalizers
    if present == release.canary.spec.revert_on_deletion:
        return None
    return act(release, _finalizers(release, keep=not present))


def _revert(release: Release) -> Decision | None:
    """Pods first, then the Service and the route."""
    if not release.target_has_pods:
        return act(release, release.workload.scale_up(release.target, release.primary, release.names))
    if release.canary_unready and not release.stalled:
        return wait(release, f"canary deployment {release.target_name} not ready: {release.canary_unready.message}")
    patches = tuple(patch for patch in (_apex(release), _route(release)) if patch)
    return act(release, *patches) if patches else None


def _finalizers(release: Release, *, keep: bool) -> Patch:
    before = list(release.canary.metadata.finalizers)
    after = [*before, FINALIZER] if keep else [name for name in before if name != FINALIZER]
    operations: list[Json] = [{"op": "add", "path": "/metadata/finalizers", "value": after}]
    if before:
        operations.insert(0, {"op": "test", "path": "/metadata/finalizers", "value": before})
    return Patch(Canary, release.canary.key, tuple(operations))


def _apex(release: Release) -> Patch | None:
    service = release.apex_service
    if service is None or is_owned(service, release.snapshot.canary):
        return None
    selector = dict([release.selector_label])
    if (service.get("spec") or {}).get("selector") == selector:
        return None
    operation = {"op": "add", "path": "/spec/selector", "value": selector}
    return Patch(Service, release.names.key(release.names.apex), (operation,))


def _route(release: Release) -> Patch | None:
    route = release.route
    if route is None or is_owned(route, release.snapshot.canary):
        return None
    operations = list(routes.restore(route, release.names))
    if intent.ANNOTATION in (route["metadata"].get("annotations") or {}):
        operations.append({"op": "remove", "path": pointer("metadata", "annotations", intent.ANNOTATION)})
    return Patch(HTTPRoute, release.names.key(release.names.apex), tuple(operations)) if operations else None
