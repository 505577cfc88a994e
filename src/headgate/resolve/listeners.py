"""Which listeners of a Gateway are valid, with which certificates, and what is wrong with the others.

Within one Gateway conflicting listeners have no winner (`Gateway.spec.listeners`): all of them are out, the others
serve.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from headgate.api import gateway as api
from headgate.api.meta import Key
from headgate.conditions import Invalid, Problem
from headgate.conditions import listener as say
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.hostnames import is_hostname, normal, rank
from headgate.world import Settings, World
from headgate.world.objects import SETTINGS

from . import refs
from .gateways import Gateways, Owned, refused

#: Route kinds that a protocol carries, as far as Headgate serves them.
KINDS: dict[str, tuple[str, ...]] = {"HTTP": ("HTTPRoute",), "HTTPS": ("HTTPRoute",)}


class Judged(msgspec.Struct, frozen=True):
    """One listener: valid (`listener` is set) or not, and all its problems."""

    name: str
    kinds: tuple[str, ...]
    problems: tuple[Problem, ...]
    listener: ir.Listener | None

    @property
    def accepted(self) -> bool:
        """Whether it may have its port, even if it cannot serve yet because a reference is not resolved."""
        return not any(problem.condition in (say.ACCEPTED, say.CONFLICTED) for problem in self.problems)


class Door(msgspec.Struct, frozen=True):
    """A listener as a route sees it when it wants to attach: only what the Gateway's spec says."""

    name: str
    port: int
    hostname: str
    kinds: tuple[str, ...]
    namespaces: api.RouteNamespaces


class Open(msgspec.Struct, frozen=True):
    """A valid listener as virtual hosts see it: no certificates, so that a new one touches no route."""

    name: str
    port: int
    secure: bool
    hostname: str
    configuration: str


@dataclass(frozen=True, slots=True)
class Listeners:
    """All views on the listeners of a Gateway."""

    judged: Collection[Key, tuple[Judged, ...]]
    doors: Collection[Key, tuple[Door, ...]]
    open: Collection[Key, tuple[Open, ...]]
    ports: Collection[tuple[Key, int], ir.Port]
    #: TCP ports that the Service must have.
    wanted_ports: Collection[Key, tuple[int, ...]]


def declare(world: World, references: refs.References, gateways: Gateways) -> Listeners:
    """Judge, and project."""
    engine = world.engine

    def judged(read: Read, key: Key, found: Owned) -> tuple[Judged, ...]:
        if refused(found.spec):
            return ()
        settings = read(world.settings, SETTINGS) or Settings()
        binding = read(world.bindings, key)
        ports = _Ports(found.spec.listeners, settings.reserved_ports, binding)
        conflicts = conflicting(found.spec.listeners)
        return tuple(
            _judge(read, references, key, at, listener, conflicts.get(at), ports)
            for at, listener in enumerate(found.spec.listeners)
        )

    all_judged = engine.map("judged listeners", gateways.owned, judged)

    def wanted_ports(read: Read, key: Key, found: Owned) -> tuple[int, ...]:
        accepted = {each.name for each in read(all_judged, key) or () if each.accepted}
        return tuple(sorted({each.port for each in found.spec.listeners if each.name in accepted}))

    return Listeners(
        judged=all_judged,
        doors=engine.map("doors", gateways.owned, lambda _read, _key, found: doors(found.spec)),
        open=engine.map("open listeners", all_judged, lambda _read, _key, found: _open(found)),
        ports=engine.flat_map("ports", all_judged, lambda _read, key, found: _ports(key, found)),
        wanted_ports=engine.map("wanted ports", gateways.owned, wanted_ports),
    )


# Conflicts.


def conflicting(listeners: Sequence[api.Listener]) -> dict[int, Problem]:
    """Listeners that want the same port with another protocol, or the same port and hostname; by index."""
    problems: dict[int, Problem] = {}
    tcp = [(at, each) for at, each in enumerate(listeners) if each.protocol != "UDP" and each.protocol in KINDS]
    for at, one in tcp:
        others = [other for there, other in tcp if there != at and other.port == one.port]
        path = f"spec.listeners[{at}]"
        if foreign := [other.name for other in others if other.protocol != one.protocol]:
            problems[at] = say.protocol_conflict(path, one.port, foreign)
        elif same := [other.name for other in others if normal(other.hostname) == normal(one.hostname)]:
            problems[at] = say.hostname_conflict(path, one.port, normal(one.hostname), same)
    return problems


class _Ports:
    """Whether a port can be had: not Envoy's own, and not one that another listener was moved to."""

    def __init__(self, listeners: Sequence[api.Listener], reserved: Iterable[int], binding: ir.Binding | None) -> None:
        self._reserved = frozenset(reserved)
        self._binding = binding
        self._wanted = frozenset(each.port for each in listeners)

    def check(self, path: str, number: int) -> None:
        if number in self._reserved:
            raise say.port_unavailable(path, number, "is where Envoy answers probes")
        if self._binding is None or not self._binding.offset:
            return
        real = self._binding.port(number)
        if real in self._reserved:
            raise say.port_unavailable(path, number, f"would be served on {real}, where Envoy answers probes")
        moved_here = number - self._binding.offset
        if real == number and moved_here in self._wanted and self._binding.port(moved_here) == number:
            raise say.port_unavailable(
                path, number, f"is where port {moved_here} is served, since ports below 1024 cannot be bound here"
            )


