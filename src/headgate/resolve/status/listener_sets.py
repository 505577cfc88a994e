"""Status of a ListenerSet (GEP-1713)."""

from collections.abc import Sequence

from headgate.api import gateway as api
from headgate.api.meta import Condition, Key, Ref
from headgate.conditions import listener_set as conditions
from headgate.conditions import stamp
from headgate.incremental import Collection, Read

from ..attachment.merged_listeners import ManagedListenerSet
from .inputs import StatusInputs
from .listeners import WAITING_FOR_ENVOY, ListenerConditions, ListenerStatuses


def declare(inputs: StatusInputs, listener_statuses: ListenerStatuses) -> Collection[Key, api.ListenerSetStatus]:
    """The status of every ListenerSet whose parent is a managed Gateway."""

    def status(read: Read, key: Key, listener_set: ManagedListenerSet) -> api.ListenerSetStatus:
        generation = listener_set.generation
        if (problem := listener_set.problem) is not None:
            both = (conditions.not_accepted(problem), conditions.not_programmed(problem))
            return api.ListenerSetStatus(conditions=stamp(both, generation))
        owner = Ref("ListenerSet", key.namespace, key.name)
        of_gateway = read(listener_statuses.conditions, listener_set.gateway) or ()
        own = [listener for listener in of_gateway if listener.validated.owner == owner]
        return api.ListenerSetStatus(
            conditions=stamp((_accepted(own), _programmed(own)), generation),
            listeners=tuple(listener.status(generation) for listener in own),
        )

    return inputs.world.engine.map("statuses of ListenerSets", inputs.merged_listeners.listener_sets, status)


def attached_listener_sets(listeners: Sequence[ListenerConditions]) -> int:
    """The number of ListenerSets that are attached to a Gateway: those that are accepted."""
    owners = {listener.validated.owner for listener in listeners if _is_accepted(listener)}
    return sum(1 for owner in owners if owner.kind == "ListenerSet")


def _is_accepted(listener: ListenerConditions) -> bool:
    """Whether the ListenerSet may be accepted for this listener: it serves, or it only lacks a usable certificate.

    `InvalidCertificateRef` is a reason of ResolvedRefs only, and a client that gets the certificate may wait for
    Accepted first. A reference that is not permitted is an invalid configuration.
    """
    validated = listener.validated
    if validated.listener is not None:
        return True
    return validated.accepted and all(problem.reason != "RefNotPermitted" for problem in validated.problems)


def _accepted(own: Sequence[ListenerConditions]) -> Condition:
    invalid = [listener.validated.section for listener in own if not _is_accepted(listener)]
    if len(invalid) == len(own):
        return conditions.no_accepted_listener(invalid)
    return conditions.accepted(invalid)


def _programmed(own: Sequence[ListenerConditions]) -> Condition:
    if all(listener.validated.listener is None for listener in own):
        return conditions.no_served_listener([listener.validated.section for listener in own])
    is_serving = any(listener.serving for listener in own)
    return conditions.programmed() if is_serving else conditions.pending(WAITING_FOR_ENVOY)
