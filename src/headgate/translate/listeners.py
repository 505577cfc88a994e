"""Ports to Envoy listeners: one per port, and the RouteConfigurations that must exist for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from headgate.api.meta import Key
from headgate.envoy import listeners as envoy
from headgate.envoy.names import LISTENER
from headgate.envoy.resources import Resource
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.world import Routing, World

from . import names


@dataclass(frozen=True, slots=True)
class Listeners:
    """Resources, their versions by port, and the names of RouteConfigurations."""

    resources: Collection[tuple[Key, str, str], Resource]
    versions: Collection[tuple[Key, ir.Transport, int], tuple[str, str]]
    configurations: Collection[tuple[Key, str], str]


def declare(world: World, routing: Routing) -> Listeners:
    """A Gateway whose Envoys have not said how they bind has no listeners: a wrong address would be worse than none."""
    engine = world.engine

    def listener(read: Read, key: tuple[Key, ir.Transport, int], port: ir.Port) -> Resource | None:
        binding = read(world.bindings, key[0])
        return None if binding is None or not _knows_where(binding) else render(port, binding)

    def keyed(
        _read: Read, key: tuple[Key, ir.Transport, int], found: Resource
    ) -> Iterable[tuple[tuple[Key, str, str], Resource]]:
        yield (key[0], LISTENER, found.name), found

    def configurations(
        _read: Read, key: tuple[Key, ir.Transport, int], port: ir.Port
    ) -> Iterable[tuple[tuple[Key, str], str]]:
        for name in dict.fromkeys(map(ir.configuration_name, port.listeners)):
            yield (key[0], name), name

    by_port = engine.map("listeners by port", routing.ports, listener)
    return Listeners(
        resources=engine.flat_map("listener resources", by_port, keyed),
        versions=engine.map("versions of listeners", by_port, lambda _read, _key, found: (found.name, found.version)),
        configurations=engine.flat_map("route configurations", routing.ports, configurations),
    )


def _knows_where(binding: ir.Binding) -> bool:
    """On a shared network an Envoy binds its Service's address only; until that is assigned, nothing."""
    return binding.bind == "pod" or bool(binding.address)


def render(port: ir.Port, binding: ir.Binding) -> Resource:
    """The listener of a port: one chain for plain HTTP, one per server name for HTTPS."""
    address = "0.0.0.0" if binding.bind == "pod" else binding.address  # noqa: S104 - a pod has its own network
    return envoy.listener(names.listener(port.number), address, binding.port(port.number), list(_chains(port)))


def _chains(port: ir.Port) -> Iterable[envoy.FilterChain]:
    if port.family == "HTTP":
        name = ir.configuration_name(port.listeners[0])
        yield envoy.FilterChain(name=name, route_configuration=name)
        return
    for each in port.listeners:
        yield envoy.FilterChain(
            name=each.name,
            route_configuration=ir.configuration_name(each),
            server_names=(each.hostname,) if each.hostname else (),
            secrets=tuple(names.secret(certificate.secret) for certificate in each.certificates),
        )
