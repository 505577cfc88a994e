"""Names of Services, resolved through the API that we talk to instead of a cluster's DNS.

On a laptop nobody serves `prometheus.monitoring.svc`; in a cluster this gives the same pods as the Service's address
would. So addresses of metrics providers, webhooks and the xDS server are written the same way in both.
"""

import ipaddress
import random
from collections.abc import Callable, Iterable, Sequence

import msgspec

from headgate.api.core import Service
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import Key

from .client import ApiError, Client

_SERVICE_NAME = "kubernetes.io/service-name"


class NameUnknownError(LookupError):
    """There is no such Service, or it has no such port."""


class NoEndpointsError(LookupError):
    """The Service exists, but none of its pods is ready: try again."""


class ServiceName(msgspec.Struct, frozen=True):
    """A host name that may be a Service. `certain`: it can be nothing else, because it ends in `.svc`."""

    key: Key
    certain: bool


def parse(host: str, namespace: str = "") -> ServiceName | None:
    """`name.namespace[.svc[.cluster.local]]`, or `name` beside a `namespace`; None if it can be no Service."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    else:
        return None
    match host.rstrip(".").lower().split("."):
        case [name, within, "svc"] | [name, within, "svc", "cluster", "local"]:
            return ServiceName(Key(within, name), True)
        case [name, within]:
            return ServiceName(Key(within, name), False)
        case [name] if namespace and name != "localhost":
            return ServiceName(Key(namespace, name), False)
        case _:
            return None


def addresses_of(service: Service, slices: Iterable[EndpointSlice], port: int | str) -> list[tuple[str, int]]:
    """Where the ready pods of a Service listen for one of its ports. Raises `NameUnknownError`."""
    found = next((each for each in service.spec.ports if port in (each.port, each.name)), None)
    if found is None:
        have = ", ".join(str(each.port) for each in service.spec.ports) or "none"
        raise NameUnknownError(f"Service {service.key} has no port {port}; it has {have}")
    return sorted(
        (endpoint.addresses[0], each.port)
        for piece in slices
        if piece.address_type in ("IPv4", "IPv6")
        for each in piece.ports
        if each.name == found.name and each.port is not None
        for endpoint in piece.endpoints
        if endpoint.conditions.ready is not False and endpoint.addresses
    )


async def resolve(
    client: Client,
    host: str,
    port: int,
    *,
    namespace: str = "",
    choose: Callable[[Sequence[tuple[str, int]]], tuple[str, int]] = random.choice,
) -> tuple[str, int]:
    """The address and port behind a host and port.

    What can be no Service (an address, a public name) and what is none (`example.com` looks like Service `example` in
    the namespace `com`) comes back as it is, for DNS.

    Args:
        namespace: where a name without one is looked for.
        choose: picks one of the ready pods.

    Raises:
        NameUnknownError: no such Service or port, and the name can be nothing else.
        NoEndpointsError: no pod is ready.
        ApiError: the API cannot be asked.
    """
    name = parse(host, namespace)
    if name is None:
        return host, port
    try:
        service = await client.get(Service, name.key.name, name.key.namespace)
    except ApiError as error:
        if error.status != 404:
            raise
        if name.certain:
            raise NameUnknownError(f"there is no Service {name.key}") from None
        return host, port
    if service.spec.type == "ExternalName":
        return service.spec.external_name, port
    slices = await client.list(EndpointSlice, name.key.namespace, label_selector=f"{_SERVICE_NAME}={name.key.name}")
    found = addresses_of(service, slices.items, port)
    if not found:
        raise NoEndpointsError(f"no pod of Service {name.key} is ready for port {port}")
    return choose(found)
