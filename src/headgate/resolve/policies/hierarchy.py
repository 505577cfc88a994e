"""Where the targets of policies are: which sections they have, what is above them, and where their policies report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Engine, Index, Read
from headgate.ir import routing as ir
from headgate.policies.base import GATEWAY, LISTENER_SET, SERVICE, XBACKEND, PolicyKind, Target
from headgate.world import World
from headgate.world.objects import ROUTE_KINDS

from ..attachment.merged_listeners import ManagedListenerSet
from ..attachment.routes import AttachedRoutes, ParentResult
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
    #: Per route: the parents to which it is attached.
    parents: Collection[Ref, tuple[ParentResult, ...]]
    #: Per route: the names of its rules, empty for those without one.
    rule_names: Collection[Ref, tuple[str, ...]]
    services: Collection[Key, ServicePorts]
    #: Backends by their Service or XBackend.
    users: Index[Target, UsedBackend]

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
        return read(self.rule_names, Ref(target.kind, target.namespace, target.name))

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
        for gateway, backend in read.group(self.users, target.object):
            if not kind.applies_to(backend):
                continue
            if target.kind == XBACKEND.kind:
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
        for parent in read(self.parents, route) or ():
            namespace = parent.ref.namespace or route.namespace
            reference = msgspec.structs.replace(parent.ref, namespace=namespace)
            owner = Ref(parent.ref.kind, namespace, parent.ref.name)
            for attachment in parent.attachments:
                # Names of listeners are unique within a Gateway by the namespace and name of a ListenerSet before them.
                section = attachment.listener.rpartition("/")[2]
                listener = chains.of_listener(parent.gateway, owner, section)
                yield (parent.gateway, reference), chains.of_rule(route, target.section, listener)


#: Kinds of targets whose sections are rules.
_ROUTES = frozenset(kind.name for kind in ROUTE_KINDS)


def declare(
    world: World,
    kinds: Iterable[PolicyKind[Any]],
    *,
    gateways: Collection[Key, ManagedGateway],
    listener_sets: Collection[Key, ManagedListenerSet],
    attached: AttachedRoutes,
    shapes: Collection[Ref, tuple[ir.Rule, ...]],
    services: Collection[Key, ServicePorts],
    used: Collection[UsedBackend, ir.Backend],
) -> Hierarchy:
    """The hierarchy for policies of these kinds. What no kind can target is not remembered."""
    of_routes = any(target.kind in _ROUTES for kind in kinds for target in kind.targets)
    return Hierarchy(
        gateways=gateways,
        listener_sets=listener_sets,
        parents=attached.parents,
        rule_names=rule_names(world, shapes) if of_routes else world.engine.union("rule names"),
        services=services,
        users=users(world.engine, used),
    )


def users(engine: Engine, used: Collection[UsedBackend, ir.Backend]) -> Index[Target, UsedBackend]:
    """The backends of all Gateways by the object that policies target."""

    def target(key: UsedBackend, backend: ir.Backend) -> Chain:
        return chains.of_xbackend(backend.x_backend) if backend.x_backend else chains.of_service(backend.service, "")

    return engine.index("backends by policy target", used, target)


def rule_names(world: World, shapes: Collection[Ref, tuple[ir.Rule, ...]]) -> Collection[Ref, tuple[str, ...]]:
    """The names of the rules of every route. A change of weights changes no shape, so it costs nothing here."""
    engine = world.engine

    def of_stream_route(
        _read: Read, _key: Key, route: api.TLSRoute | api.TCPRoute | api.UDPRoute
    ) -> Iterable[tuple[Ref, tuple[str, ...]]]:
        yield route.ref, tuple(rule.name or "" for rule in route.spec.rules)

    return engine.union(
        "rule names",
        engine.map("rule names of HTTP routes", shapes, lambda _read, _key, rules: tuple(each.name for each in rules)),
        engine.flat_map("rule names of TLSRoutes", world.tls_routes, of_stream_route),
        engine.flat_map("rule names of TCPRoutes", world.tcp_routes, of_stream_route),
        engine.flat_map("rule names of UDPRoutes", world.udp_routes, of_stream_route),
    )
