"""Where the targets of policies are: which sections they have, what is above them, and where their policies report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Engine, Index, Read
from headgate.ir import routing as ir
from headgate.policies.base import GATEWAY, LISTENER_SET, SERVICE, XBACKEND, PolicyKind, Target

from ..attachment.merged_listeners import ManagedListenerSet, owner_and_section
from ..attachment.routes import AttachedRoutes
from ..gateways.managed import ManagedGateway
from ..references.service_ports import ServicePorts
from . import chains
from .ancestors import Ancestor, of_gateway, of_listener_set
from .chains import Chain

#: A backend of a Gateway.
UsedBackend = tuple[Key, ir.Backend]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Finds out about targets of every kind."""

    gateways: Collection[Key, ManagedGateway]
    listener_sets: Collection[Key, ManagedListenerSet]
    routes: AttachedRoutes
    services: Collection[Key, ServicePorts]
    #: Backends by the name of their Service or XBackend.
    users: Index[Key, UsedBackend]

    def sections(self, read: Read, target: Target) -> tuple[str, ...] | None:
        """The sections of a target's object: ports, listeners or rules. None if the object is not known here."""
        match target.kind:
            case SERVICE.kind:
                service = read(self.services, target.key)
                return None if service is None else tuple(port.name for port in service.ports)
            case GATEWAY.kind:
                gateway = read(self.gateways, target.key)
                return None if gateway is None else tuple(each.name for each in gateway.spec.listeners)
            case LISTENER_SET.kind:
                listener_set = read(self.listener_sets, target.key)
                return None if listener_set is None else tuple(each.name for each in listener_set.listeners)
        route = read(self.routes.parent_refs, Ref(target.kind, target.namespace, target.name))
        return None if route is None else route.rule_names

    def has_section(self, read: Read, target: Target) -> bool:
        """Whether the object of a target has its section; an object that is not known may have it."""
        names = self.sections(read, target) if target.section else None
        return names is None or target.section in names

    def chains(self, read: Read, kind: PolicyKind[Any], target: Target) -> Iterable[tuple[Ancestor, Chain]]:
        """Every way from a target upwards, beginning with the target, and the ancestor to which its policies report. A
        target that no managed Gateway uses has none.
        """
        match target.kind:
            case SERVICE.kind | XBACKEND.kind:
                return self._of_backend(read, kind, target)
            case GATEWAY.kind:
                return self._of_gateway(read, target)
            case LISTENER_SET.kind:
                return self._of_listener_set(read, target)
        return self._of_route(read, target)

    def _of_backend(self, read: Read, kind: PolicyKind[Any], target: Target) -> Iterable[tuple[Ancestor, Chain]]:
        """Per Gateway with a backend to which policies of the kind apply."""
        for gateway, backend in read.group(self.users, target.key):
            is_xbackend = backend.x_backend is not None
            if is_xbackend != (target.kind == XBACKEND.kind) or not kind.applies_to(backend):
                continue
            if is_xbackend:
                yield of_gateway(gateway), (target,)
                continue
            port = service.port_of(backend) if (service := read(self.services, target.key)) else None
            chain = chains.of_service(target.key, port.name if port else "")
            if target in chain:
                yield of_gateway(gateway), chain[chain.index(target) :]

    def _of_gateway(self, read: Read, target: Target) -> Iterable[tuple[Ancestor, Chain]]:
        if read(self.gateways, target.key) is not None:
            owner = Ref(target.kind, target.namespace, target.name)
            yield of_gateway(target.key, target.section), chains.of_listener(target.key, owner, target.section)

    def _of_listener_set(self, read: Read, target: Target) -> Iterable[tuple[Ancestor, Chain]]:
        listener_set = read(self.listener_sets, target.key)
        if listener_set is not None and listener_set.problem is None:
            owner = Ref(target.kind, target.namespace, target.name)
            chain = chains.of_listener(listener_set.gateway, owner, target.section)
            yield of_listener_set(listener_set.gateway, target.key, target.section), chain

    def _of_route(self, read: Read, target: Target) -> Iterable[tuple[Ancestor, Chain]]:
        """Per parent and listener to which the route is attached."""
        route = Ref(target.kind, target.namespace, target.name)
        for parent in read(self.routes.parents, route) or ():
            reference = msgspec.structs.replace(parent.ref, namespace=parent.ref.namespace or route.namespace)
            for attachment in parent.attachments:
                listener = chains.of_listener(parent.gateway, *owner_and_section(parent.gateway, attachment.listener))
                yield (parent.gateway, reference), chains.of_rule(route, target.section, listener)


def users(engine: Engine, used: Collection[UsedBackend, ir.Backend]) -> Index[Key, UsedBackend]:
    """The backends of all Gateways by the Service or XBackend that policies target."""

    def referent(_key: UsedBackend, backend: ir.Backend) -> tuple[Key]:
        return (backend.x_backend or backend.service,)

    return engine.index("backends by policy target", used, referent)
