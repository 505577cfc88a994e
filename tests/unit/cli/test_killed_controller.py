"""The controller killed in each phase of a rollout: the rollout ends as it should, and no request notices."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from headgate.cli.demo import scene
from headgate.cli.demo.seen import Seen, watch, who_answered
from headgate.cluster import processes
from headgate.cluster.places import Folder
from headgate.kube.client import Client
from headgate.traffic import Load, Outcome, Plan, Request, Target
from support.local_cluster import LocalCluster

#: Seconds around a change of weights in which old and new ones mix: the change itself and answers on their way.
MIXED = 0.5
#: Requests from which on a share says something, and how far it may be off: 5 standard deviations of 50 % at 200.
ENOUGH, OFF = 200, 0.18


@dataclass
class Run:
    """One release: what was seen, and each answer with its time."""

    seen: Seen
    began: float = 0.0
    answers: list[tuple[float, str]] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    weights: list[tuple[float, int]] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        self.answers.append((outcome.due + outcome.latency, who_answered(outcome)))
        if not outcome.succeeded:
            self.failed.append(outcome)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("killed")) as running:
        asyncio.run(set_up(running))
        yield running


async def set_up(cluster: LocalCluster) -> None:
    async with Client.from_kubeconfig(cluster.kubeconfig) as client:
        seen = Seen()
        watching = asyncio.create_task(watch(client, seen))
        try:
            for document in scene.manifests(scene.FAST):
                await scene.apply(client, document)
            assert await seen.until(lambda: scene.phase(seen.canary) == "Initialized", 60), seen.events
            assert await seen.until(lambda: bool(seen.gateway and seen.gateway.status.addresses), 30)
        finally:
            watching.cancel()


def kill_controller(cluster: LocalCluster) -> None:
    record = processes.read(Folder(cluster.data).processes / "controller.json")
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)


async def release(cluster: LocalCluster, new: scene.Release, when: str) -> Run:
    """Release a version; kill the controller at the moment when a phase or weights are said; wait for the end."""
    async with Client.from_kubeconfig(cluster.kubeconfig) as client:
        seen = Seen()
        run = Run(seen)
        watching = asyncio.create_task(watch(client, seen))
        try:
            assert await seen.until(lambda: seen.canary is not None and seen.weights == (100, 0), 30)
            assert await seen.until(lambda: bool(seen.gateway and seen.gateway.status.addresses), 30)
            assert seen.gateway is not None
            before, killed = len(seen.phases), list[str]()

            def said(text: str) -> None:
                if text.startswith("weights "):
                    run.weights.append(
                        (asyncio.get_running_loop().time() - run.began, int(text.rsplit(maxsplit=1)[-1]))
                    )
                if text == when and not killed:
                    killed.append(text)
                    kill_controller(cluster)

            seen.listeners.append(said)
            target = Target(seen.gateway.status.addresses[0].value, port(cluster), host=scene.HOST)
            load = Load(target, Plan(rate=200, connections=16), [Request("/version")])
            run.began = asyncio.get_running_loop().time()
            sending = asyncio.create_task(load.run(run.take))
            await scene.release(client, new)
            ended = await seen.until(
                lambda: seen.phases[before:][-1:] in (["Succeeded"], ["Failed"]) and seen.weights == (100, 0), 90
            )
            load.stop()
            await sending
            assert killed, f"never: {when}; {seen.phases}"
            assert ended, (seen.phases, seen.events[-3:])
            return run
        finally:
            watching.cancel()


def port(cluster: LocalCluster) -> int:
    return 10080 if "10080" in cluster.up.output() else 80


def too_much(run: Run) -> list[tuple[float, int, float]]:
    """Stretches between two changes of weights in which the canary got more than the larger of both."""
    found = []
    changes = [(0.0, 0), *run.weights, (run.answers[-1][0] + 2 * MIXED, 0)]
    for (begin, weight), (end, following) in pairwise(changes):
        within = [who for at, who in run.answers if begin + MIXED < at < end - MIXED]
        share = within.count("canary") / len(within) if within else 0.0
        allowed = max(weight, following) / 100 if end - begin < 2 * MIXED else weight / 100
        if (len(within) >= ENOUGH and share > allowed + OFF) or (weight == 0 and "canary" in within):
            found.append((begin, weight, share))
    return found


MOMENTS = ("phase Progressing", "weights 75 / 25", "weights 50 / 50", "phase Promoting", "phase Finalising")


@pytest.mark.parametrize("when", MOMENTS)
def test_a_good_release_is_promoted_although_the_controller_was_killed(cluster: LocalCluster, when: str) -> None:
    version = f"1.{MOMENTS.index(when) + 1}.0"
    run = asyncio.run(release(cluster, scene.Release(version, (), "Succeeded", "good"), when))
    assert run.seen.phases[-1] == "Succeeded", "\n".join(run.seen.events)
    assert [outcome.failure or outcome.status for outcome in run.failed] == []
    assert too_much(run) == []


def test_a_bad_release_is_rolled_back_although_the_controller_was_killed(cluster: LocalCluster) -> None:
    run = asyncio.run(release(cluster, scene.BAD, "weights 75 / 25"))
    assert run.seen.phases[-1] == "Failed"
    assert {who_answered(outcome) for outcome in run.failed} == {"canary"}
    assert too_much(run) == []
