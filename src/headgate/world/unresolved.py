"""What an object names that is not there yet: watches of different kinds are not in step."""

from collections.abc import Iterator

import msgspec

from headgate.api import core
from headgate.api.gateway import GROUP
from headgate.api.meta import Key, Object, Ref

from .objects import SERVICE_NAME, World

#: Kinds that are looked for, by their name; all are of the core group.
LOOKED_FOR: dict[str, type[Object]] = {"Service": core.Service, "Secret": core.Secret, "ConfigMap": core.ConfigMap}
#: The kind under which a missing permission is told; its key has no name.
GRANT = "ReferenceGrant"


def unresolved_references(world: World, found: Object) -> frozenset[Ref]:
    """The Services (with their EndpointSlices), Secrets and ConfigMaps that an object names and that are not in the
    world, and the namespaces that do not permit it to name them, as `Ref(GRANT, namespace, "")`.
    """
    missing = set()
    for kind, namespace, name in _named(getattr(found, "spec", None)):
        to = Ref(kind, namespace or found.metadata.namespace, name)
        if to.namespace != found.metadata.namespace and not _permitted(world, found, to):
            missing.add(Ref(GRANT, to.namespace, ""))
        elif not _there(world, to):
            missing.add(to)
    return frozenset(missing)


def _named(value: object) -> Iterator[tuple[str, str | None, str]]:
    """Kind, namespace and name of every reference in a value, wherever it stands."""
    if isinstance(value, tuple):
        for each in value:
            yield from _named(each)
    elif isinstance(value, msgspec.Struct):
        if getattr(value, "kind", "") in LOOKED_FOR and getattr(value, "group", "") == "":
            yield value.kind, getattr(value, "namespace", None), value.name  # type: ignore[attr-defined]
        for field in value.__struct_fields__:
            inner = getattr(value, field)
            if isinstance(inner, tuple | msgspec.Struct):
                yield from _named(inner)


def _there(world: World, to: Ref) -> bool:
    match to.kind:
        case "Service":
            return to.key in world.services and bool(world.slices_of_service.members(to.key))
        case "Secret":
            return to.key in world.secrets
    return to.key in world.config_maps


def _permitted(world: World, found: Object, to: Ref) -> bool:
    who = (GROUP, found.kind, found.metadata.namespace)
    members = world.permissions.members
    return any(members((to.namespace, *who, "", to.kind, name)) for name in (to.name, ""))


def reference_to(found: Object, key: Key) -> Ref:
    """What an object is called when it is lacking elsewhere: an EndpointSlice stands for its Service."""
    if found.kind == "EndpointSlice":
        return Ref("Service", key.namespace, found.metadata.labels.get(SERVICE_NAME, ""))
    return Ref(GRANT, key.namespace, "") if found.kind == GRANT else Ref(found.kind, key.namespace, key.name)
