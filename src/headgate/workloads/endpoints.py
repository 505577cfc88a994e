"""Service -> EndpointSlices: where the pods behind a Service answer.

Pods that resolve the Service's ports to the same numbers share slices of at most 100 endpoints. A Service without
matching pods has one empty slice, so that readers can tell "nobody" from "not known yet". Services without a selector
are their owner's business and stay untouched, as do slices that somebody else manages.
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
SIZE = 100

_Plain = dict[str, Any]


def decide(service: Service, candidates: Iterable[Pod], slices: Iterable[EndpointSlice]) -> Decision:
    """What to do for one Service. `candidates` are the pods and `slices` the EndpointSlices of its namespace."""
    if not service.spec.selector or service.spec.type == "ExternalName" or service.metadata.deletion_timestamp:
        return Decision()
    wanted = {body["metadata"]["name"]: body for body in _wanted(service, candidates)}
    have = {s.metadata.name: s for s in slices if is_ours(s, service)}
    effects: list[Effect] = []
    for name, body in wanted.items():
        if name not in have:
            effects.append(Create(EndpointSlice, service.metadata.namespace, body))
        elif change := _change(have[name], body):
            effects.append(patch(have[name], change))
    # Only after the others stand: a reader must never find an endpoint in no slice.
    effects += [delete(s) for name, s in have.items() if name not in wanted and s.metadata.deletion_timestamp is None]
    return Decision(tuple(effects))


def is_ours(piece: EndpointSlice, service: Service) -> bool:
    """Whether the slice belongs to this Service and is managed from here."""
    labels = piece.metadata.labels
    controller = owners.controller_of(piece)
    return (
        labels.get(SERVICE_LABEL) == service.metadata.name
        and labels.get(MANAGER_LABEL) == MANAGER
        and (controller is None or controller.uid == service.metadata.uid)
    )


def _wanted(service: Service, candidates: Iterable[Pod]) -> Iterable[_Plain]:
    groups: dict[tuple[tuple[int, int], ...], list[Pod]] = {}
    for pod in sorted(candidates, key=lambda pod: pod.metadata.name):
        if _is_behind(pod, service):
            groups.setdefault(_ports(service, pod), []).append(pod)
    for ports, behind in sorted(groups.items()) or [((), [])]:
        for start in range(0, max(len(behind), 1), SIZE):
            yield _slice(service, ports, start // SIZE, behind[start : start + SIZE])


def _is_behind(pod: Pod, service: Service) -> bool:
    return (
        bool(pod.status.pod_ip)
        and pod.status.phase not in ("Succeeded", "Failed")
        and service.spec.selector.items() <= pod.metadata.labels.items()
    )


def _ports(service: Service, pod: Pod) -> tuple[tuple[int, int], ...]:
    """For each port of the Service that the pod has: its place in the Service, and the number in the pod."""
    found = ((place, _number(port, pod)) for place, port in enumerate(service.spec.ports))
    return tuple((place, number) for place, number in found if number is not None)


def _number(port: ServicePort, pod: Pod) -> int | None:
    target = port.target_port if port.target_port not in (None, 0, "") else port.port
    if isinstance(target, int):
        return target
    named = (p for c in pod.spec.containers for p in c.ports)
    return next((p.container_port for p in named if p.name == target and p.protocol == port.protocol), None)


def _slice(service: Service, ports: tuple[tuple[int, int], ...], part: int, behind: Iterable[Pod]) -> _Plain:
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
            # The same pods on the same ports always get the same name, so that doing it twice does it once.
            "name": f"{service.metadata.name}-{revisions.safe(revisions.fnv(identity.encode()))}",
            "namespace": service.metadata.namespace,
            "labels": labels,
            "ownerReferences": [owners.reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [_endpoint(service, pod) for pod in behind],
        "ports": [_port(service.spec.ports[place], number) for place, number in ports],
    }


def _port(port: ServicePort, number: int) -> _Plain:
    body: _Plain = {"name": port.name, "port": number, "protocol": port.protocol}
    return body | ({"appProtocol": port.app_protocol} if port.app_protocol else {})


def _endpoint(service: Service, pod: Pod) -> _Plain:
    serving, terminating = pods.is_ready(pod), pod.metadata.deletion_timestamp is not None
    body: _Plain = {
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


def _change(piece: EndpointSlice, body: _Plain) -> _Plain:
    """What the slice should have and has not; labels that the Service lost are removed."""
    change: _Plain = {}
    wanted = msgspec.convert(body, EndpointSlice)
    for name in ("endpoints", "ports"):
        if getattr(piece, name) != getattr(wanted, name):
            change[name] = body[name]
    labels: Mapping[str, str | None] = body["metadata"]["labels"]
    lost = {name: None for name in piece.metadata.labels if name not in labels}
    if lost or any(piece.metadata.labels.get(name) != value for name, value in labels.items()):
        change["metadata"] = {"labels": {**labels, **lost}}
    return change
