"""Which pods are bound to the node, and which address a Service of type LoadBalancer gets. Pure."""

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import chain

from headgate.api.core import Pod, Service

Network = ipaddress.IPv4Network

#: The scheduler of pods that name none.
DEFAULT_SCHEDULER = "default-scheduler"


def is_schedulable(pod: Pod) -> bool:
    """Whether a pod has no node and may be bound."""
    return (
        not pod.spec.node_name
        and pod.metadata.deletion_timestamp is None
        and pod.status.phase in ("", "Pending")
        and pod.spec.scheduler_name in ("", DEFAULT_SCHEDULER)
    )


def needs_address(service: Service) -> bool:
    """Whether a Service of type LoadBalancer has no address yet, or not the one that it requests.

    A Service with a `loadBalancerClass` belongs to another controller. One that requests an address which is not
    available keeps its present one: its pods may still listen there.
    """
    assigned = {ingress.ip or ingress.hostname for ingress in service.status.load_balancer.ingress} - {""}
    requested = service.spec.load_balancer_ip
    return (
        service.spec.type == "LoadBalancer"
        and not service.spec.load_balancer_class
        and service.metadata.deletion_timestamp is None
        and (not assigned or bool(requested and requested not in assigned))
    )


def addresses_in_use(services: Iterable[Service]) -> Iterator[str]:
    """The addresses that Services have."""
    for service in services:
        for ingress in service.status.load_balancer.ingress:
            if ingress.ip:
                yield ingress.ip


def address_for(service: Service, network: Network, in_use: Iterable[str], last: str = "") -> str | None:
    """The address for a Service: the one that it requests (`loadBalancerIP`), else the next free one after `last`.

    An address that was just released is not assigned again soon: the Envoys of a deleted Gateway still listen there
    while they drain, and the kernel would distribute the connections of the next Gateway over both.

    Returns:
        None if no address is free, or the requested one is in use or outside the network.
    """
    taken = set(in_use)
    if wanted := service.spec.load_balancer_ip:
        free = wanted not in taken and _within(wanted, network)
        return wanted if free else None
    first, final = int(network.network_address) + 1, int(network.broadcast_address) - 1
    begin = int(ipaddress.IPv4Address(last)) + 1 if _within(last, network) else first
    candidates = (str(ipaddress.IPv4Address(number)) for number in chain(range(begin, final + 1), range(first, begin)))
    return next((address for address in candidates if address not in taken), None)


def _within(address: str, network: Network) -> bool:
    try:
        return ipaddress.IPv4Address(address) in network
    except ValueError:
        return False
