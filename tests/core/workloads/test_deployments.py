"""Deployment -> ReplicaSets."""

from __future__ import annotations

import pytest

from headgate.api.apps import DeploymentCondition
from headgate.api.core import Pod
from headgate.workloads.pods import is_ready
from headgate.workloads.views import Deployment, ReplicaSet
from support.fake_cluster import FakeCluster, deployment, release


@pytest.fixture
def world() -> FakeCluster:
    return FakeCluster()


def run(world: FakeCluster, *, ready: bool = True) -> None:
    """Pods start and end as soon as they may, until nothing moves any more."""
    for _ in range(100):
        world.settle()
        waiting = [pod for pod in world.all(Pod) if not pod.status.phase or pod.metadata.deletion_timestamp]
        if not waiting:
            return
        for pod in waiting:
            if pod.metadata.deletion_timestamp:
                world.gone(pod.metadata.name)
            else:
                world.start(pod.metadata.name, ready=ready)
    raise AssertionError("pods still come and go")


def condition(world: FakeCluster, type_: str) -> DeploymentCondition:
    return next(c for c in world.one(Deployment, "shop").status.conditions if c.type == type_)


def images(world: FakeCluster) -> list[str]:
    return sorted(pod.spec.containers[0].image for pod in world.all(Pod))


def sizes(world: FakeCluster) -> dict[str, int]:
    """Image version -> replicas asked for."""
    return {rs.spec.template["spec"]["containers"][0]["image"]: rs.spec.replicas for rs in world.all(ReplicaSet)}


def test_a_deployment_becomes_one_replica_set_with_its_hash_in_name_labels_and_selector(world: FakeCluster) -> None:
    world.add(deployment(replicas=2))
    world.settle()
    (rs,) = world.all(ReplicaSet)
    label = rs.metadata.labels["pod-template-hash"]
    assert rs.metadata.name == f"shop-{label}"
    assert rs.spec.selector.match_labels == {"app": "shop", "pod-template-hash": label}
    assert all(pod.metadata.labels["pod-template-hash"] == label for pod in world.all(Pod))


def test_it_has_as_many_pods_as_replicas(world: FakeCluster) -> None:
    world.add(deployment(replicas=3))
    run(world)
    assert images(world) == ["shop:1.0"] * 3


def test_fields_that_nobody_here_knows_reach_the_pods(world: FakeCluster) -> None:
    body = deployment(replicas=1)
    body["spec"]["template"]["spec"]["tolerations"] = [{"key": "x", "operator": "Exists"}]
    world.add(body)
    world.settle()
    (pod,) = world.all(Pod)
    assert world.raw(Pod, pod.metadata.name)["spec"]["tolerations"] == [{"key": "x", "operator": "Exists"}]


def test_a_release_ends_with_pods_of_the_new_version_only(world: FakeCluster) -> None:
    world.add(deployment(replicas=3))
    run(world)
    release(world, "2.0")
    run(world)
    assert images(world) == ["shop:2.0"] * 3
    assert sizes(world) == {"shop:1.0": 0, "shop:2.0": 3}


def test_a_release_that_never_gets_ready_keeps_enough_old_pods(world: FakeCluster) -> None:
    world.add(deployment(replicas=4))
    run(world)
    release(world, "2.0")
    run(world, ready=False)
    assert sizes(world) == {"shop:1.0": 3, "shop:2.0": 2}
    assert sum(is_ready(pod) for pod in world.all(Pod)) == 3


