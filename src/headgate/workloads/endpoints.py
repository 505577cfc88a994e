"""Service -> EndpointSlices: addresses and ports of the pods that a Service selects.

Pods that resolve the Service's ports to the same numbers share slices of at most 100 endpoints. A Service that selects
no pod has one empty slice, so that readers can tell "no endpoints" from "not known yet". For Services without a
selector, users manage the slices; these are not changed, nor are slices with another manager.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from headgate.api.core import Pod, Service, ServicePort
from headgate.api.discovery import EndpointSlice

from . import owners, pods, revisions
from .effects import Create, Decision, Effect, delete, patch

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS_LABEL = "service.kubernetes.io/headless"
#: Endpoints per slice.
MAX_ENDPOINTS = 100

_Json = dict[str, Any]


def decide(service: Service, candidates: Iterable[Pod], slices: Iterable[EndpointSlice]) -> Decision:
    """Decide for one Service. `candidates` are the pods and `slices` the EndpointSlices of its namespace."""
    if not service.spec.selector or service.spec.type == "ExternalName" or service.metadata.deletion_timestamp:
        return Decision()
    desired = {body["metadata"]["name"]: body for body in _desired(service, candidates)}
    present = {s.metadata.name: s for s in slices if is_managed(s, service)}
    effects: list[Effect] = []
    for name, body in desired.items():
        if name not in present:
            effects.append(Create(EndpointSlice, body))
        elif change := _change(present[name], body):
            effects.append(patch(present[name], change))
    # Deletions come last, so that no endpoint is ever in no slice.
    effects += [
        delete(s) for name, s in present.items() if name not in desired and s.metadata.deletion_timestamp is None
    ]
    return Decision(tuple(effects))


def is_managed(endpoint_slice: EndpointSlice, service: Service) -> bool:
    """Whether the slice belongs to this Service and to this controller."""
    labels = endpoint_slice.metadata.labels
    controller = owners.controller_of(endpoint_slice)
    return (
        labels.get(SERVICE_LABEL) == service.metadata.name
        and labels.get(MANAGER_LABEL) == MANAGER
        and (controller is None or controller.uid == service.metadata.uid)
    )


def _desired(service: Service, candidates: Iterable[Pod]) -> Iterable[_Json]:
    groups: dict[tuple[tuple[int, int], ...], list[Pod]] = {}
    for pod in sorted(candidates, key=lambda pod: pod.metadata.name):
        if _is_selected(pod, service):
            groups.setdefault(_ports(service, pod), []).append(pod)
    for ports, behind in sorted(groups.items()) or [((), [])]:
        for start in range(0, max(len(behind), 1), MAX_ENDPOINTS):
            yield _slice(service, ports, start // MAX_ENDPOINTS, behind[start : start + MAX_ENDPOINTS])


def _is_selected(pod: Pod, service: Service) -> bool:
    return (
        bool(pod.status.pod_ip)
        and pod.status.phase not in ("Succeeded", "Failed")
        and service.spec.selector.items() <= pod.metadata.labels.items()
    )


def _ports(service: Service, pod: Pod) -> tuple[tuple[int, int], ...]:
    """For each port of the Service that the pod has: its index in the Service, and its number in the pod."""
    ports = ((index, _number(port, pod)) for index, port in enumerate(service.spec.ports))
    return tuple((index, number) for index, number in ports if number is not None)


def _number(port: ServicePort, pod: Pod) -> int | None:
    target = port.target_port if port.target_port not in (None, 0, "") else port.port
    if isinstance(target, int):
        return target
    named = (p for c in pod.spec.containers for p in c.ports)
    return next((p.container_port for p in named if p.name == target and p.protocol == port.protocol), None)


def _slice(service: Service, ports: tuple[tuple[int, int], ...], part: int, behind: Iterable[Pod]) -> _Json:
    identity = repr((service.metadata.uid, ports, part))
    labels = {
        **service.metadata.labels,
        SERVICE_LABEL: service.metadata.name,
        MANAGER_LABEL: MANAGER,
    }
    if service.spec.cluster_ip == "None":
        labels[HEADLESS_LABEL] = ""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            # The name follows from the ports, so that creating a slice twice creates one.
            "name": f"{service.metadata.name}-{revisions.safe_encode(revisions.fnv(identity.encode()))}",
            "namespace": service.metadata.namespace,
            "labels": labels,
            "ownerReferences": [owners.reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(service, pod) for pod in behind],
        "ports": [_port(service.spec.ports[index], number) for index, number in ports],
    }


def _port(port: ServicePort, number: int) -> _Json:
    body: _Json = {"name": port.name, "port": number, "protocol": port.protocol}
    return body | ({"appProtocol": port.app_protocol} if port.app_protocol else {})


def _endpoint(service: Service, pod: Pod) -> _Json:
    serving, terminating = pods.is_ready(pod), pod.metadata.deletion_timestamp is not None
    body: _Json = {
        "addresses": [pod.status.pod_ip],
        "conditions": {
            "ready": bool(service.spec.publish_not_ready_addresses) or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "namespace": pod.metadata.namespace,
            "name": pod.metadata.name,
            "uid": pod.metadata.uid,
        },
    }
    if pod.spec.node_name:
        body["nodeName"] = pod.spec.node_name
    if pod.spec.hostname and pod.spec.subdomain == service.metadata.name:
        body["hostname"] = pod.spec.hostname
    return body


def _change(present: EndpointSlice, body: _Json) -> _Json:
    """The merge patch that a slice needs; it removes labels that the Service no longer has."""
    change: _Json = {}
    desired = msgspec.convert(body, EndpointSlice)
    for name in ("endpoints", "ports"):
        if getattr(present, name) != getattr(desired, name):
            change[name] = body[name]
    labels: Mapping[str, str | None] = body["metadata"]["labels"]
    removed = {name: None for name in present.metadata.labels if name not in labels}
    if removed or any(present.metadata.labels.get(name) != value for name, value in labels.items()):
        change["metadata"] = {"labels": {**labels, **removed}}
    return change
