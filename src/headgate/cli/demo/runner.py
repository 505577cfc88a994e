"""Runs the demo: a cluster, the shop, steady traffic, a good release, a bad release."""

import asyncio
import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from headgate.cli.demo import scenario, screen
from headgate.cli.demo.observations import SAMPLE_EVERY, Observations, WeightChange, watch
from headgate.cli.demo.report import ReleaseResult, Results, WeightStep
from headgate.cli.exits import Failed
from headgate.cli.progress import Progress
from headgate.cli.running import in_background
from headgate.cluster.components import ClusterOptions
from headgate.cluster.lifecycle import Cluster, delete_cluster, find_or_register, run_cluster
from headgate.cluster.log_files import last_lines
from headgate.cluster.registry import Registry
from headgate.kube.client import Client
from headgate.traffic import Load, Plan, Request, Target

#: Limits in seconds for the set-up of Envoy and the primary, and for one release.
_SET_UP, _RELEASE = 90.0, 120.0
#: Seconds of steady traffic before each release, as a baseline.
_CALM = 2.0
_ENDED = ("Succeeded", "Failed")


async def run(speed: scenario.Speed) -> Results:
    """Run the demo. Raises `ClusterError` if the cluster does not start, `Failed` if the shop does not become ready."""
    async with _temporary_cluster() as cluster, Client.from_kubeconfig(cluster.folder.kubeconfig) as client:
        observations = Observations()
        async with in_background(watch(client, observations)):
            with screen.display(observations) as refresh:
                async with in_background(_refreshing(refresh)):
                    for document in scenario.manifests(speed):
                        await scenario.apply(client, document)
                    await _set_up(observations, cluster)
                    return await _releases(client, observations, speed, _target(observations, cluster))


@contextlib.asynccontextmanager
async def _temporary_cluster() -> AsyncIterator[Cluster]:
    """A cluster for the block; it is deleted afterwards, with its data."""
    registry = Registry()
    with tempfile.TemporaryDirectory(prefix="headgate-demo-") as folder:
        cluster = find_or_register(registry, f"demo-{os.getpid()}", Path(folder), ephemeral=True)
        try:
            screen.line("Starting a temporary local cluster")
            async with run_cluster(cluster, ClusterOptions(), Progress()):
                screen.line(f"Applying the manifests of {scenario.examples()}")
                yield cluster
        finally:
            delete_cluster(registry, cluster)


async def _set_up(observations: Observations, cluster: Cluster) -> None:
    if not await observations.wait_for(lambda: _programmed(observations), _SET_UP):
        raise Failed(
            f"the Gateway was not Programmed within {_SET_UP:g} s: {_conditions(observations)}{_logs(cluster)}"
        )
    if not await observations.wait_for(lambda: scenario.phase(observations.canary) == "Initialized", _SET_UP):
        events = "; ".join(observations.events[-2:]) or "no events"
        raise Failed(f"the Canary was not Initialized within {_SET_UP:g} s: {events}{_logs(cluster)}")


def _programmed(observations: Observations) -> bool:
    conditions = observations.gateway.status.conditions if observations.gateway else ()
    addressed = bool(observations.gateway and observations.gateway.status.addresses)
    return addressed and any(condition.type == "Programmed" and condition.status == "True" for condition in conditions)


def _conditions(observations: Observations) -> str:
    conditions = observations.gateway.status.conditions if observations.gateway else ()
    return "; ".join(f"{c.type}={c.status} {c.reason}: {c.message}" for c in conditions) or "no status"


def _logs(cluster: Cluster) -> str:
    """The last lines of the logs. Their folder is deleted with the cluster."""
    parts = [(name, last_lines(cluster.folder.log(name), 3)) for name in ("controller", "node", "workloads", "api")]
    return "".join(f"\n{name}: {line}" for name, lines in parts for line in lines)


def _target(observations: Observations, cluster: Cluster) -> Target:
    if observations.gateway is None:
        raise Failed("the Gateway was deleted")
    port = scenario.PORT if cluster.low_ports else scenario.PORT + 10_000
    return Target(observations.gateway.status.addresses[0].value, port, host=scenario.HOST)


async def _releases(client: Client, observations: Observations, speed: scenario.Speed, target: Target) -> Results:
    began = time.monotonic()
    load = Load(target, Plan(rate=speed.rate, connections=32, timeout=5.0), [Request("/version")])
    sending = asyncio.create_task(load.run(observations.tally.add))
    try:
        results = []
        for new in (scenario.GOOD, scenario.BAD):
            await asyncio.sleep(_CALM)
            results.append(await _release(client, observations, new))
        await asyncio.sleep(_CALM)
        load.stop()
        await sending
    finally:
        sending.cancel()
    return Results(tuple(results), observations.tally.copy(), time.monotonic() - began)


async def _release(client: Client, observations: Observations, new: scenario.Release) -> ReleaseResult:
    """Release a version and wait until its rollout has ended, or until the deadline."""
    observations.report(f"releasing {new.version}: {new.description}")
    before, phases, steps, began = (
        observations.tally.copy(),
        len(observations.phases),
        len(observations.steps),
        time.monotonic(),
    )
    await scenario.release(client, new)

    def ended() -> bool:
        started = observations.phases[phases:]
        return bool(started) and started[-1] in _ENDED and observations.weights == (100, 0)

    await observations.wait_for(ended, _RELEASE)
    traffic = observations.tally.since(before)
    return ReleaseResult(
        new,
        scenario.phase(observations.canary),
        observations.weights,
        time.monotonic() - began,
        traffic,
        _weight_steps(observations.steps[steps:]),
    )


def _weight_steps(steps: Sequence[WeightChange]) -> tuple[WeightStep, ...]:
    """The traffic between two weight changes, for weights that gave the canary a share."""
    return tuple(
        WeightStep(step.weights, following.before.since(step.before))
        for step, following in itertools.pairwise(steps)
        if step.weights[1]
    )


async def _refreshing(refresh: Callable[[], None]) -> None:
    while True:
        refresh()
        await asyncio.sleep(SAMPLE_EVERY)
