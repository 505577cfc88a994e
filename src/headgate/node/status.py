"""The status of a pod: phase and conditions, from the states of its containers. Pure."""

from collections.abc import Sequence

import msgspec

from headgate.api.core import (
    Container,
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)
from headgate.api.times import rfc3339

#: The conditions that a node writes. Other conditions of a pod are kept as they are.
OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def pod_status(
    pod: Pod,
    init: Sequence[ContainerStatus],
    containers: Sequence[ContainerStatus],
    *,
    address: str,
    host: str,
    started: float,
    now: float,
    before: PodStatus,
) -> PodStatus:
    """The whole status of a pod. `before` is the last one: conditions that do not change keep their time.

    Args:
        address: the IP of the pod; empty if it has none yet.
        host: the IP of the node.
        started: when the node began with the pod, in seconds since 1970.
    """
    phase = phase_of(pod, init, containers)
    conditions = _conditions(pod, init, containers, phase, bool(address))
    return PodStatus(
        phase=phase,
        conditions=_timed(conditions, before, now),
        container_statuses=tuple(containers),
        init_container_statuses=tuple(init),
        host_ip=host,
        pod_ip=address,
        pod_ips=(PodIP(ip=address),) if address else (),
        start_time=before.start_time or rfc3339(started),
        qos_class=before.qos_class or "BestEffort",
    )


def initial_status(pod: Pod, container: Container, before: ContainerStatus | None) -> ContainerStatus:
    """The status of a container that this node has not started yet; `before` is what an earlier node reported."""
    reason = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
    status = ContainerStatus(
        name=container.name,
        image=container.image,
        image_id=container.image,
        state=ContainerState(waiting=ContainerStateWaiting(reason=reason)),
        started=False,
    )
    if before is None or not (before.state.running or before.state.terminated or before.restart_count):
        return status
    return _after_node_restart(status, before, pod.spec.restart_policy)


def _after_node_restart(status: ContainerStatus, before: ContainerStatus, policy: str) -> ContainerStatus:
    """The status of a container that ran under a node which has ended, and its process with it."""
    ended = before.state if before.state.terminated else before.last_state
    if before.state.running:
        unknown = ContainerStateTerminated(
            exit_code=137,
            reason="ContainerStatusUnknown",
            message="the node that ran it was ended",
            started_at=before.state.running.started_at,
        )
        ended = ContainerState(terminated=unknown)
    code = ended.terminated.exit_code if ended.terminated else 0
    if policy == "Never" or (policy == "OnFailure" and before.state.terminated and code == 0):
        return msgspec.structs.replace(status, restart_count=before.restart_count, state=ended)
    return msgspec.structs.replace(status, restart_count=before.restart_count + 1, last_state=ended)


def phase_of(pod: Pod, init: Sequence[ContainerStatus], containers: Sequence[ContainerStatus]) -> str:
    """Pending until every container has run, Running while one runs or will be restarted, then Succeeded or Failed."""
    policy = pod.spec.restart_policy
    if any(_failed(status) for status in init) and policy == "Never":
        return "Failed"
    if not all(_succeeded(status) for status in init):
        return "Pending"
    if any(_never_ran(status) for status in containers):
        return "Pending"
    if policy == "Always" or any(status.state.running for status in containers):
        return "Running"
    if all(_succeeded(status) for status in containers):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def is_terminal(pod: Pod) -> bool:
    """Whether the pod has ended and is never restarted."""
    return pod.status.phase in ("Succeeded", "Failed")


def _never_ran(status: ContainerStatus) -> bool:
    return status.state.running is None and status.state.terminated is None and status.last_state.terminated is None


def _succeeded(status: ContainerStatus) -> bool:
    return status.state.terminated is not None and status.state.terminated.exit_code == 0


def _failed(status: ContainerStatus) -> bool:
    return status.state.terminated is not None and status.state.terminated.exit_code != 0


def _conditions(
    pod: Pod, init: Sequence[ContainerStatus], containers: Sequence[ContainerStatus], phase: str, has_address: bool
) -> list[PodCondition]:
    unfinished = [status.name for status in init if not _succeeded(status)]
    unready = [status.name for status in containers if not status.ready]
    if phase == "Succeeded":
        ready = PodCondition(type="Ready", status="False", reason="PodCompleted")
    elif unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        ready = PodCondition(type="Ready", status="False", reason="ContainersNotReady", message=message)
    else:
        ready = PodCondition(type="Ready", status="True")
    initialized = PodCondition(type="Initialized", status="True")
    if unfinished:
        message = f"containers with incomplete status: [{' '.join(unfinished)}]"
        initialized = PodCondition(
            type="Initialized", status="False", reason="ContainersNotInitialized", message=message
        )
    kept = [condition for condition in pod.status.conditions if condition.type not in OWN_CONDITIONS]
    return [
        PodCondition(type="PodReadyToStartContainers", status="True" if has_address else "False"),
        initialized,
        ready,
        PodCondition(type="ContainersReady", status=ready.status, reason=ready.reason, message=ready.message),
        PodCondition(type="PodScheduled", status="True"),
        *kept,
    ]


def _timed(conditions: Sequence[PodCondition], before: PodStatus, now: float) -> tuple[PodCondition, ...]:
    known = {condition.type: condition for condition in before.conditions}
    timed = []
    for condition in conditions:
        old = known.get(condition.type)
        time = old.last_transition_time if old and old.status == condition.status else rfc3339(now)
        timed.append(
            PodCondition(
                type=condition.type,
                status=condition.status,
                reason=condition.reason,
                message=condition.message,
                last_transition_time=time,
            )
        )
    return tuple(timed)
