"""The endpoints of backends, from EndpointSlices."""

from collections.abc import Iterable

import msgspec

from headgate.api import discovery
from headgate.incremental import Collection, Read
from headgate.ir import routing as ir
from headgate.world import World

from ..policies.backends import trusts_any_ca
from ..references.resolver import References


class SliceEndpoints(msgspec.Struct, frozen=True, gc=False):
    """The fields of an EndpointSlice that routing reads."""

    address_type: str
    ports: tuple[discovery.EndpointPort, ...]
    #: Address, ready, serving while terminating.
    endpoints: tuple[tuple[str, bool, bool], ...]


def declare(
    world: World, references: References, backends: Collection[ir.Backend, ir.Backend]
) -> Collection[ir.Backend, ir.Endpoints]:
    """The endpoints of every backend in use."""
    slices = world.engine.map("endpoints of EndpointSlices", world.endpoint_slices, _slice_endpoints)

    def endpoints(read: Read, backend: ir.Backend, _same: ir.Backend) -> ir.Endpoints:
        tls = backend.traffic.tls
        if tls is not None and not trusts_any_ca(read, references.ca_bundles, tls):
            return ir.Endpoints(backend)  # No certificate could be verified, so nothing may be sent (fail closed).
        service = read(references.services, backend.service)
        port = service.port_of(backend) if service else None
        names = {port.name} if port else set()
        of_service = [read(slices, key) for key in read.group(world.slices_of_service, backend.service)]
        known = [slice_ for slice_ in of_service if slice_ is not None]
        return ir.Endpoints(backend, ready_endpoints(known, names, backend.transport))

    return world.engine.map("endpoints of backends", backends, endpoints)


def ready_endpoints(
    slices: Iterable[SliceEndpoints], port_names: Iterable[str], transport: ir.Transport = "TCP"
) -> tuple[ir.Endpoint, ...]:
    """The ready endpoints, each once, sorted; if none is ready, those that still serve while they terminate.

    In a dual-stack cluster a pod has an address of each family: IPv6 addresses are used where there are no IPv4 ones.
    """
    known, names = tuple(slices), frozenset(port_names)
    return _of_family(known, "IPv4", names, transport) or _of_family(known, "IPv6", names, transport)


def _of_family(
    slices: Iterable[SliceEndpoints], family: str, names: frozenset[str], transport: ir.Transport
) -> tuple[ir.Endpoint, ...]:
    ready: set[ir.Endpoint] = set()
    terminating: set[ir.Endpoint] = set()
    for slice_ in slices:
        if slice_.address_type != family:
            continue
        ports = [port.port for port in slice_.ports if port.name in names and port.port and port.protocol == transport]
        for address, is_ready, is_serving in slice_.endpoints:
            if is_ready:
                ready.update(ir.Endpoint(address, port) for port in ports)
            elif is_serving:
                terminating.update(ir.Endpoint(address, port) for port in ports)
    return tuple(sorted(ready or terminating))


def _slice_endpoints(_read: Read, _key: object, endpoint_slice: discovery.EndpointSlice) -> SliceEndpoints:
    return SliceEndpoints(
        address_type=endpoint_slice.address_type,
        ports=endpoint_slice.ports,
        endpoints=tuple(
            (
                endpoint.addresses[0],
                endpoint.conditions.ready is not False,
                _serves_while_terminating(endpoint.conditions),
            )
            for endpoint in endpoint_slice.endpoints
            if endpoint.addresses
        ),
    )


def _serves_while_terminating(conditions: discovery.EndpointConditions) -> bool:
    return bool(conditions.terminating) and conditions.serving is not False