def test_a_complete_rollout_says_new_replica_set_available(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    progressing = condition(world, "Progressing")
    assert (progressing.status, progressing.reason) == ("True", "NewReplicaSetAvailable")
    (rs,) = world.all(ReplicaSet)
    assert progressing.message == f'ReplicaSet "{rs.metadata.name}" has successfully progressed.'


def test_a_created_replica_set_is_announced_before_its_first_pod_is_up(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    world.step()
    assert condition(world, "Progressing").reason == "NewReplicaSetCreated"


def test_pods_that_appear_are_progress(world: FakeCluster) -> None:
    world.add(deployment(replicas=2))
    world.settle()
    assert condition(world, "Progressing").reason == "ReplicaSetUpdated"


def test_a_rollout_without_progress_exceeds_its_deadline(world: FakeCluster) -> None:
    world.add(deployment(replicas=1, progressDeadlineSeconds=30))
    run(world, ready=False)
    world.now += 31
    world.settle()
    progressing = condition(world, "Progressing")
    assert (progressing.status, progressing.reason) == ("False", "ProgressDeadlineExceeded")


def test_the_decision_asks_to_be_made_again_at_the_deadline(world: FakeCluster) -> None:
    world.add(deployment(replicas=1, progressDeadlineSeconds=30))
    run(world, ready=False)
    (first, *_) = world.decisions()
    assert first.requeue_at == world.now + 30


def test_a_pod_that_fails_after_the_rollout_exceeds_no_deadline(world: FakeCluster) -> None:
    world.add(deployment(replicas=1, progressDeadlineSeconds=30))
    run(world)
    (pod,) = world.all(Pod)
    world.start(pod.metadata.name, ready=False)
    world.settle()
    world.now += 100
    world.settle()
    assert condition(world, "Progressing").reason == "NewReplicaSetAvailable"


def test_a_late_success_takes_the_exceeded_deadline_back(world: FakeCluster) -> None:
    world.add(deployment(replicas=1, progressDeadlineSeconds=30))
    run(world, ready=False)
    world.now += 31
    world.settle()
    (pod,) = world.all(Pod)
    world.start(pod.metadata.name)
    world.settle()
    assert condition(world, "Progressing").reason == "NewReplicaSetAvailable"


def test_available_turns_true_with_the_minimum_of_pods(world: FakeCluster) -> None:
    world.add(deployment(replicas=4))
    world.settle()
    assert condition(world, "Available").reason == "MinimumReplicasUnavailable"
    for pod in world.all(Pod)[:3]:
        world.start(pod.metadata.name)
    world.settle()
    assert condition(world, "Available").reason == "MinimumReplicasAvailable"


def test_min_ready_seconds_delays_availability(world: FakeCluster) -> None:
    world.add(deployment(replicas=1, minReadySeconds=10))
    run(world)
    status = world.one(Deployment, "shop").status
    assert (status.ready_replicas, status.available_replicas) == (1, 0)
    world.now += 10
    world.settle()
    assert world.one(Deployment, "shop").status.available_replicas == 1


def test_the_status_counts_old_and_new_pods(world: FakeCluster) -> None:
    world.add(deployment(replicas=4))
    run(world)
    release(world, "2.0")
    run(world, ready=False)
    status = world.one(Deployment, "shop").status
    assert (status.replicas, status.updated_replicas, status.available_replicas, status.unavailable_replicas) == (
        5,
        2,
        3,
        2,
    )
    assert status.observed_generation == 2


def test_recreate_starts_new_pods_only_when_the_old_ones_are_gone(world: FakeCluster) -> None:
    world.add(deployment(replicas=2, strategy={"type": "Recreate"}))
    run(world)
    release(world, "2.0")
    world.settle()
    assert images(world) == ["shop:1.0"] * 2, "the old ones are still ending"
    run(world)
    assert images(world) == ["shop:2.0"] * 2


def test_a_paused_deployment_rolls_nothing_out(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    world.edit(Deployment, "shop", {"spec": {"paused": True}})
    release(world, "2.0")
    run(world)
    assert images(world) == ["shop:1.0"]
    assert condition(world, "Progressing").reason == "DeploymentPaused"


def test_a_paused_deployment_still_scales(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    world.edit(Deployment, "shop", {"spec": {"paused": True, "replicas": 3}})
    run(world)
    assert len(world.all(Pod)) == 3


def test_a_resumed_deployment_rolls_out(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    world.edit(Deployment, "shop", {"spec": {"paused": True}})
    release(world, "2.0")
    run(world)
    world.edit(Deployment, "shop", {"spec": {"paused": False}})
    run(world)
    assert images(world) == ["shop:2.0"]
    assert condition(world, "Progressing").reason == "NewReplicaSetAvailable"


def test_scaling_to_zero_removes_all_pods(world: FakeCluster) -> None:
    world.add(deployment(replicas=3))
    run(world)
    world.edit(Deployment, "shop", {"spec": {"replicas": 0}})
    run(world)
    assert world.all(Pod) == []


def test_scaling_within_a_rollout_shares_the_change(world: FakeCluster) -> None:
    world.add(deployment(replicas=4))
    run(world)
    release(world, "2.0")
    run(world, ready=False)
    world.edit(Deployment, "shop", {"spec": {"replicas": 8}})
    world.settle()
    assert sizes(world) == {"shop:1.0": 6, "shop:2.0": 4}


def test_each_release_gets_the_next_revision(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    release(world, "2.0")
    run(world)
    assert world.one(Deployment, "shop").metadata.annotations["deployment.kubernetes.io/revision"] == "2"


def test_an_old_template_gets_its_replica_set_back_under_a_new_revision(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    release(world, "2.0")
    run(world)
    release(world, "1.0")
    run(world)
    old = next(rs for rs in world.all(ReplicaSet) if rs.spec.replicas)
    assert len(world.all(ReplicaSet)) == 2
    assert old.metadata.annotations["deployment.kubernetes.io/revision"] == "3"
    assert old.metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"


def test_history_beyond_its_limit_is_deleted_oldest_first(world: FakeCluster) -> None:
    world.add(deployment(replicas=1, revisionHistoryLimit=1))
    for version in ("1.0", "2.0", "3.0"):
        release(world, version)
        run(world)
    assert sizes(world) == {"shop:2.0": 0, "shop:3.0": 1}


def test_an_orphaned_replica_set_that_matches_is_adopted(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    (rs,) = world.all(ReplicaSet)
    world.raw(ReplicaSet, rs.metadata.name)["metadata"]["ownerReferences"] = []
    run(world)
    (again,) = world.all(ReplicaSet)
    assert again.metadata.uid == rs.metadata.uid
    assert again.metadata.owner_references[0].name == "shop"


def test_a_replica_set_of_somebody_else_with_the_same_name_counts_as_a_collision(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    (rs,) = world.all(ReplicaSet)
    world.remove(Deployment, "shop")
    run(world)
    stranger = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": rs.metadata.name}}
    world.add({**stranger, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "other"}}}})
    world.add(deployment(replicas=1))
    run(world)
    assert world.one(Deployment, "shop").status.collision_count == 1
    assert images(world) == ["shop:1.0"]


def test_the_default_of_an_absent_field_is_no_new_revision(world: FakeCluster) -> None:
    world.add(deployment(replicas=1))
    run(world)
    world.edit(Deployment, "shop", {"metadata": {"labels": {"team": "a"}}})
    template = deployment()["spec"]["template"]
    template["metadata"]["creationTimestamp"] = None
    world.raw(Deployment, "shop")["spec"]["template"] = template
    run(world)
    assert len(world.all(ReplicaSet)) == 1


def test_scaling_is_said_in_events(world: FakeCluster) -> None:
    body = world.add(deployment(replicas=2))
    world.settle()
    (rs,) = world.all(ReplicaSet)
    assert body["kind"] == "Deployment"
    assert f"ScalingReplicaSet: Scaled up replica set {rs.metadata.name} from 0 to 2" in world.events
