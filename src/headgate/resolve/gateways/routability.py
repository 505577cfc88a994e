"""From where the addresses of a Gateway can be reached (`spec.addresses[].routability`, experimental; GEP-5093).

An address without routability comes from the cluster's load balancer. One with routability `Cluster` is the ClusterIP
of the same Service. No other routability is supported. A Gateway that requests `Cluster` only gets no load balancer.
Where Envoys bind the Service's own address instead of a pod's, the ClusterIP does not reach them and is not assigned.
"""

import msgspec

from headgate.api import gateway as api
from headgate.incremental import Read
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus, World
from headgate.world.objects import SETTINGS

CLUSTER = "Cluster"
#: The value of the conformance suite: any address is accepted.
SENTINEL = "testing.x-k8s.io/sentinel"
_FROM_LOAD_BALANCER = (None, "", SENTINEL)


class AssignedAddresses(msgspec.Struct, frozen=True):
    """The assigned addresses as (address, routability), and the fields of requested ones that were not assigned."""

    addresses: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]


def is_requested(spec: api.GatewaySpec) -> bool:
    """Whether any address of the Gateway has a routability."""
    return any(address.routability for address in spec.addresses)


def from_load_balancer(address: api.GatewaySpecAddress) -> bool:
    """Whether the load balancer assigns the address."""
    return address.routability in _FROM_LOAD_BALANCER


def cluster_only(spec: api.GatewaySpec) -> bool:
    """Whether the Gateway must not be reachable from outside the cluster."""
    return is_requested(spec) and not any(map(from_load_balancer, spec.addresses))


def assigned_addresses(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding) -> AssignedAddresses:
    """The requested addresses that the fleet has."""
    cluster_ips = (fleet.cluster_ip,) if fleet.cluster_ip and binding.bind == "pod" else ()
    addresses: dict[tuple[str, str], None] = {}
    missing = []
    for index, requested in enumerate(spec.addresses):
        if from_load_balancer(requested):
            candidates = fleet.addresses
        else:
            candidates = cluster_ips if requested.routability == CLUSTER else ()
        given = [address for address in candidates if requested.value in ("", address)]
        addresses |= dict.fromkeys((address, requested.routability or "") for address in given)
        if not given:
            missing.append(f"spec.addresses[{index}]{_details(requested)}")
    return AssignedAddresses(tuple(addresses), tuple(missing))


def _details(address: api.GatewaySpecAddress) -> str:
    details = [f"value {address.value}"] if address.value else []
    details += [f"routability {address.routability}"] if address.routability else []
    return f" ({', '.join(details)})" if details else ""


def status_has_routability(read: Read, world: World, spec: api.GatewaySpec) -> bool:
    """Whether the installed CRD has `status.addresses[].routability`. Without CRDs: whether the spec has the field."""
    definitions = read(world.definitions, SETTINGS)
    if definitions is None:
        return is_requested(spec)
    return "status.addresses.routability" in definitions.fields.get("Gateway", ())
