"""What the Envoys of a Gateway report as status: their Service's addresses, and why none is ready. Pure."""

from collections.abc import Iterable

from headgate.api import core
from headgate.api.meta import Key
from headgate.world import EnvoyFleetSpec, EnvoyFleetStatus

from .objects import name

#: Reasons of a waiting container that need a change of the pod or of the cluster to go away.
_STUCK = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CrashLoopBackOff", "CreateContainerConfigError")


def fleet_status(
    gateway: Key, spec: EnvoyFleetSpec, service: core.Service | None, pods: Iterable[core.Pod]
) -> EnvoyFleetStatus:
    """The status of a fleet.

    Args:
        gateway: whose fleet it is.
        spec: what the Gateway needs.
        service: the fleet's Service, None if it does not exist.
        pods: the fleet's pods; the first that is stuck is reported.
    """
    ingress = service.status.load_balancer.ingress if service is not None else ()
    return EnvoyFleetStatus(
        service=name(gateway, spec.class_name).name,
        addresses=tuple(entry.ip or entry.hostname for entry in ingress),
        reason_unavailable=_reason_unavailable(tuple(pods)),
        cluster_ip=_cluster_ip(service),
    )


def _reason_unavailable(pods: tuple[core.Pod, ...]) -> str:
    if any(container.ready for pod in pods for container in pod.status.container_statuses):
        return ""
    for pod in pods:
        for container in pod.status.container_statuses:
            waiting = container.state.waiting
            if waiting is not None and waiting.reason in _STUCK:
                return f"Pod {pod.metadata.name}: {waiting.reason}: {waiting.message}"
    return ""


def _cluster_ip(service: core.Service | None) -> str:
    """The address within the cluster; empty if there is none (yet)."""
    address = service.spec.cluster_ip if service is not None else ""
    return "" if address == "None" else address
