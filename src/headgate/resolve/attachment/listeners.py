"""Which listeners of a Gateway are valid, with which certificates, and what is wrong with the others.

Those of its ListenerSets are judged beside its own (`asked`), each by the rules of its owner: certificates, namespaces
of routes and ReferenceGrants are its owner's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key, Ref
from headgate.conditions import Invalid, Problem
from headgate.conditions import listener as conditions
from headgate.filters import HTTPFilter
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.hostnames import is_hostname, normalize, rank
from headgate.world import Settings, World
from headgate.world.objects import KINDS_OF_PROTOCOL, SETTINGS

from ..gateways import frontend_validation
from ..gateways.frontend_validation import Frontend
from ..gateways.managed import ManagedGateway, ManagedGateways, is_rejected
from ..references import resolver
from ..references.resolver import References
from . import listener_filters
from .listener_conflicts import conflicts
from .merged_listeners import ListenerEntry, ManagedListenerSet, MergedListeners, listener_entries


class ValidatedListener(msgspec.Struct, frozen=True, gc=False):
    """One listener: valid (`listener` is set) or not, and all its problems. `name` is unique within the Gateway."""

    owner: Ref
    section: str
    name: str
    port: tuple[ir.Transport, int]
    kinds: tuple[str, ...]
    problems: tuple[Problem, ...]
    listener: ir.Listener | None

    @property
    def accepted(self) -> bool:
        """Whether it may have its port, even if it cannot serve yet because a reference is not resolved."""
        return not any(problem.condition in (conditions.ACCEPTED, conditions.CONFLICTED) for problem in self.problems)


class AttachableListener(msgspec.Struct, frozen=True, gc=False):
    """A listener as a route sees it when it wants to attach: only what the owner's spec says."""

    section: str
    name: str
    port: int
    hostname: str
    kinds: tuple[str, ...]
    namespaces: api.RouteNamespaces


class RouteParent(msgspec.Struct, frozen=True, gc=False):
    """A parent of routes: a Gateway of ours, or a ListenerSet of one. One that the Gateway does not take has no doors,
    and `closed` says why.
    """

    gateway: Key
    listeners: tuple[AttachableListener, ...]
    not_accepted: str = ""


class HTTPListener(msgspec.Struct, frozen=True, gc=False):
    """A valid listener as virtual hosts see it: no certificates, so that a new one touches no route."""

    name: str
    port: int
    secure: bool
    hostname: str
    route_configuration: str
    filters: tuple[ir.Filter, ...] = ()
    refuse: ir.DirectResponse | None = None


@dataclass(frozen=True, slots=True)
class Listeners:
    """All views on the listeners of a Gateway."""

    #: Per Gateway: its own and those of its ListenerSets, in order of precedence.
    validated: Collection[Key, tuple[ValidatedListener, ...]]
    #: Per parent of routes.
    route_parents: Collection[Ref, RouteParent]
    http_listeners: Collection[Key, tuple[HTTPListener, ...]]
    ports: Collection[tuple[Key, ir.Transport, int], ir.Port]
    #: What filters of its own, and of each ListenerSet, send something to.
    backends: Collection[tuple[Key, ir.Backend, Ref], ir.Backend]
    #: Ports that the Service must have.
    accepted_ports: Collection[Key, tuple[tuple[ir.Transport, int], ...]]


def declare(world: World, references: References, gateways: ManagedGateways, asked: MergedListeners) -> Listeners:
    """Judge, and project."""
    engine = world.engine

    def judged(read: Read, key: Key, found: ManagedGateway) -> tuple[ValidatedListener, ...]:
        if is_rejected(found.spec):
            return ()
        settings = read(world.settings, SETTINGS) or Settings()
        every = read(asked.listeners, key) or ()
        ports = _Ports((ask.listener for ask in every), settings.reserved_ports, read(world.bindings, key))
        conflicting = conflicts(every)
        clients = frontend_validation.by_port(read, references, key, found.spec)
        return tuple(_judge(read, references, ask, conflicting.get(at), ports, clients) for at, ask in enumerate(every))

    all_judged = engine.map("judged listeners", gateways.managed, judged)
    own_doors = engine.flat_map(
        "doors of gateways", gateways.managed, lambda _read, key, found: [_own_doors(key, found)]
    )
    set_doors = engine.flat_map(
        "doors of sets", asked.listener_sets, lambda _read, key, found: [_set_doors(key, found)]
    )
    return Listeners(
        validated=all_judged,
        route_parents=engine.union("doors", own_doors, set_doors),
        http_listeners=engine.map("open listeners", all_judged, lambda _read, _key, found: _open(found)),
        ports=engine.flat_map("ports", all_judged, lambda _read, key, found: _ports(key, found)),
        backends=engine.flat_map("backends of listeners", all_judged, lambda _read, key, found: _backends(key, found)),
        accepted_ports=engine.map("wanted ports", all_judged, lambda _read, _key, found: _wanted(found)),
    )


