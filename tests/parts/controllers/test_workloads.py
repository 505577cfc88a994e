"""The workload loops on a local API: what `headgate workloads` makes of Deployments and Services, without any node."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fake_cluster import deployment
from support.local_node import HEADGATE, Api, Plain, local_api
from support.processes import Program
from support.waiting import until

_numbers = itertools.count(1)


class Loops:
    """A running `headgate workloads`, and its API."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = api
        self._log = folder / "workloads.log"
        self.start()

    def start(self) -> None:
        command = (*HEADGATE, "workloads", "--kubeconfig", self.api.kubeconfig)
        self.program = Program(command, log=self._log)


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loops]:
    folder = tmp_path_factory.mktemp("loops")
    with local_api(folder) as api:
        loops = Loops(api, folder)
        yield loops
        loops.program.stop()


@pytest.fixture
def api(loops: Loops) -> Api:
    return loops.api.within(f"test-{next(_numbers)}")


def in_space(api: Api, body: Plain) -> Plain:
    return {**body, "metadata": {**body["metadata"], "namespace": api.namespace}}


def replicas(api: Api) -> int:
    return len([pod for pod in api.all("Pod") if "deletionTimestamp" not in pod["metadata"]])


def settled(api: Api) -> bool:
    found = api.get("Deployment", "shop")
    status = found.get("status", {})
    wanted = found["spec"]["replicas"]
    return bool(
        status.get("observedGeneration") == found["metadata"]["generation"]
        and status.get("replicas", 0) == wanted == len(api.all("Pod"))
    )


def play_node(api: Api) -> None:
    """Every pod runs and is ready at once; the status is what a node would write."""
    for pod in api.all("Pod"):
        if not pod.get("status", {}).get("podIP"):
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            status = {"phase": "Running", "podIP": f"127.9.0.{next(_numbers) % 250}", "conditions": [ready]}
            api.patch("Pod", pod["metadata"]["name"], {"status": status}, "status")


def converged(api: Api) -> bool:
    """A step of nodes, and whether the roll-out is over."""
    play_node(api)
    status = api.get("Deployment", "shop").get("status", {})
    reasons = [c["reason"] for c in status.get("conditions", ()) if c["type"] == "Progressing"]
    return reasons == ["NewReplicaSetAvailable"] and settled(api)


def test_a_deployment_becomes_pods(api: Api) -> None:
    api.create(in_space(api, deployment(replicas=3)))
    until(lambda: settled(api), what="three pods")


def test_no_pod_is_made_twice(api: Api) -> None:
    api.create(in_space(api, deployment(replicas=20)))
    until(lambda: settled(api), what="twenty pods")
    names = {event["involvedObject"]["name"] for event in api.all("Event") if event["reason"] == "SuccessfulDelete"}
    assert names == set()


def test_a_deleted_pod_is_replaced(api: Api) -> None:
    api.create(in_space(api, deployment(replicas=1)))
    until(lambda: settled(api))
    before = api.all("Pod")[0]["metadata"]["name"]
    api.delete("Pod", before)
    until(lambda: [pod["metadata"]["name"] for pod in api.all("Pod")] not in ([], [before]) and settled(api))


def test_a_new_template_rolls_out(api: Api) -> None:
    api.create(in_space(api, deployment(replicas=3)))
    until(lambda: converged(api))
    api.patch("Deployment", "shop", {"spec": {"template": deployment(version="2.0")["spec"]["template"]}})
    until(
        lambda: converged(api) and {pod["spec"]["containers"][0]["image"] for pod in api.all("Pod")} == {"shop:2.0"},
        what="the new version",
    )


def test_a_deadline_passes_without_any_change(api: Api) -> None:
    api.create(in_space(api, deployment(replicas=1, progressDeadlineSeconds=1)))

    def exceeded() -> bool:
        conditions = api.get("Deployment", "shop").get("status", {}).get("conditions", ())
        return any(c["reason"] == "ProgressDeadlineExceeded" for c in conditions)

    until(exceeded, what="ProgressDeadlineExceeded")


def test_a_service_gets_its_endpoints(api: Api) -> None:
    api.create(in_space(api, deployment(replicas=2)))
    ports = [{"port": 80, "targetPort": "http"}]
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    api.create({**body, "spec": {"selector": {"app": "shop"}, "ports": ports}})

    def endpoints() -> bool:
        play_node(api)
        slices = api.all("EndpointSlice")
        ready = [e for piece in slices for e in piece.get("endpoints") or () if e["conditions"]["ready"]]
        return len(slices) == 1 and len(ready) == 2 and slices[0]["ports"][0]["port"] == 8080

    until(endpoints, what="two ready endpoints on port 8080")


def test_a_killed_loop_goes_on_where_it_was(loops: Loops, api: Api) -> None:
    api.create(in_space(api, deployment(replicas=2)))
    until(lambda: settled(api))
    loops.program.kill()
    api.patch("Deployment", "shop", {"spec": {"replicas": 4}})
    loops.start()
    until(lambda: settled(api), what="four pods")
