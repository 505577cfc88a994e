"""ReplicaSet -> Pods."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.core import Pod
from headgate.workloads import replicasets
from headgate.workloads.views import ReplicaSet
from support.fake_cluster import FakeCluster


@pytest.fixture
def world() -> FakeCluster:
    return FakeCluster()


def replica_set(replicas: int, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "shop-1"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "app"}]}},
            **spec,
        },
    }


def orphan(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": {}}


def survivors(world: FakeCluster) -> set[str]:
    return {pod.metadata.name for pod in world.all(Pod) if not pod.metadata.deletion_timestamp}


def shrink(world: FakeCluster, to: int) -> None:
    world.edit(ReplicaSet, "shop-1", {"spec": {"replicas": to}})
    world.settle()


def test_pods_belong_to_their_replica_set(world: FakeCluster) -> None:
    world.add(replica_set(1))
    world.settle()
    (owner,) = world.all(Pod)[0].metadata.owner_references
    assert (owner.kind, owner.name, owner.controller) == ("ReplicaSet", "shop-1", True)


def test_pods_are_named_by_the_api_from_the_replica_sets_name(world: FakeCluster) -> None:
    world.add(replica_set(2))
    world.settle()
    assert all(pod.metadata.name.startswith("shop-1-") for pod in world.all(Pod))


def test_a_pod_that_failed_is_replaced(world: FakeCluster) -> None:
    world.add(replica_set(1))
    world.settle()
    world.edit(Pod, world.all(Pod)[0].metadata.name, {"status": {"phase": "Failed"}}, "status")
    world.settle()
    assert sorted(pod.status.phase for pod in world.all(Pod)) == ["", "Failed"]


def test_a_pod_under_deletion_is_replaced_at_once(world: FakeCluster) -> None:
    world.add(replica_set(1))
    world.settle()
    world.raw(Pod, world.all(Pod)[0].metadata.name)["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    world.settle()
    assert len(survivors(world)) == 1


def test_a_matching_orphan_is_adopted_instead_of_creating_a_pod(world: FakeCluster) -> None:
    world.add(orphan("lost", {"app": "shop"}))
    world.add(replica_set(1))
    world.settle()
    assert survivors(world) == {"lost"}
    assert world.one(Pod, "lost").metadata.owner_references[0].name == "shop-1"


def test_a_pod_that_no_longer_matches_is_released_and_replaced(world: FakeCluster) -> None:
    world.add(replica_set(1))
    world.settle()
    (pod,) = world.all(Pod)
    world.edit(Pod, pod.metadata.name, {"metadata": {"labels": {"app": "debugging"}}})
    world.settle()
    assert world.one(Pod, pod.metadata.name).metadata.owner_references == ()
    assert len(world.all(Pod)) == 2


def test_an_empty_selector_adopts_nobody(world: FakeCluster) -> None:
    world.add(orphan("lost", {"app": "shop"}))
    world.add(replica_set(0, selector={}))
    world.settle()
    assert world.one(Pod, "lost").metadata.owner_references == ()


def test_pods_without_a_node_go_first(world: FakeCluster) -> None:
    world.add(replica_set(2))
    world.settle()
    running = world.all(Pod)[0].metadata.name
    world.start(running)
    shrink(world, 1)
    assert survivors(world) == {running}


def test_pods_that_are_not_ready_go_before_ready_ones(world: FakeCluster) -> None:
    world.add(replica_set(2))
    world.settle()
    broken, good = (pod.metadata.name for pod in world.all(Pod))
    world.start(broken, ready=False)
    world.start(good)
    shrink(world, 1)
    assert survivors(world) == {good}


def test_cheaper_pods_go_before_dearer_ones(world: FakeCluster) -> None:
    world.add(replica_set(2))
    world.settle()
    dear, cheap = (pod.metadata.name for pod in world.all(Pod))
    for name, cost in ((dear, "10"), (cheap, "-10")):
        world.start(name)
        world.edit(Pod, name, {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": cost}}})
    shrink(world, 1)
    assert survivors(world) == {dear}


def test_pods_that_have_been_ready_for_longer_stay(world: FakeCluster) -> None:
    world.add(replica_set(2))
    world.settle()
    young, old = (pod.metadata.name for pod in world.all(Pod))
    world.start(old)
    world.now += 60
    world.start(young)
    shrink(world, 1)
    assert survivors(world) == {old}


def test_a_pod_that_waits_for_min_ready_seconds_is_looked_at_again(world: FakeCluster) -> None:
    world.add(replica_set(1, minReadySeconds=10))
    world.settle()
    world.start(world.all(Pod)[0].metadata.name)
    world.settle()
    decision = replicasets.decide(world.one(ReplicaSet, "shop-1"), world.all(Pod), world.now)
    assert decision.requeue_at == world.now + 10


def test_the_status_counts_pods_under_deletion_apart(world: FakeCluster) -> None:
    world.add(replica_set(1))
    world.settle()
    world.raw(Pod, world.all(Pod)[0].metadata.name)["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    world.settle()
    status = world.one(ReplicaSet, "shop-1").status
    assert (status.replicas, status.terminating_replicas) == (1, 1)
