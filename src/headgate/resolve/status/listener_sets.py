"""ListenerSet (GEP-1713)."""

from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key, Ref
from headgate.conditions import listener_set as conditions
from headgate.conditions import stamp
from headgate.incremental import Collection, Read

from ..attachment.merged_listeners import ManagedListenerSet
from .inputs import StatusInputs
from .listeners import WAITING_FOR_ENVOY, ListenerConditions, ListenerStatuses


def declare(grounds: StatusInputs, listening: ListenerStatuses) -> Collection[Key, api.ListenerSetStatus]:
    """Per ListenerSet with a parent of ours."""

    def status(read: Read, key: Key, found: ManagedListenerSet) -> api.ListenerSetStatus:
        if found.problem is not None:
            both = (conditions.not_accepted(found.problem), conditions.not_programmed(found.problem))
            return api.ListenerSetStatus(conditions=stamp(both, found.generation))
        owner = Ref("ListenerSet", key.namespace, key.name)
        own = [each for each in read(listening.conditions, found.gateway) or () if each.listener.owner == owner]
        return api.ListenerSetStatus(
            conditions=stamp(_whole(own), found.generation),
            listeners=tuple(each.status(found.generation) for each in own),
        )

    return grounds.world.engine.map("listener set statuses", grounds.merged_listeners.listener_sets, status)


def attached(every: Sequence[ListenerConditions]) -> int:
    """How many ListenerSets are attached to a Gateway: those with a valid listener."""
    return len({each.listener.owner for each in every if each.listener.owner.kind == "ListenerSet" and _valid(each)})


def _valid(told: ListenerConditions) -> bool:
    return told.listener.listener is not None


def _whole(own: Sequence[ListenerConditions]) -> tuple[Condition, Condition]:
    invalid = [each.listener.section for each in own if not _valid(each)]
    if len(invalid) == len(own):
        return conditions.no_valid_listener(conditions.ACCEPTED, invalid), conditions.no_valid_listener(
            conditions.PROGRAMMED, invalid
        )
    serving = conditions.programmed() if any(each.serving for each in own) else conditions.pending(WAITING_FOR_ENVOY)
    return conditions.accepted(invalid), serving
