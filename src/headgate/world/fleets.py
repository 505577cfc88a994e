"""Fleets: what the Envoys of a Gateway need, what is known of them, and how they bind."""

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.ir.routing import Binding, Transport


class EnvoyFleetSpec(msgspec.Struct, frozen=True):
    """Everything about a Gateway that the Deployment and the Service of its Envoys depend on.

    `ports` are those of its accepted listeners, sorted, including listeners whose certificate is still missing.
    `addresses` come from `spec.addresses` (empty: any). `labels` and `annotations` come from `spec.infrastructure`.
    An `internal` fleet is reachable from inside of the cluster only.
    """

    uid: str
    class_name: str
    ports: tuple[tuple[Transport, int], ...]
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    addresses: tuple[str, ...] = ()
    internal: bool = False


class EnvoyFleetStatus(msgspec.Struct, frozen=True):
    """What is known of the Envoys of a Gateway from their Service and their pods.

    `service` is the name of the Service, `addresses` the IP addresses and hostnames of its `status.loadBalancer`,
    `cluster_ip` its address within the cluster. `reason_unavailable` says why no Envoy can start (empty: not known).
    """

    service: str = ""
    addresses: tuple[str, ...] = ()
    reason_unavailable: str = ""
    cluster_ip: str = ""


class PodSelection(msgspec.Struct, frozen=True):
    """The pods of an XBackend with a selector; a headless Service beside it selects them.

    `uid` is the XBackend's, `service` the name of the Service.
    """

    uid: str
    service: str
    labels: dict[str, str]
    port: int


def binding_from(metadata: Mapping[str, Any]) -> Binding:
    """How an Envoy binds its listeners, from its node metadata; by default as a pod with a network of its own."""
    system_ca_file = str(metadata.get("system_authorities", ""))
    if metadata.get("bind") != "service":
        return Binding("pod", system_ca_file=system_ca_file)
    offset = metadata.get("port_offset", 0)
    return Binding(
        bind="service",
        address=str(metadata.get("service_address", "")),
        offset=int(offset) if isinstance(offset, int | float) else 0,
        system_ca_file=system_ca_file,
    )


def current_binding(binding: Binding, status: EnvoyFleetStatus | None) -> Binding:
    """The binding with the address that the Service has now: it may have changed since the Envoys started."""
    if binding.bind != "service" or status is None or not status.addresses or binding.address in status.addresses:
        return binding
    return msgspec.structs.replace(binding, address=status.addresses[0])
