"""Phase and conditions of a pod."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.api.core import Container, ContainerStatus, Pod, PodSpec, PodStatus
from headgate.node.status import initial_status, phase_of, pod_status

WAITING: dict[str, Any] = {"state": {"waiting": {"reason": "ContainerCreating"}}}
RUNNING: dict[str, Any] = {"state": {"running": {}}}
DONE: dict[str, Any] = {"state": {"terminated": {"exitCode": 0}}}
FAILED: dict[str, Any] = {"state": {"terminated": {"exitCode": 1}}}
LOOPING: dict[str, Any] = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": FAILED["state"]}


def container(state: dict[str, Any], name: str = "app", **fields: Any) -> ContainerStatus:
    return msgspec.convert({"name": name, **state, **fields}, ContainerStatus)


def pod(policy: str = "Always") -> Pod:
    return Pod(spec=PodSpec(restart_policy=policy))


def status(
    *containers: ContainerStatus, now: float = 0.0, before: PodStatus | None = None, policy: str = "Always"
) -> PodStatus:
    before = before or PodStatus()
    return pod_status(
        pod(policy), (), containers, address="127.20.0.3", host="127.0.0.1", started=0, now=now, before=before
    )


def condition(pod_status: PodStatus, type_: str) -> tuple[str, str, str | None]:
    return next((c.status, c.reason, c.last_transition_time) for c in pod_status.conditions if c.type == type_)


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", [WAITING], "Pending"),
        ("Always", [RUNNING], "Running"),
        ("Always", [RUNNING, WAITING], "Pending"),
        ("Always", [LOOPING], "Running"),
        ("Always", [FAILED], "Running"),
        ("Never", [FAILED], "Failed"),
        ("Never", [DONE], "Succeeded"),
        ("Never", [DONE, RUNNING], "Running"),
        ("Never", [DONE, FAILED], "Failed"),
        ("OnFailure", [FAILED], "Running"),
        ("OnFailure", [DONE], "Succeeded"),
    ],
)
def test_the_phase_follows_the_containers(policy: str, states: list[dict[str, Any]], phase: str) -> None:
    containers = [container(state, f"c{place}") for place, state in enumerate(states)]
    assert phase_of(pod(policy), (), containers) == phase


def test_a_pod_is_pending_until_its_init_containers_are_done() -> None:
    assert phase_of(pod(), [container(RUNNING)], [container(WAITING)]) == "Pending"


def test_a_failed_init_container_fails_a_pod_that_is_not_restarted() -> None:
    assert phase_of(pod("Never"), [container(FAILED)], [container(WAITING)]) == "Failed"


def test_ready_needs_every_container() -> None:
    found = status(container(RUNNING, "a", ready=True), container(RUNNING, "b"))
    assert condition(found, "Ready")[:2] == ("False", "ContainersNotReady")


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    first = status(container(RUNNING, ready=True), now=100)
    second = status(container(RUNNING, ready=True), now=200, before=first)
    assert condition(second, "Ready")[2] == condition(first, "Ready")[2]


def test_a_condition_that_turns_gets_a_new_time() -> None:
    first = status(container(RUNNING, ready=True), now=100)
    second = status(container(RUNNING), now=200, before=first)
    assert condition(second, "Ready")[2] == "1970-01-01T00:03:20Z"


def test_a_completed_pod_is_not_ready_for_that_reason() -> None:
    assert condition(status(container(DONE), policy="Never"), "Ready")[:2] == ("False", "PodCompleted")


def test_the_start_time_stays() -> None:
    first = status(container(RUNNING))
    assert status(container(RUNNING), now=500, before=first).start_time == first.start_time


def restarted_node(before: dict[str, Any], policy: str) -> ContainerStatus:
    """The status of a container for which an earlier node reported `before`."""
    return initial_status(pod(policy), Container(name="app"), container(before, restartCount=2))


def test_a_new_container_waits_with_the_reason_of_a_kubelet() -> None:
    status = initial_status(pod(), Container(name="app"), None)
    assert status.state.waiting is not None
    assert (status.state.waiting.reason, status.restart_count) == ("ContainerCreating", 0)


def test_a_container_that_ran_under_an_earlier_node_is_restarted_and_counted() -> None:
    status = restarted_node(RUNNING, "Always")
    assert status.last_state.terminated is not None
    assert (status.last_state.terminated.reason, status.restart_count) == ("ContainerStatusUnknown", 3)


@pytest.mark.parametrize(("before", "policy"), [(RUNNING, "Never"), (DONE, "OnFailure")])
def test_a_container_that_must_not_be_restarted_has_ended_with_its_node(before: dict[str, Any], policy: str) -> None:
    status = restarted_node(before, policy)
    assert status.state.terminated is not None
    assert status.restart_count == 2
