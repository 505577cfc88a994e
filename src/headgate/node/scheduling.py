"""Which pods a node takes on, and which address a Service of type LoadBalancer gets: pure decisions."""

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import chain

from headgate.api.core import Pod, Service

Network = ipaddress.IPv4Network

#: The scheduler that pods ask for unless they say otherwise.
DEFAULT_SCHEDULER = "default-scheduler"


def is_schedulable(pod: Pod) -> bool:
    """A pod without a node that may get one."""
    return (
        not pod.spec.node_name
        and pod.metadata.deletion_timestamp is None
        and pod.status.phase in ("", "Pending")
        and pod.spec.scheduler_name in ("", DEFAULT_SCHEDULER)
    )


def needs_address(service: Service) -> bool:
    """A load balancer that nobody else is asked for and that has no address yet, or not the one that it asks for.

    One that asks for an address that cannot be had keeps what it has: somebody may still listen there.
    """
    has = {ingress.ip or ingress.hostname for ingress in service.status.load_balancer.ingress} - {""}
    asked = service.spec.load_balancer_ip
    return (
        service.spec.type == "LoadBalancer"
        and not service.spec.load_balancer_class
        and service.metadata.deletion_timestamp is None
        and (not has or bool(asked and asked not in has))
    )


def addresses_in_use(services: Iterable[Service]) -> Iterator[str]:
    """The addresses that Services have."""
    for service in services:
        for ingress in service.status.load_balancer.ingress:
            if ingress.ip:
                yield ingress.ip


def address_for(service: Service, network: Network, in_use: Iterable[str], last: str = "") -> str | None:
    """The address that a Service gets: the one it asks for (`loadBalancerIP`), else the next free one after `last`.

    An address that was just freed is not given again soon: the Envoys of a Gateway that was deleted go on listening
    there while they drain, and the kernel would share the connections of its successor among both. None: there is no
    address, or the one that it asks for is taken or of another network.
    """
    taken = set(in_use)
    if wanted := service.spec.load_balancer_ip:
        free = wanted not in taken and _within(wanted, network)
        return wanted if free else None
    first, final = int(network.network_address) + 1, int(network.broadcast_address) - 1
    begin = int(ipaddress.IPv4Address(last)) + 1 if _within(last, network) else first
    candidates = (str(ipaddress.IPv4Address(each)) for each in chain(range(begin, final + 1), range(first, begin)))
    return next((address for address in candidates if address not in taken), None)


def _within(address: str, network: Network) -> bool:
    try:
        return ipaddress.IPv4Address(address) in network
    except ValueError:
        return False
