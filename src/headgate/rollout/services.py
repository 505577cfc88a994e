"""The three Services of a Canary: `<apex>` and `<apex>-primary` lead to the primary's pods, `<apex>-canary` to the
target's.

A Service that is there already keeps its type, addresses and node ports; its ports and selector become ours, its
metadata only if we own it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from headgate.api.core import Service
from headgate.api.delivery import CanaryService, CustomMetadata, UnmanagedMetadata
from headgate.api.meta import Key

from .effects import Create, Effect, Json, Patch, merge_map
from .ownership import FLUX_OPT_OUT, is_owned, owner_reference
from .primary import selector_label
from .seen import Names, Objects, Ref
from .settings import Settings

_SIDECARS = frozenset({"istio-proxy", "envoy"})


class Wanted(msgspec.Struct, frozen=True):
    """What one of the Services should be."""

    name: str
    selector: tuple[str, str]
    label: tuple[str, str]
    ports: tuple[Json, ...]
    metadata: CustomMetadata


def workload_services(
    service: CanaryService, target: Json, canary: Json, names: Names, objects: Objects, settings: Settings
) -> tuple[Effect, ...]:
    """What is missing of `<apex>-canary` and `<apex>-primary`, which must stand before any traffic."""
    label, value = selector_label(target, names, settings)
    ports = tuple(service_ports(service, target))
    wanted = (
        Wanted(names.canary_service, (label, value), (label, names.canary_service), ports, _custom(service.canary)),
        Wanted(
            names.primary_service,
            (label, f"{value}-primary"),
            (label, names.primary_service),
            ports,
            _custom(service.primary),
        ),
    )
    return tuple(effect for each in wanted for effect in _ensure(each, service, canary, names, objects))


def apex_service(
    service: CanaryService, target: Json, canary: Json, names: Names, objects: Objects, settings: Settings
) -> tuple[Effect, ...]:
    """What is missing of `<apex>`, which leads to the primary as soon as that is ready."""
    label, value = selector_label(target, names, settings)
    ports = tuple(service_ports(service, target))
    wanted = Wanted(names.apex, (label, f"{value}-primary"), (label, names.apex), ports, _custom(service.apex))
    return _ensure(wanted, service, canary, names, objects)


def service_ports(service: CanaryService, target: Json) -> Iterator[Json]:
    """The Service's port, and with port discovery every other port of the containers."""
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
    for container in target.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or ():
        if container.get("name") in _SIDECARS:
            continue
        for index, port in enumerate(container.get("ports") or ()):
            if first["targetPort"] in (port.get("name"), port["containerPort"]):
                continue
            name = port.get("name") or f"tcp-{container['name']}-{index}"
            number = port["containerPort"]
            yield {"name": name, "protocol": port.get("protocol") or "TCP", "port": number, "targetPort": number}


def _ensure(wanted: Wanted, service: CanaryService, canary: Json, names: Names, objects: Objects) -> tuple[Effect, ...]:
    key = names.key(wanted.name)
    there = objects.get(Ref(Service, key))
    if there is None:
        return (_create(wanted, service, canary, key),)
    operations = [*_spec_changes(wanted, service, there), *_metadata_changes(wanted, service, there, canary)]
    return (Patch(Service, key, tuple(operations)),) if operations else ()


def _create(wanted: Wanted, service: CanaryService, canary: Json, key: Key) -> Create:
    spec: Json = {"type": "ClusterIP", "selector": dict([wanted.selector]), "ports": list(wanted.ports)}
    if service.headless:
        spec["clusterIP"] = "None"
    if service.traffic_distribution:
        spec["trafficDistribution"] = service.traffic_distribution
    metadata = {
        "name": key.name,
        "namespace": key.namespace,
        "labels": {**wanted.metadata.labels, wanted.label[0]: wanted.label[1]},
        "annotations": {**wanted.metadata.annotations, **FLUX_OPT_OUT},
        "ownerReferences": [owner_reference(canary)],
    }
    return Create(Service, {"metadata": metadata, "spec": spec})


def _spec_changes(wanted: Wanted, service: CanaryService, there: Json) -> Iterator[Json]:
    spec = there.get("spec") or {}
    if (spec.get("selector") or {}) != dict([wanted.selector]):
        yield {"op": "add", "path": "/spec/selector", "value": dict([wanted.selector])}
    have = spec.get("ports") or []
    if [_essence(port) for port in have] != [_essence(port) for port in wanted.ports]:
        node_ports = {port["port"]: port["nodePort"] for port in have if port.get("nodePort")}
        ports = [
            {**port, "nodePort": node_ports[port["port"]]} if port["port"] in node_ports else port
            for port in wanted.ports
        ]
        yield {"op": "add", "path": "/spec/ports", "value": ports}
    if service.traffic_distribution and spec.get("trafficDistribution") != service.traffic_distribution:
        yield {"op": "add", "path": "/spec/trafficDistribution", "value": service.traffic_distribution}


def _metadata_changes(wanted: Wanted, service: CanaryService, there: Json, canary: Json) -> Iterator[Json]:
    if not is_owned(there, canary):
        return
    unmanaged = service.unmanaged_metadata or UnmanagedMetadata()
    labels = {**wanted.metadata.labels, wanted.label[0]: wanted.label[1]}
    annotations = {**wanted.metadata.annotations, **FLUX_OPT_OUT}
    metadata = there["metadata"]
    yield from merge_map(("metadata", "labels"), metadata.get("labels"), _managed(labels, unmanaged.labels))
    yield from merge_map(
        ("metadata", "annotations"),
        metadata.get("annotations"),
        _managed(annotations, unmanaged.annotations),
    )


def _managed(entries: Mapping[str, str], unmanaged: tuple[str, ...]) -> dict[str, str]:
    return {key: value for key, value in entries.items() if key not in unmanaged}


def _essence(port: Mapping[str, Any]) -> tuple[Any, ...]:
    """A port without what the API defaults."""
    return (
        port.get("name") or "",
        port.get("protocol") or "TCP",
        port["port"],
        port.get("targetPort") or port["port"],
        port.get("appProtocol"),
    )


def _custom(metadata: CustomMetadata | None) -> CustomMetadata:
    return metadata or CustomMetadata()