# One listener.


def _judge(
    read: Read,
    references: refs.References,
    gateway: Key,
    at: int,
    listener: api.Listener,
    conflict: Problem | None,
    ports: _Ports,
) -> Judged:
    path = f"spec.listeners[{at}]"
    problems = [conflict] if conflict else []
    kinds, wrong_kinds = supported_kinds(path, listener)
    problems += wrong_kinds
    certificates: tuple[ir.Certificate, ...] = ()
    try:
        if listener.protocol not in KINDS:
            raise say.unsupported_protocol(path, listener.protocol)
        if listener.hostname and not is_hostname(normal(listener.hostname)):
            raise say.bad_hostname(path, listener.hostname)
        ports.check(path, listener.port)
        if listener.protocol == "HTTPS":
            certificates, wrong = _certificates(read, references, gateway, path, listener)
            problems += wrong
    except Invalid as error:
        problems.append(error.problem)
    serves = not any(problem.condition in (say.ACCEPTED, say.CONFLICTED) for problem in problems)
    serves = serves and (listener.protocol != "HTTPS" or bool(certificates))
    return Judged(
        name=listener.name,
        kinds=kinds,
        problems=tuple(problems),
        listener=_valid(listener, certificates) if serves else None,
    )


def _valid(listener: api.Listener, certificates: tuple[ir.Certificate, ...]) -> ir.Listener:
    return ir.Listener(
        name=listener.name,
        port=listener.port,
        protocol="HTTPS" if listener.protocol == "HTTPS" else "HTTP",
        hostname=normal(listener.hostname),
        certificates=certificates,
    )


def supported_kinds(path: str, listener: api.Listener) -> tuple[tuple[str, ...], list[Problem]]:
    """The route kinds that a listener takes: those of its protocol, limited to `allowedRoutes.kinds`."""
    known = KINDS.get(listener.protocol, ())
    if not listener.allowed_routes.kinds:
        return known, []
    taken: list[str] = []
    problems = []
    for at, wanted in enumerate(listener.allowed_routes.kinds):
        if wanted.group == api.GROUP and wanted.kind in known:
            taken.append(wanted.kind)
        else:
            where = f"{path}.allowedRoutes.kinds[{at}]"
            problems.append(say.invalid_route_kind(where, wanted.group, wanted.kind, known))
    return tuple(dict.fromkeys(taken)), problems


def _certificates(
    read: Read, references: refs.References, gateway: Key, path: str, listener: api.Listener
) -> tuple[tuple[ir.Certificate, ...], list[Problem]]:
    """Those that can be used, and what is wrong with the others."""
    config = listener.tls or api.GatewayTLSConfig()
    if config.mode != "Terminate":
        raise say.unsupported_tls_mode(path, config.mode)
    if not config.certificate_refs:
        raise say.no_certificate(path)
    found: list[ir.Certificate] = []
    problems = []
    for at, ref in enumerate(config.certificate_refs):
        try:
            found.append(refs.certificate(read, references, f"{path}.tls.certificateRefs[{at}]", ref, gateway))
        except Invalid as error:
            problems.append(error.problem)
    return tuple(dict.fromkeys(found)), problems


# Views.


def doors(spec: api.GatewaySpec) -> tuple[Door, ...]:
    """What routes see; a Gateway that is refused as a whole shows its listeners all the same."""
    return tuple(
        Door(
            name=each.name,
            port=each.port,
            hostname=normal(each.hostname),
            kinds=supported_kinds("", each)[0],
            namespaces=each.allowed_routes.namespaces,
        )
        for each in spec.listeners
    )


def _open(judged: tuple[Judged, ...]) -> tuple[Open, ...]:
    valid = [each.listener for each in judged if each.listener is not None]
    return tuple(
        Open(each.name, each.port, each.protocol == "HTTPS", each.hostname, ir.configuration_name(each))
        for each in sorted(valid, key=lambda each: (each.port, rank(each.hostname), each.name))
    )


def _ports(gateway: Key, judged: tuple[Judged, ...]) -> list[tuple[tuple[Key, int], ir.Port]]:
    valid = [each.listener for each in judged if each.listener is not None]
    ports: dict[int, list[ir.Listener]] = {}
    for each in sorted(valid, key=lambda each: (rank(each.hostname), each.hostname, each.name)):
        ports.setdefault(each.port, []).append(each)
    return [
        ((gateway, number), ir.Port(gateway, number, each[0].protocol, tuple(each)))
        for number, each in sorted(ports.items())
    ]
