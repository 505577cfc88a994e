"""What one controller says of a policy, or of a backend, for one Gateway (`PolicyAncestorStatus`, GEP-713)."""

from collections.abc import Iterable

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key
from headgate.conditions import stamp

#: As many ancestors as a policy can carry.
MOST = 16

Entries = tuple[api.PolicyAncestorStatus, ...]


def entry(gateway: Key, controller: str, generation: int, conditions: Iterable[Condition]) -> api.PolicyAncestorStatus:
    """The entry for a Gateway."""
    return api.PolicyAncestorStatus(
        ancestor_ref=api.ParentReference(name=gateway.name, namespace=gateway.namespace),
        controller_name=controller,
        conditions=stamp(conditions, generation),
    )
