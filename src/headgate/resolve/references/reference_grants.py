"""ReferenceGrants: whether a reference to another namespace is permitted (GEP-709)."""

from headgate.incremental import Read
from headgate.world import World
from headgate.world.grants import permitting


def is_permitted(
    read: Read, world: World, *, who: tuple[str, str, str], what: tuple[str, str, str], namespace: str
) -> bool:
    """Whether a ReferenceGrant of `namespace` permits a reference.

    `who` is group, kind and namespace of the referring object; `what` is group, kind and name of the target.
    """
    return any(read.group(world.permissions, permission) for permission in permitting(who, what, namespace))
