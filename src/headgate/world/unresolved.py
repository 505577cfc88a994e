"""References to objects that were not seen yet. Watches of different kinds are not synchronised: a route can arrive
before its Service."""

from headgate.api import core
from headgate.api.gateway import GROUP
from headgate.api.meta import Object, Ref

from .grants import permitting
from .objects import KIND_NAMED, KIND_OF, World
from .references import GRANT, references_in


def unresolved_references(world: World, referrer: Object) -> frozenset[Ref]:
    """The references of an object that do not resolve in the world.

    They are Services (with their EndpointSlices), Secrets and ConfigMaps; a namespace whose ReferenceGrants do not
    permit a reference to it is `Ref(GRANT, namespace, "")`.
    """
    namespace = referrer.metadata.namespace
    spec = getattr(referrer, "spec", None)
    return frozenset(
        missing
        for target in references_in(spec, KIND_OF[type(referrer)].waits_for, namespace)
        if (missing := _missing(world, referrer, target)) is not None
    )


def _missing(world: World, referrer: Object, target: Ref) -> Ref | None:
    """What has to arrive before a reference resolves."""
    row = KIND_NAMED.get(target.kind)
    if row is None or not row.is_read_by_name:
        return None
    if target.namespace != referrer.metadata.namespace and not _is_permitted(world, referrer, target):
        return Ref(GRANT, target.namespace, "")
    if target.key not in world.sources[row.type]:
        return target
    # A Service without endpoints gets no traffic.
    return target if row.type is core.Service and not world.slices_of_service.members(target.key) else None


def _is_permitted(world: World, referrer: Object, target: Ref) -> bool:
    who = (GROUP, referrer.kind, referrer.metadata.namespace)
    permissions = permitting(who, ("", target.kind, target.name), target.namespace)
    return any(world.permissions.members(permission) for permission in permissions)
