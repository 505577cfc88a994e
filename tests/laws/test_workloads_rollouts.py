"""Laws of rolling updates: they end, within their bounds, whatever order pods start and end in."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.api.core import Pod
from headgate.workloads import rolling
from headgate.workloads.pods import is_active, is_available
from headgate.workloads.views import Deployment, ReplicaSet
from support.fake_cluster import FakeCluster, deployment, release

amounts = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "50%", "100%"]))
strategies = st.fixed_dictionaries({"maxSurge": amounts, "maxUnavailable": amounts}).filter(
    lambda update: any(value not in (0, "0%") for value in update.values())
)


def updated(replicas: int, update: dict[str, int | str], min_ready_seconds: int = 0) -> FakeCluster:
    """A world in which everything runs, and a new version was just asked for."""
    world = FakeCluster()
    strategy = {"type": "RollingUpdate", "rollingUpdate": update}
    world.add(deployment(replicas=replicas, strategy=strategy, minReadySeconds=min_ready_seconds))
    _finish(world)
    release(world, "2.0")
    return world


def _moves(world: FakeCluster) -> list[Pod]:
    """Pods that may start (without phase) or end (under deletion)."""
    return [pod for pod in world.all(Pod) if not pod.status.phase or pod.metadata.deletion_timestamp]


def _move(world: FakeCluster, pod: Pod) -> None:
    if pod.metadata.deletion_timestamp:
        world.gone(pod.metadata.name)
    else:
        world.start(pod.metadata.name)


def _finish(world: FakeCluster) -> None:
    for _ in range(300):
        world.settle()
        world.now += 5
        if moves := _moves(world):
            _move(world, moves[0])
        elif not world.step():
            return
    raise AssertionError("it never ends")


def _available(world: FakeCluster) -> int:
    wait = world.one(Deployment, "shop").spec.min_ready_seconds
    return sum(is_active(pod) and is_available(pod, wait, world.now) for pod in world.all(Pod))


@settings(max_examples=60, deadline=None)
@given(replicas=st.integers(0, 6), update=strategies, choices=st.data())
def test_every_rollout_converges_within_its_bounds(
    replicas: int, update: dict[str, int | str], choices: st.DataObject
) -> None:
    world = updated(replicas, update)
    limits = rolling.bounds(world.one(Deployment, "shop"))
    for _ in range(300):
        busy = world.step()
        assert sum(is_active(pod) for pod in world.all(Pod)) <= replicas + limits.max_surge
        assert _available(world) >= replicas - limits.max_unavailable
        moves = _moves(world)
        moving: bool = bool(moves) and choices.draw(st.booleans(), label="a pod moves")
        if moving:
            _move(world, choices.draw(st.sampled_from(moves), label="which"))
        elif not moves and not busy:
            break
    else:
        _finish(world)
    assert {rs.spec.template["spec"]["containers"][0]["image"] for rs in world.all(ReplicaSet) if rs.spec.replicas} <= {
        "shop:2.0"
    }
    assert sum(is_active(pod) for pod in world.all(Pod)) == replicas


@settings(max_examples=30, deadline=None)
@given(replicas=st.integers(1, 5), update=strategies, wait=st.sampled_from([0, 10]), choices=st.data())
def test_deciding_twice_on_the_same_objects_gives_the_same_effects(
    replicas: int, update: dict[str, int | str], wait: int, choices: st.DataObject
) -> None:
    world = updated(replicas, update, wait)
    for _ in range(choices.draw(st.integers(0, 6))):
        world.step()
        if moves := _moves(world):
            _move(world, choices.draw(st.sampled_from(moves)))
    assert list(world.decisions()) == list(world.decisions())


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, 6), second=st.integers(0, 6), update=strategies, moved=st.integers(0, 5))
def test_scaling_in_the_middle_of_a_rollout_ends_at_the_new_number(
    first: int, second: int, update: dict[str, int | str], moved: int
) -> None:
    world = updated(first, update)
    for _ in range(moved):
        world.step()
        for pod in _moves(world)[:1]:
            _move(world, pod)
    world.edit(Deployment, "shop", {"spec": {"replicas": second}})
    _finish(world)
    assert [pod.spec.containers[0].image for pod in world.all(Pod) if is_active(pod)] == ["shop:2.0"] * second
    status = world.one(Deployment, "shop").status
    assert (status.replicas, status.updated_replicas) == (second, second)


@settings(max_examples=30, deadline=None)
@given(versions=st.lists(st.sampled_from(["1.0", "2.0", "3.0"]), min_size=1, max_size=4), steps=st.integers(0, 4))
def test_a_release_in_the_middle_of_another_ends_at_the_last_one(versions: list[str], steps: int) -> None:
    world = updated(3, {"maxSurge": 1, "maxUnavailable": 1})
    for version in versions:
        release(world, version)
        for _ in range(steps):
            world.step()
            for pod in _moves(world)[:1]:
                _move(world, pod)
    _finish(world)
    assert [pod.spec.containers[0].image for pod in world.all(Pod)] == [f"shop:{versions[-1]}"] * 3
