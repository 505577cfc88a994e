"""From where the addresses of a Gateway can be reached (`spec.addresses[].routability`, experimental; GEP-5093).

Empty is what the cluster's load balancer gives, `Cluster` the ClusterIP of the same Service; nothing else can be had. A
Gateway that asks for `Cluster` only has no load balancer. Where Envoys bind the Service's own address, nobody brings
them what is sent to the ClusterIP.
"""

import msgspec

from headgate.api import gateway as api
from headgate.incremental import Read
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus, World
from headgate.world.objects import SETTINGS

CLUSTER = "Cluster"
#: What a test of conformance asks for: any address will do.
SENTINEL = "testing.x-k8s.io/sentinel"
_OUTSIDE = (None, "", SENTINEL)


class AssignedAddresses(msgspec.Struct, frozen=True):
    """The addresses of a Gateway, and the fields of those that were asked for and are not had."""

    addresses: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]


def is_requested(spec: api.GatewaySpec) -> bool:
    """Whether it matters to anybody."""
    return any(each.routability for each in spec.addresses)


def from_load_balancer(address: api.GatewaySpecAddress) -> bool:
    """Whether the load balancer gives it."""
    return address.routability in _OUTSIDE


def cluster_only(spec: api.GatewaySpec) -> bool:
    """Whether nobody outside of the cluster may reach it."""
    return is_requested(spec) and not any(map(from_load_balancer, spec.addresses))


def assigned_addresses(spec: api.GatewaySpec, fleet: EnvoyFleetStatus, binding: Binding) -> AssignedAddresses:
    """Address and routability of what is had of that which was asked for."""
    cluster = (fleet.cluster_ip,) if fleet.cluster_ip and binding.bind == "pod" else ()
    found: dict[tuple[str, str], None] = {}
    missing = []
    for at, each in enumerate(spec.addresses):
        known = fleet.addresses if from_load_balancer(each) else cluster if each.routability == CLUSTER else ()
        given = [address for address in known if each.value in ("", address)]
        found |= dict.fromkeys((address, each.routability or "") for address in given)
        if not given:
            missing.append(f"spec.addresses[{at}]{_of(each)}")
    return AssignedAddresses(tuple(found), tuple(missing))


def _of(address: api.GatewaySpecAddress) -> str:
    said = [f"value {address.value}"] if address.value else []
    said += [f"routability {address.routability}"] if address.routability else []
    return f" ({', '.join(said)})" if said else ""


def status_has_routability(read: Read, world: World, spec: api.GatewaySpec) -> bool:
    """Whether the status has the field; where definitions are not known, if it was asked for."""
    definitions = read(world.definitions, SETTINGS)
    if definitions is None:
        return is_requested(spec)
    return "status.addresses.routability" in definitions.fields.get("Gateway", ())
