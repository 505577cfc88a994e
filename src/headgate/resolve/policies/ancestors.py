"""Entries of `status.ancestors` (GEP-713): one per Gateway, listener, ListenerSet or route parent to which a policy
reports. XBackends report in the same form.
"""

from collections.abc import Iterable, Mapping

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import stamp
from headgate.incremental import Read

from ..gateways.managed import ManagedGateways

#: So many ancestors a policy can have (`PolicyStatus.ancestors`).
MAX_ANCESTORS = 16

Entries = tuple[api.PolicyAncestorStatus, ...]

#: A managed Gateway, and the object that is referred to: the Gateway itself, or something that belongs to it.
Ancestor = tuple[Key, api.ParentReference]


def of_gateway(gateway: Key, section: str = "") -> Ancestor:
    """A Gateway, or one of its listeners."""
    reference = api.ParentReference(name=gateway.name, namespace=gateway.namespace, section_name=section or None)
    return gateway, reference


def of_listener_set(gateway: Key, listener_set: Key, section: str = "") -> Ancestor:
    """A ListenerSet of a Gateway, or one of its listeners."""
    reference = api.ParentReference(
        kind="ListenerSet",
        name=listener_set.name,
        namespace=listener_set.namespace,
        section_name=section or None,
    )
    return gateway, reference


def entries(
    read: Read,
    gateways: ManagedGateways,
    generation: int,
    by_ancestor: Mapping[Ancestor, Iterable[Condition]],
    limit: int = MAX_ANCESTORS,
) -> Entries:
    """One entry per ancestor of a managed Gateway, sorted, for this generation of the object."""
    ours = []
    for ancestor in sorted(by_ancestor, key=_order):
        controller = read(gateways.controllers, ancestor[0])
        if controller is not None:
            conditions = stamp(by_ancestor[ancestor], generation)
            ours.append(
                api.PolicyAncestorStatus(ancestor_ref=ancestor[1], controller_name=controller, conditions=conditions)
            )
    return tuple(ours[:limit])


def _order(ancestor: Ancestor) -> tuple[Key, str, str, str, str, int]:
    gateway, ref = ancestor
    return gateway, ref.kind, ref.namespace or "", ref.name, ref.section_name or "", ref.port or 0
