"""The listeners of a Gateway: its own, then those of the ListenerSets that it accepts (GEP-1713).

ListenerSets are ordered by age, then by `namespace/name`. The order is also the precedence between listeners with the
same port, protocol and hostname.
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

from ..gateways import managed
from ..gateways.managed import ManagedGateway, ManagedGateways
from . import allowed_namespaces
from .allowed_namespaces import NamespaceLabels, admits


class ListenerEntry(msgspec.Struct, frozen=True, gc=False):
    """A listener in the spec of its owner, a Gateway or a ListenerSet, at `index`."""

    owner: Ref
    index: int
    listener: api.Listener

    @property
    def name(self) -> str:
        """A name that is unique within the Gateway; see `unique_name`."""
        return unique_name(self.owner, self.listener.name)

    @property
    def path(self) -> str:
        """The field path in the owner."""
        return f"spec.listeners[{self.index}]"


def unique_name(owner: Ref, section: str) -> str:
    """`section` for a Gateway's own listener, `namespace/name/section` for one of a ListenerSet. Section names contain
    no slash, and may repeat across a Gateway and its ListenerSets.
    """
    return section if owner.kind == "Gateway" else f"{owner.namespace}/{owner.name}/{section}"


def owner_and_section(gateway: Key, name: str) -> tuple[Ref, str]:
    """The owner and the section of a listener of a Gateway, from what `unique_name` made of them."""
    match name.split("/"):
        case [namespace, listener_set, section]:
            return Ref("ListenerSet", namespace, listener_set), section
    return Ref("Gateway", gateway.namespace, gateway.name), name


class ManagedListenerSet(msgspec.Struct, frozen=True, gc=False):
    """A ListenerSet whose parent is a managed Gateway. With a `problem` the Gateway does not accept it."""

    uid: str
    generation: int
    created: str
    gateway: Key
    listeners: tuple[api.Listener, ...]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class MergedListeners:
    """The listeners of all Gateways and ListenerSets, before validation."""

    #: Per Gateway, in order of precedence.
    listeners: Collection[Key, tuple[ListenerEntry, ...]]
    #: ListenerSets whose parent is a managed Gateway.
    listener_sets: Collection[Key, ManagedListenerSet]
    #: Per Gateway: the ListenerSets that it accepts, in order of precedence.
    listener_sets_of: Collection[Key, tuple[Key, ...]]
    #: Labels per namespace.
    namespace_labels: NamespaceLabels


def declare(world: World, gateways: ManagedGateways) -> MergedListeners:
    """Decide which ListenerSets each Gateway accepts, and merge the listeners."""
    engine = world.engine
    labels = allowed_namespaces.labels(world)

    def managed_set(read: Read, key: Key, listener_set: api.ListenerSet) -> ManagedListenerSet | None:
        parent = listener_set.spec.parent_ref
        parent_key = Key(parent.namespace or key.namespace, parent.name)
        if (parent.group, parent.kind) != (api.GROUP, "Gateway"):
            return None
        gateway = read(gateways.managed, parent_key)
        if gateway is None:
            return None
        meta = listener_set.metadata
        problem = _problem(read, labels, parent_key, gateway, key)
        return ManagedListenerSet(
            meta.uid, meta.generation, meta.creation_timestamp, parent_key, listener_set.spec.listeners, problem
        )

    listener_sets = engine.map("managed ListenerSets", world.listener_sets, managed_set)
    of_gateway = engine.index(
        "ListenerSets by Gateway",
        listener_sets,
        lambda _key, listener_set: () if listener_set.problem else (listener_set.gateway,),
    )

    def accepted_sets(read: Read, key: Key, _gateway: ManagedGateway) -> tuple[Key, ...]:
        by_key = [(name, read(listener_sets, name)) for name in read.group(of_gateway, key)]
        ordered = sorted((listener_set.created, name) for name, listener_set in by_key if listener_set is not None)
        return tuple(name for _, name in ordered)

    listener_sets_of = engine.map("accepted ListenerSets of Gateways", gateways.managed, accepted_sets)

    def listeners(read: Read, key: Key, gateway: ManagedGateway) -> tuple[ListenerEntry, ...]:
        merged = [*listener_entries(Ref("Gateway", key.namespace, key.name), gateway.spec.listeners)]
        for name in read(listener_sets_of, key) or ():
            if (listener_set := read(listener_sets, name)) is not None:
                merged += listener_entries(Ref("ListenerSet", name.namespace, name.name), listener_set.listeners)
        return tuple(merged)

    merged = engine.map("merged listeners of Gateways", gateways.managed, listeners)
    return MergedListeners(merged, listener_sets, listener_sets_of, labels)


def listener_entries(owner: Ref, listeners: Iterable[api.Listener]) -> Iterable[ListenerEntry]:
    """The listeners of one owner."""
    for index, listener in enumerate(listeners):
        yield ListenerEntry(owner, index, listener)


def _problem(
    read: Read, labels: NamespaceLabels, parent: Key, gateway: ManagedGateway, listener_set: Key
) -> Problem | None:
    """Why a Gateway does not accept a ListenerSet, or None if it does."""
    parent_ref = Ref("Gateway", parent.namespace, parent.name)
    subject = Ref("ListenerSet", listener_set.namespace, listener_set.name)
    if managed.problems(parent, gateway.spec):
        return msgspec.structs.replace(conditions.parent_not_accepted(parent_ref), subject=subject)
    allowed = (gateway.spec.allowed_listeners or api.AllowedListeners()).namespaces
    if admits(read, labels, allowed, parent.namespace, listener_set.namespace):
        return None
    match allowed.from_:
        case "Same":
            namespaces = "from its own namespace"
        case "Selector" if allowed.selector is not None:
            namespaces = "from namespaces with labels that this one does not have"
        case _:
            namespaces = ""
    return msgspec.structs.replace(conditions.not_allowed(parent_ref, namespaces), subject=subject)
