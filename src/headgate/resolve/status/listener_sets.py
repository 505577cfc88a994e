"""ListenerSet (GEP-1713)."""

from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key, Ref
from headgate.conditions import listener_set as say
from headgate.conditions import stamp
from headgate.incremental import Collection, Read

from ..attachment.merged_listeners import Set
from .inputs import Grounds
from .listeners import WAITING, Listening, Told


def declare(grounds: Grounds, listening: Listening) -> Collection[Key, api.ListenerSetStatus]:
    """Per ListenerSet with a parent of ours."""

    def status(read: Read, key: Key, found: Set) -> api.ListenerSetStatus:
        if found.refusal is not None:
            both = (say.not_accepted(found.refusal), say.not_programmed(found.refusal))
            return api.ListenerSetStatus(conditions=stamp(both, found.generation))
        owner = Ref("ListenerSet", key.namespace, key.name)
        own = [each for each in read(listening.told, found.gateway) or () if each.judged.owner == owner]
        return api.ListenerSetStatus(
            conditions=stamp(_whole(own), found.generation),
            listeners=tuple(each.status(found.generation) for each in own),
        )

    return grounds.world.engine.map("listener set statuses", grounds.asked.sets, status)


def attached(every: Sequence[Told]) -> int:
    """How many ListenerSets are attached to a Gateway: those with a valid listener."""
    return len({each.judged.owner for each in every if each.judged.owner.kind == "ListenerSet" and _valid(each)})


def _valid(told: Told) -> bool:
    return told.judged.listener is not None


def _whole(own: Sequence[Told]) -> tuple[Condition, Condition]:
    invalid = [each.judged.section for each in own if not _valid(each)]
    if len(invalid) == len(own):
        return say.no_valid_listener(say.ACCEPTED, invalid), say.no_valid_listener(say.PROGRAMMED, invalid)
    serving = say.programmed() if any(each.serving for each in own) else say.pending(WAITING)
    return say.accepted(invalid), serving
