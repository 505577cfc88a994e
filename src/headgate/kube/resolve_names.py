"""Resolves names of Services through the API instead of the cluster's DNS.

A laptop has no DNS server for `prometheus.monitoring.svc`; in a cluster this resolves to the same pods as the Service's
address. So addresses of metrics providers, webhooks and the xDS server are written the same way in both.
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
    """The Service does not exist, or does not have the port."""


class NoEndpointsError(LookupError):
    """The Service exists, but none of its pods is ready; a retry may succeed."""


class ServiceName(msgspec.Struct, frozen=True):
    """A host name that may be a Service; `certain` if it ends in `.svc`, so that it can be nothing else."""

    key: Key
    certain: bool


def parse(host: str, namespace: str = "") -> ServiceName | None:
    """The Service of `name.namespace[.svc[.cluster.local]]`, or of `name` with a `namespace`; None for other names."""
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
    """The addresses of the ready pods of a Service for one of its ports (number or name).

    Raises:
        NameUnknownError: the Service does not have the port.
    """
    service_port = next((each for each in service.spec.ports if port in (each.port, each.name)), None)
    if service_port is None:
        ports = ", ".join(str(each.port) for each in service.spec.ports) or "none"
        raise NameUnknownError(f"Service {service.key} has no port {port}; its ports: {ports}")
    return sorted(
        (endpoint.addresses[0], target.port)
        for endpoint_slice in slices
        if endpoint_slice.address_type in ("IPv4", "IPv6")
        for target in endpoint_slice.ports
        if target.name == service_port.name and target.port is not None
        for endpoint in endpoint_slice.endpoints
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
    """The address and port of a ready pod of a Service.

    A host that cannot be a Service (an address, a public name), or that is none (`example.com` looks like the Service
    `example` in the namespace `com`), is returned as it is, for DNS.

    Args:
        namespace: the namespace of names without one.
        choose: picks one of the ready pods.

    Raises:
        NameUnknownError: the Service or its port does not exist, and the name can be nothing else.
        NoEndpointsError: no pod of the Service is ready.
        ApiError: the API returned an error.
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
            raise NameUnknownError(f"Service {name.key} does not exist") from None
        return host, port
    if service.spec.type == "ExternalName":
        return service.spec.external_name, port
    slices = await client.list(EndpointSlice, name.key.namespace, label_selector=f"{_SERVICE_NAME}={name.key.name}")
    addresses = addresses_of(service, slices.items, port)
    if not addresses:
        raise NoEndpointsError(f"no pod of Service {name.key} is ready for port {port}")
    return choose(addresses)
