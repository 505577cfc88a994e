"""Which listeners are asked for at a Gateway: its own, then those of the ListenerSets that it allows (GEP-1713).

ListenerSets come by age, then by `namespace/name`; that is also the order in which they may have a port and hostname.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Problem
from headgate.conditions import listener_set as conditions
from headgate.incremental import Collection, Read
from headgate.world import World

from ..gateways.managed import ManagedGateway, ManagedGateways, is_rejected
from . import allowed_namespaces
from .allowed_namespaces import NamespaceLabels, admits


class ListenerEntry(msgspec.Struct, frozen=True, gc=False):
    """A listener as it is written. `owner` is the Gateway or a ListenerSet, `index` its place there."""

    owner: Ref
    index: int
    listener: api.Listener

    @property
    def name(self) -> str:
        """Unique within the Gateway: a section name of its own, `namespace/set/section` of a ListenerSet."""
        return unique_name(self.owner, self.listener.name)

    @property
    def path(self) -> str:
        """Where it is written in its owner."""
        return f"spec.listeners[{self.index}]"


def unique_name(owner: Ref, section: str) -> str:
    """Names of sections may repeat across a Gateway and its ListenerSets; section names have no slash."""
    return section if owner.kind == "Gateway" else f"{owner.namespace}/{owner.name}/{section}"


class ManagedListenerSet(msgspec.Struct, frozen=True, gc=False):
    """A ListenerSet whose parent is a Gateway of ours; `refusal` says why the Gateway does not take it."""

    uid: str
    generation: int
    created: str
    gateway: Key
    listeners: tuple[api.Listener, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class MergedListeners:
    """All that is asked for."""

    #: Per Gateway, in order of precedence.
    listeners: Collection[Key, tuple[ListenerEntry, ...]]
    #: ListenerSets with a parent of ours.
    listener_sets: Collection[Key, ManagedListenerSet]
    #: Per Gateway: the ListenerSets that it takes, in order of precedence.
    listener_sets_of: Collection[Key, tuple[Key, ...]]
    #: Labels per namespace.
    namespace_labels: NamespaceLabels


def declare(world: World, gateways: ManagedGateways) -> MergedListeners:
    """Judge every ListenerSet as a whole, and concatenate."""
    engine = world.engine
    labels = allowed_namespaces.labels(world)

    def judged(read: Read, key: Key, found: api.ListenerSet) -> ManagedListenerSet | None:
        parent = found.spec.parent_ref
        gateway = Key(parent.namespace or key.namespace, parent.name)
        owner = read(gateways.managed, gateway) if (parent.group, parent.kind) == (api.GROUP, "Gateway") else None
        if owner is None:
            return None
        meta = found.metadata
        why = _refusal(read, labels, gateway, owner, key.namespace)
        return ManagedListenerSet(
            meta.uid, meta.generation, meta.creation_timestamp, gateway, found.spec.listeners, why
        )

    sets = engine.map("listener sets", world.listener_sets, judged)
    of_gateway = engine.index(
        "listener sets of a gateway", sets, lambda _key, found: () if found.problem else (found.gateway,)
    )

    def taken(read: Read, key: Key, _owned: ManagedGateway) -> tuple[Key, ...]:
        found = [(each, read(sets, each)) for each in read.group(of_gateway, key)]
        return tuple(name for _, name in sorted((each.created, name) for name, each in found if each is not None))

    sets_of = engine.map("listener sets that are taken", gateways.managed, taken)

    def listeners(read: Read, key: Key, found: ManagedGateway) -> tuple[ListenerEntry, ...]:
        every = [*listener_entries(Ref("Gateway", key.namespace, key.name), found.spec.listeners)]
        for name in read(sets_of, key) or ():
            each = read(sets, name)
            every += listener_entries(Ref("ListenerSet", name.namespace, name.name), each.listeners if each else ())
        return tuple(every)

    return MergedListeners(engine.map("listeners asked for", gateways.managed, listeners), sets, sets_of, labels)


def listener_entries(owner: Ref, listeners: Iterable[api.Listener]) -> Iterable[ListenerEntry]:
    """The listeners of one owner."""
    for at, each in enumerate(listeners):
        yield ListenerEntry(owner, at, each)


def _refusal(
    read: Read, labels: NamespaceLabels, gateway: Key, owner: ManagedGateway, namespace: str
) -> Problem | None:
    """Why a Gateway does not take a ListenerSet from a namespace, or None if it does."""
    if is_rejected(owner.spec):
        return conditions.parent_not_accepted(str(gateway))
    allowed = (owner.spec.allowed_listeners or api.AllowedListeners()).namespaces
    if admits(read, labels, allowed, gateway.namespace, namespace):
        return None
    match allowed.from_:
        case "Same":
            which = "from its own namespace"
        case "Selector" if allowed.selector is not None:
            which = "from namespaces with labels that this one lacks"
        case _:
            which = ""
    return conditions.not_allowed(str(gateway), which)
