"""Which backends a Gateway uses, and who serves them."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from headgate.api import discovery
from headgate.api.meta import Key, Ref
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.ir.streams import WeightedBackends, WeightedBackendsKey
from headgate.ir.tracing import Tracing
from headgate.world import World

from ..attachment.routes import AttachedRoutes
from ..policies.backends import trusts_any_ca
from ..references.resolver import References
from .rules import Rules
from .streams import StreamRoutes


class SliceEndpoints(msgspec.Struct, frozen=True, gc=False):
    """What routing needs of an EndpointSlice."""

    address_type: str
    ports: tuple[discovery.EndpointPort, ...]
    #: Address, ready, serving.
    endpoints: tuple[tuple[str, bool, bool], ...]


@dataclass(frozen=True, slots=True)
class Backends:
    """By Gateway, and who serves."""

    #: What routes of requests use.
    backends: Collection[tuple[Key, ir.Backend], ir.Backend]
    #: What any route uses.
    used: Collection[tuple[Key, ir.Backend], ir.Backend]
    endpoints: Collection[ir.Backend, ir.Endpoints]


def declare(
    world: World,
    references: References,
    attached: AttachedRoutes,
    rules: Rules,
    of_streams: StreamRoutes,
    tracing: Collection[Key, Tracing],
    of_listeners: Collection[tuple[Key, ir.Backend, Ref], ir.Backend],
) -> Backends:
    """Uses, folded to one per Gateway and backend."""
    engine = world.engine

    def uses(
        read: Read, route: Ref, shapes: tuple[ir.Rule, ...]
    ) -> Iterable[tuple[tuple[Key, ir.Backend, Ref], ir.Backend]]:
        for gateway in read(attached.gateways, route) or ():
            for rule in shapes:
                for backend in rule.backends:
                    yield (gateway, backend, route), backend

    every = engine.union(
        "uses of backends",
        engine.flat_map("uses by routes", rules.unweighted, uses),
        engine.flat_map("uses by tracing", tracing, _of_tracing),
        of_listeners,
    )
    backends: Collection[tuple[Key, ir.Backend], ir.Backend] = engine.distinct(
        "backends", every, lambda key, _backend: (key[0], key[1]), lambda group: group[1]
    )
    used: Collection[tuple[Key, ir.Backend], ir.Backend] = engine.distinct(
        "backends of all routes",
        engine.union("uses by all routes", every, engine.flat_map("uses by streams", of_streams.pools, _of_pool)),
        lambda key, _backend: (key[0], key[1]),
        lambda group: group[1],
    )
    served: Collection[ir.Backend, ir.Backend] = engine.distinct(
        "backends in use", used, lambda key, _backend: key[1], lambda backend: backend
    )
    slices = engine.map("endpoints of a slice", world.endpoint_slices, _slice)

    def endpoints(read: Read, backend: ir.Backend, _same: ir.Backend) -> ir.Endpoints:
        tls = backend.traffic.tls
        if tls is not None and not trusts_any_ca(read, references.ca_bundles, tls):
            return ir.Endpoints(backend)  # nobody's certificate would be taken, so there is nobody to send to
        service = read(references.services, backend.service)
        ports = service.ports if service else ()
        names = {port.name for port in ports if (port.port, port.protocol) == (backend.port, backend.transport)}
        found = [read(slices, key) for key in read.group(world.slices_of_service, backend.service)]
        return ir.Endpoints(
            backend, ready_endpoints([each for each in found if each is not None], names, backend.transport)
        )

    return Backends(backends, used, engine.map("endpoints", served, endpoints))


def _of_pool(
    _read: Read, key: tuple[Key, WeightedBackendsKey], pool: WeightedBackends
) -> Iterable[tuple[tuple[Key, ir.Backend, WeightedBackendsKey], ir.Backend]]:
    for backend in sorted({target for target in pool.backends if target is not None}):
        yield (key[0], backend, key[1]), backend


def _of_tracing(_read: Read, gateway: Key, found: Tracing) -> Iterable[tuple[tuple[Key, ir.Backend, Ref], ir.Backend]]:
    yield (gateway, found.collector, Ref("Gateway", gateway.namespace, gateway.name)), found.collector


def ready_endpoints(
    slices: Iterable[SliceEndpoints], port_names: Iterable[str], transport: ir.Transport = "TCP"
) -> tuple[ir.Endpoint, ...]:
    """The ready endpoints, each once, sorted; when none is ready, those that still serve while they terminate.

    A pod of a cluster with both families has an address of each: IPv6 counts where there is no IPv4.
    """
    found, names = tuple(slices), frozenset(port_names)
    return _serving(found, "IPv4", names, transport) or _serving(found, "IPv6", names, transport)


def _serving(
    slices: Iterable[SliceEndpoints], family: str, names: frozenset[str], transport: ir.Transport
) -> tuple[ir.Endpoint, ...]:
    ready: set[ir.Endpoint] = set()
    ending: set[ir.Endpoint] = set()
    for each in slices:
        if each.address_type != family:
            continue
        numbers = [port.port for port in each.ports if port.name in names and port.port and port.protocol == transport]
        for address, is_ready, is_serving in each.endpoints:
            if is_ready:
                ready.update(ir.Endpoint(address, number) for number in numbers)
            elif is_serving:
                ending.update(ir.Endpoint(address, number) for number in numbers)
    return tuple(sorted(ready or ending))


def _slice(_read: Read, _key: Key, found: discovery.EndpointSlice) -> SliceEndpoints:
    return SliceEndpoints(
        address_type=found.address_type,
        ports=found.ports,
        endpoints=tuple(
            (each.addresses[0], each.conditions.ready is not False, _still_serves(each.conditions))
            for each in found.endpoints
            if each.addresses
        ),
    )


def _still_serves(conditions: discovery.EndpointConditions) -> bool:
    return bool(conditions.terminating) and conditions.serving is not False
