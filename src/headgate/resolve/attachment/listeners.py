"""Listeners of Gateways and ListenerSets as collections: one view for each reader, so that each depends on no more
than it reads.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.hostnames import normalize, rank
from headgate.world import Settings, World
from headgate.world.objects import SETTINGS

from ..gateways import frontend_validation, managed
from ..gateways.frontend_validation import Frontend
from ..gateways.managed import ManagedGateway, ManagedGateways
from ..references.resolver import References, Resolver
from .listener_conflicts import conflicts
from .listener_validation import PortCheck, ValidatedListener, supported_kinds, validate
from .merged_listeners import ManagedListenerSet, MergedListeners, listener_entries

#: What policies set for the clients of a listener, by its Gateway, its owner and its section there.
FindClientTraffic = Callable[[Read, Key, Ref, str], ir.ClientTraffic]


class AttachableListener(msgspec.Struct, frozen=True, gc=False):
    """The fields of a listener that decide whether a route attaches to it."""

    section: str
    name: str
    port: int
    hostname: str
    kinds: tuple[str, ...]
    namespaces: api.RouteNamespaces


class RouteParent(msgspec.Struct, frozen=True, gc=False):
    """An object that a parentRef can name: a managed Gateway, or a ListenerSet of one. A ListenerSet that its Gateway
    does not accept has no listeners, and `not_accepted` is the reason.
    """

    gateway: Key
    listeners: tuple[AttachableListener, ...]
    not_accepted: str = ""


class HTTPListener(msgspec.Struct, frozen=True, gc=False):
    """The fields of a valid HTTP or HTTPS listener that virtual hosts depend on. Certificates are not among them, so
    that a renewed certificate changes no virtual host.
    """

    name: str
    port: int
    secure: bool
    hostname: str
    route_configuration: str
    filters: tuple[ir.Filter, ...] = ()
    direct_response: ir.DirectResponse | None = None


@dataclass(frozen=True, slots=True)
class Listeners:
    """The views on the listeners of all Gateways."""

    #: Per Gateway: its own listeners and those of its ListenerSets, in order of precedence.
    validated: Collection[Key, tuple[ValidatedListener, ...]]
    #: Per Gateway and ListenerSet.
    route_parents: Collection[Ref, RouteParent]
    #: Per Gateway: valid listeners of HTTP and HTTPS, by port and with the most specific hostname first.
    http_listeners: Collection[Key, tuple[HTTPListener, ...]]
    #: Per Gateway, transport and port number: the valid listeners that share it.
    ports: Collection[tuple[Key, ir.Transport, int], ir.Port]
    #: Per Gateway, backend and owner: backends of listener filters (GEP-5224).
    backends: Collection[tuple[Key, ir.Backend, Hashable], ir.Backend]
    #: Per Gateway: the ports of accepted listeners, which the Service of the Envoys must have.
    accepted_ports: Collection[Key, tuple[tuple[ir.Transport, int], ...]]


def declare(
    world: World,
    references: References,
    gateways: ManagedGateways,
    merged: MergedListeners,
    client_traffic: FindClientTraffic,
) -> Listeners:
    """Validate every listener, and declare the views."""
    engine = world.engine

    def validated(read: Read, key: Key, gateway: ManagedGateway) -> tuple[ValidatedListener, ...]:
        if managed.problems(key, gateway.spec):
            return ()
        settings = read(world.settings, SETTINGS) or Settings()
        entries = read(merged.listeners, key) or ()
        port_check = PortCheck(
            (entry.listener for entry in entries), settings.reserved_ports, read(world.bindings, key)
        )
        frontend_of = frontend_validation.by_port(read, references, key, gateway.spec)
        conflicting = conflicts(entries)
        return tuple(
            validate(
                Resolver(read, references, entry.owner),
                entry,
                conflicting.get(index),
                port_check,
                frontend_of(entry.listener.port, entry.owner) if entry.listener.protocol == "HTTPS" else Frontend(),
                client_traffic(read, key, entry.owner, entry.listener.name),
            )
            for index, entry in enumerate(entries)
        )

    listeners = engine.map("validated listeners of Gateways", gateways.managed, validated)
    return Listeners(
        validated=listeners,
        route_parents=engine.union(
            "parents of routes",
            engine.flat_map("Gateways as parents", gateways.managed, _gateway_as_parent),
            engine.flat_map("ListenerSets as parents", merged.listener_sets, _listener_set_as_parent),
        ),
        http_listeners=engine.map("HTTP listeners of Gateways", listeners, _http_listeners),
        ports=engine.flat_map("ports of Gateways", listeners, _ports),
        backends=engine.flat_map("backends of listener filters", listeners, _filter_backends),
        accepted_ports=engine.map("accepted ports of Gateways", listeners, _accepted_ports),
    )


def attachable_listeners(owner: Ref, listeners: Sequence[api.Listener]) -> tuple[AttachableListener, ...]:
    """The listeners of one owner as routes attach to them, whether valid or not."""
    return tuple(
        AttachableListener(
            section=entry.listener.name,
            name=entry.name,
            port=entry.listener.port,
            hostname=normalize(entry.listener.hostname),
            kinds=supported_kinds("", entry.listener)[0],
            namespaces=entry.listener.allowed_routes.namespaces,
        )
        for entry in listener_entries(owner, listeners)
    )


def _gateway_as_parent(_read: Read, key: Key, gateway: ManagedGateway) -> Iterable[tuple[Ref, RouteParent]]:
    owner = Ref("Gateway", key.namespace, key.name)
    yield owner, RouteParent(key, attachable_listeners(owner, gateway.spec.listeners))


def _listener_set_as_parent(
    _read: Read, key: Key, listener_set: ManagedListenerSet
) -> Iterable[tuple[Ref, RouteParent]]:
    owner = Ref("ListenerSet", key.namespace, key.name)
    if listener_set.problem is not None:
        yield owner, RouteParent(listener_set.gateway, (), listener_set.problem.message)
    else:
        yield owner, RouteParent(listener_set.gateway, attachable_listeners(owner, listener_set.listeners))


def _http_listeners(_read: Read, _key: Key, listeners: tuple[ValidatedListener, ...]) -> tuple[HTTPListener, ...]:
    http = [listener for listener in _valid(listeners) if listener.protocol in ("HTTP", "HTTPS")]
    http.sort(key=lambda listener: (listener.port, rank(listener.hostname), listener.name))
    return tuple(
        HTTPListener(
            name=listener.name,
            port=listener.port,
            secure=listener.protocol == "HTTPS",
            hostname=listener.hostname,
            route_configuration=ir.configuration_name(listener),
            filters=listener.filters,
            direct_response=listener.direct_response,
        )
        for listener in http
    )


def _ports(
    _read: Read, gateway: Key, listeners: tuple[ValidatedListener, ...]
) -> Iterable[tuple[tuple[Key, ir.Transport, int], ir.Port]]:
    by_port: dict[tuple[ir.Transport, int], list[ir.Listener]] = {}
    for listener in sorted(
        _valid(listeners), key=lambda listener: (rank(listener.hostname), listener.hostname, listener.name)
    ):
        by_port.setdefault((ir.transport(listener.protocol), listener.port), []).append(listener)
    for (transport, number), on_port in sorted(by_port.items()):
        family = ir.FAMILIES[on_port[0].protocol]
        yield (gateway, transport, number), ir.Port(gateway, number, family, tuple(on_port))


def _filter_backends(
    _read: Read, gateway: Key, listeners: tuple[ValidatedListener, ...]
) -> Iterable[tuple[tuple[Key, ir.Backend, Hashable], ir.Backend]]:
    used = {
        (backend, validated.owner)
        for validated in listeners
        if validated.listener is not None
        for filter_ in validated.listener.filters
        for backend in filter_.backends
    }
    for backend, owner in sorted(used):
        yield (gateway, backend, owner), backend


def _accepted_ports(
    _read: Read, _key: Key, listeners: tuple[ValidatedListener, ...]
) -> tuple[tuple[ir.Transport, int], ...]:
    return tuple(sorted({listener.port for listener in listeners if listener.accepted}))


def _valid(listeners: Iterable[ValidatedListener]) -> Iterable[ir.Listener]:
    return (validated.listener for validated in listeners if validated.listener is not None)