def _wanted(judged: Iterable[ValidatedListener]) -> tuple[tuple[ir.Transport, int], ...]:
    return tuple(sorted({each.port for each in judged if each.accepted}))


class _Ports:
    """Whether a port can be had: not Envoy's own, and not one that another listener was moved to."""

    def __init__(self, listeners: Iterable[api.Listener], reserved: Iterable[int], binding: ir.Binding | None) -> None:
        self._reserved = frozenset(reserved)
        self._binding = binding
        self._wanted = frozenset((ir.transport(each.protocol), each.port) for each in listeners)

    def check(self, path: str, transport: ir.Transport, number: int) -> None:
        if number in self._reserved and transport == "TCP":
            raise conditions.port_unavailable(path, number, "is where Envoy answers probes")
        if self._binding is None or not self._binding.offset:
            return
        real = self._binding.port(number)
        if real in self._reserved and transport == "TCP":
            raise conditions.port_unavailable(path, number, f"would be served on {real}, where Envoy answers probes")
        moved_here = number - self._binding.offset
        if real == number and (transport, moved_here) in self._wanted and self._binding.port(moved_here) == number:
            raise conditions.port_unavailable(
                path, number, f"is where port {moved_here} is served, since ports below 1024 cannot be bound here"
            )


# One listener.


def _judge(
    read: Read,
    references: References,
    ask: ListenerEntry,
    conflict: Problem | None,
    ports: _Ports,
    clients: Callable[[int, Ref], Frontend],
) -> ValidatedListener:
    path, listener = ask.path, ask.listener
    problems = [conflict] if conflict else []
    kinds, wrong_kinds = supported_kinds(path, listener)
    problems += wrong_kinds
    certificates: tuple[ir.Certificate, ...] = ()
    terminates = False
    frontend = clients(listener.port, ask.owner) if listener.protocol == "HTTPS" else Frontend()
    problems += frontend.problems
    passed, wrong_filters = listener_filters.filters_of(read, references, ask)
    problems += wrong_filters
    try:
        if listener.protocol not in KINDS_OF_PROTOCOL:
            raise conditions.unsupported_protocol(path, listener.protocol)
        if listener.hostname and not is_hostname(normalize(listener.hostname)):
            raise conditions.invalid_hostname(path, listener.hostname)
        ports.check(path, ir.transport(listener.protocol), listener.port)
        if terminates := _terminates(path, listener):
            certificates, wrong = _certificates(read, references, ask)
            problems += wrong
    except Invalid as error:
        problems.append(error.problem)
    serves = not any(problem.condition in (conditions.ACCEPTED, conditions.CONFLICTED) for problem in problems)
    serves = serves and (not terminates or bool(certificates))
    return ValidatedListener(
        owner=ask.owner,
        section=listener.name,
        name=ask.name,
        port=(ir.transport(listener.protocol), listener.port),
        kinds=kinds,
        problems=tuple(problems),
        listener=_valid(ask.name, listener, certificates, frontend, passed) if serves else None,
    )


def _valid(
    name: str,
    listener: api.Listener,
    certificates: tuple[ir.Certificate, ...],
    frontend: Frontend,
    passed: Sequence[HTTPFilter],
) -> ir.Listener:
    nowhere = next((problem for each in passed for problem in each.problems), None)
    return ir.Listener(
        name=name,
        port=listener.port,
        protocol=cast(ir.ListenerProtocol, listener.protocol),
        hostname=normalize(listener.hostname),
        certificates=certificates,
        mode="Terminate" if certificates or listener.protocol != "TLS" else "Passthrough",
        client_traffic=ir.ClientTraffic(frontend.validation),
        filters=tuple(passed),
        direct_response=ir.DirectResponse(500, str(nowhere)) if nowhere else None,
    )


