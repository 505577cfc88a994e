"""The Services of a Canary: `<apex>` and `<apex>-primary` select the primary's pods, `<apex>-canary` the target's.

An existing Service keeps its type, addresses and node ports. Its ports and selector are set; its metadata only if the
Canary owns it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.api.core import Service
from headgate.api.delivery import CanaryService, CustomMetadata, UnmanagedMetadata
from headgate.api.meta import Key

from .effects import Create, Effect, Json, Patch, merge_map
from .ownership import FLUX_OPT_OUT, is_owned, owner_reference
from .release import Release

_SIDECARS = frozenset({"istio-proxy", "envoy"})


class ServiceSpec(msgspec.Struct, frozen=True):
    """What one of the Services should be."""

    name: str
    selector: tuple[str, str]
    label: tuple[str, str]
    ports: tuple[Json, ...]
    metadata: CustomMetadata


def workload_services(release: Release) -> tuple[Effect, ...]:
    """What is missing of `<apex>-canary` and `<apex>-primary`, which the route needs before any traffic."""
    names, service = release.names, release.service
    _, value = release.selector_label
    canary = _spec(release, names.canary_service, value, service.canary)
    primary = _spec(release, names.primary_service, f"{value}-primary", service.primary)
    return (*_ensure(canary, release), *_ensure(primary, release))


def apex_service(release: Release) -> tuple[Effect, ...]:
    """What is missing of `<apex>`, which selects the primary as soon as that is ready."""
    _, value = release.selector_label
    return _ensure(_spec(release, release.names.apex, f"{value}-primary", release.service.apex), release)


def service_ports(service: CanaryService, template: Json) -> Iterator[Json]:
    """The Service's port, and with port discovery every other port of the containers of a pod template."""
    first: Json = {
        "name": service.port_name or "http",
        "protocol": "TCP",
        "port": service.port,
        "targetPort": service.target_port or service.port,
    }
    if service.app_protocol:
        first["appProtocol"] = service.app_protocol
    yield first
    if not service.port_discovery:
        return
    for container in template.get("spec", {}).get("containers") or ():
        if container.get("name") in _SIDECARS:
            continue
        for index, port in enumerate(container.get("ports") or ()):
            if first["targetPort"] in (port.get("name"), port["containerPort"]):
                continue
            name = port.get("name") or f"tcp-{container['name']}-{index}"
            number = port["containerPort"]
            yield {"name": name, "protocol": port.get("protocol") or "TCP", "port": number, "targetPort": number}


def _spec(release: Release, name: str, value: str, metadata: CustomMetadata | None) -> ServiceSpec:
    label, _ = release.selector_label
    ports = tuple(service_ports(release.service, release.template))
    return ServiceSpec(name, (label, value), (label, name), ports, metadata or CustomMetadata())


def _ensure(desired: ServiceSpec, release: Release) -> tuple[Effect, ...]:
    service, canary = release.service, release.snapshot.canary
    key = release.names.key(desired.name)
    current = release.snapshot.get(Service, key)
    if current is None:
        return (_create(desired, service, canary, key),)
    operations = [*_spec_changes(desired, service, current), *_metadata_changes(desired, service, current, canary)]
    return (Patch(Service, key, tuple(operations)),) if operations else ()


def _create(desired: ServiceSpec, service: CanaryService, canary: Json, key: Key) -> Create:
    spec: Json = {"type": "ClusterIP", "selector": dict([desired.selector]), "ports": list(desired.ports)}
    if service.headless:
        spec["clusterIP"] = "None"
    if service.traffic_distribution:
        spec["trafficDistribution"] = service.traffic_distribution
    metadata = {
        "name": key.name,
        "namespace": key.namespace,
        "labels": {**desired.metadata.labels, desired.label[0]: desired.label[1]},
        "annotations": {**desired.metadata.annotations, **FLUX_OPT_OUT},
        "ownerReferences": [owner_reference(canary)],
    }
    return Create(Service, {"metadata": metadata, "spec": spec})


def _spec_changes(desired: ServiceSpec, service: CanaryService, current: Json) -> Iterator[Json]:
    spec = current.get("spec") or {}
    if (spec.get("selector") or {}) != dict([desired.selector]):
        yield {"op": "add", "path": "/spec/selector", "value": dict([desired.selector])}
    there = spec.get("ports") or []
    if [_defaulted(port) for port in there] != [_defaulted(port) for port in desired.ports]:
        node_ports = {port["port"]: port["nodePort"] for port in there if port.get("nodePort")}
        ports = [
            {**port, "nodePort": node_ports[port["port"]]} if port["port"] in node_ports else port
            for port in desired.ports
        ]
        yield {"op": "add", "path": "/spec/ports", "value": ports}
    if service.traffic_distribution and spec.get("trafficDistribution") != service.traffic_distribution:
        yield {"op": "add", "path": "/spec/trafficDistribution", "value": service.traffic_distribution}


def _metadata_changes(desired: ServiceSpec, service: CanaryService, current: Json, canary: Json) -> Iterator[Json]:
    if not is_owned(current, canary):
        return
    unmanaged = service.unmanaged_metadata or UnmanagedMetadata()
    labels = {**desired.metadata.labels, desired.label[0]: desired.label[1]}
    annotations = {**desired.metadata.annotations, **FLUX_OPT_OUT}
    metadata = current["metadata"]
    yield from merge_map(("metadata", "labels"), metadata.get("labels"), _managed(labels, unmanaged.labels))
    yield from merge_map(
        ("metadata", "annotations"),
        metadata.get("annotations"),
        _managed(annotations, unmanaged.annotations),
    )


def _managed(entries: Mapping[str, str], unmanaged: tuple[str, ...]) -> dict[str, str]:
    return {key: value for key, value in entries.items() if key not in unmanaged}


def _defaulted(port: Mapping[str, Any]) -> tuple[Any, ...]:
    """A port with the API's defaults, without its node port."""
    return (
        port.get("name") or "",
        port.get("protocol") or "TCP",
        port["port"],
        port.get("targetPort") or port["port"],
        port.get("appProtocol"),
    )