def supported_kinds(path: str, listener: api.Listener) -> tuple[tuple[str, ...], list[Problem]]:
    """The route kinds that a listener takes: those of its protocol, limited to `allowedRoutes.kinds`."""
    known = KINDS_OF_PROTOCOL.get(listener.protocol, ())
    if not listener.allowed_routes.kinds:
        return known, []
    taken: list[str] = []
    problems = []
    for at, wanted in enumerate(listener.allowed_routes.kinds):
        if wanted.group == api.GROUP and wanted.kind in known:
            taken.append(wanted.kind)
        else:
            where = f"{path}.allowedRoutes.kinds[{at}]"
            problems.append(conditions.invalid_route_kind(where, wanted.group, wanted.kind, known))
    return tuple(dict.fromkeys(taken)), problems


def _terminates(path: str, listener: api.Listener) -> bool:
    """Whether TLS ends here, so that certificates are needed."""
    if listener.protocol not in ("HTTPS", "TLS"):
        return False
    mode = listener.tls.mode if listener.tls else "Terminate"
    if mode == "Passthrough" and listener.protocol == "TLS":
        return False
    if mode != "Terminate":
        raise conditions.unsupported_tls_mode(path, listener.protocol, mode)
    return True


def _certificates(
    read: Read, references: References, ask: ListenerEntry
) -> tuple[tuple[ir.Certificate, ...], list[Problem]]:
    """Those that can be used, and what is wrong with the others."""
    path, listener = ask.path, ask.listener
    config = listener.tls or api.GatewayTLSConfig()
    if not config.certificate_refs:
        raise conditions.certificate_refs_missing(path, listener.protocol)
    found: list[ir.Certificate] = []
    problems = []
    for at, ref in enumerate(config.certificate_refs):
        try:
            found.append(resolver.certificate(read, references, f"{path}.tls.certificateRefs[{at}]", ref, ask.owner))
        except Invalid as error:
            problems.append(error.problem)
    return tuple(dict.fromkeys(found)), problems


# Views.


def attachable_listeners(owner: Ref, listeners: Sequence[api.Listener]) -> tuple[AttachableListener, ...]:
    """What routes see; a Gateway that is refused as a whole shows its listeners all the same."""
    return tuple(
        AttachableListener(
            section=ask.listener.name,
            name=ask.name,
            port=ask.listener.port,
            hostname=normalize(ask.listener.hostname),
            kinds=supported_kinds("", ask.listener)[0],
            namespaces=ask.listener.allowed_routes.namespaces,
        )
        for ask in listener_entries(owner, listeners)
    )


def _own_doors(key: Key, found: ManagedGateway) -> tuple[Ref, RouteParent]:
    owner = Ref("Gateway", key.namespace, key.name)
    return owner, RouteParent(key, attachable_listeners(owner, found.spec.listeners))


def _set_doors(key: Key, found: ManagedListenerSet) -> tuple[Ref, RouteParent]:
    owner = Ref("ListenerSet", key.namespace, key.name)
    if found.problem is not None:
        return owner, RouteParent(found.gateway, (), found.problem.message)
    return owner, RouteParent(found.gateway, attachable_listeners(owner, found.listeners))


def _open(judged: tuple[ValidatedListener, ...]) -> tuple[HTTPListener, ...]:
    valid = [each.listener for each in judged if each.listener and each.listener.protocol in ("HTTP", "HTTPS")]
    return tuple(
        HTTPListener(
            name=each.name,
            port=each.port,
            secure=each.protocol == "HTTPS",
            hostname=each.hostname,
            route_configuration=ir.configuration_name(each),
            filters=each.filters,
            refuse=each.direct_response,
        )
        for each in sorted(valid, key=lambda each: (each.port, rank(each.hostname), each.name))
    )


def _backends(
    gateway: Key, judged: tuple[ValidatedListener, ...]
) -> list[tuple[tuple[Key, ir.Backend, Ref], ir.Backend]]:
    used = {
        (backend, each.owner)
        for each in judged
        if each.listener is not None
        for passed in each.listener.filters
        for backend in passed.backends
    }
    return [((gateway, backend, owner), backend) for backend, owner in sorted(used)]


def _ports(gateway: Key, judged: tuple[ValidatedListener, ...]) -> list[tuple[tuple[Key, ir.Transport, int], ir.Port]]:
    valid = [each.listener for each in judged if each.listener is not None]
    ports: dict[tuple[ir.Transport, int], list[ir.Listener]] = {}
    for each in sorted(valid, key=lambda each: (rank(each.hostname), each.hostname, each.name)):
        ports.setdefault((ir.transport(each.protocol), each.port), []).append(each)
    return [
        ((gateway, *port), ir.Port(gateway, port[1], ir.FAMILIES[each[0].protocol], tuple(each)))
        for port, each in sorted(ports.items())
    ]
