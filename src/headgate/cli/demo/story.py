"""The course of the demo: a cluster, the shop, steady traffic, a good release, a bad release."""

import asyncio
import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from headgate.cli.demo import scene, screen
from headgate.cli.demo.report import Ending, Results, Stretch
from headgate.cli.demo.seen import SAMPLE_EVERY, Seen, Step, watch
from headgate.cli.exits import Failed
from headgate.cli.progress import Progress
from headgate.cluster.components import Choices
from headgate.cluster.log_files import last_lines
from headgate.cluster.registry import Registry
from headgate.cluster.running import Cluster, choose, delete, running
from headgate.kube.client import Client
from headgate.traffic import Load, Plan, Request, Target

#: Seconds until Envoy runs and the primary is ready; until a release has ended.
_SET_UP, _RELEASE = 90.0, 120.0
#: Seconds of steady traffic before a release, so that there is something to compare with.
_CALM = 2.0
_ENDED = ("Succeeded", "Failed")


async def play(pace: scene.Pace) -> Results:
    """All of it. Raises `ClusterError` when no cluster can be started, `Failed` when the shop does not come up."""
    async with _throw_away() as cluster, Client.from_kubeconfig(cluster.folder.kubeconfig) as client:
        seen = Seen()
        async with _beside(watch(client, seen)):
            with screen.showing(seen) as refresh:
                async with _beside(_refreshing(refresh)):
                    for document in scene.manifests(pace):
                        await scene.apply(client, document)
                    await _set_up(seen, cluster)
                    return await _releases(client, seen, pace, _target(seen, cluster))


@contextlib.asynccontextmanager
async def _throw_away() -> AsyncIterator[Cluster]:
    """A cluster of our own, gone afterwards with its data."""
    registry = Registry()
    with tempfile.TemporaryDirectory(prefix="headgate-demo-") as folder:
        cluster = choose(registry, f"demo-{os.getpid()}", Path(folder), only_for_us=True)
        try:
            screen.line("Starting a local cluster of its own")
            async with running(cluster, Choices(), Progress()):
                screen.line(f"Applying the manifests of {scene.examples()}")
                yield cluster
        finally:
            delete(registry, cluster)


async def _set_up(seen: Seen, cluster: Cluster) -> None:
    if not await seen.until(lambda: _programmed(seen), _SET_UP):
        raise Failed(f"the Gateway was not Programmed within {_SET_UP:g} s: {_why(seen)}{_logs(cluster)}")
    if not await seen.until(lambda: scene.phase(seen.canary) == "Initialized", _SET_UP):
        events = "; ".join(seen.events[-2:]) or "no events"
        raise Failed(f"the Canary was not Initialized within {_SET_UP:g} s: {events}{_logs(cluster)}")


def _programmed(seen: Seen) -> bool:
    conditions = seen.gateway.status.conditions if seen.gateway else ()
    addressed = bool(seen.gateway and seen.gateway.status.addresses)
    return addressed and any(each.type == "Programmed" and each.status == "True" for each in conditions)


def _why(seen: Seen) -> str:
    conditions = seen.gateway.status.conditions if seen.gateway else ()
    return "; ".join(f"{each.type}={each.status} {each.reason}: {each.message}" for each in conditions) or "no status"


def _logs(cluster: Cluster) -> str:
    """The logs are in a folder that is about to go, so their last lines are said now."""
    parts = [(name, last_lines(cluster.folder.log(name), 3)) for name in ("controller", "node", "workloads", "api")]
    return "".join(f"\n{name}: {line}" for name, lines in parts for line in lines)


def _target(seen: Seen, cluster: Cluster) -> Target:
    if seen.gateway is None:
        raise Failed("the Gateway is gone")
    port = scene.PORT if cluster.low_ports else scene.PORT + 10_000
    return Target(seen.gateway.status.addresses[0].value, port, host=scene.HOST)


async def _releases(client: Client, seen: Seen, pace: scene.Pace, target: Target) -> Results:
    began = time.monotonic()
    load = Load(target, Plan(rate=pace.rate, connections=32, timeout=5.0), [Request("/version")])
    sending = asyncio.create_task(load.run(seen.tally.add))
    try:
        endings = []
        for new in (scene.GOOD, scene.BAD):
            await asyncio.sleep(_CALM)
            endings.append(await _release(client, seen, new))
        await asyncio.sleep(_CALM)
        load.stop()
        await sending
    finally:
        sending.cancel()
    return Results(tuple(endings), seen.tally.copy(), time.monotonic() - began)


async def _release(client: Client, seen: Seen, new: scene.Release) -> Ending:
    """Release a version and wait for the end of its rollout, or for the deadline."""
    seen.say(f"releasing {new.version}: {new.about}")
    before, phases, steps, began = seen.tally.copy(), len(seen.phases), len(seen.steps), time.monotonic()
    await scene.release(client, new)

    def ended() -> bool:
        started = seen.phases[phases:]
        return bool(started) and started[-1] in _ENDED and seen.weights == (100, 0)

    await seen.until(ended, _RELEASE)
    traffic = seen.tally.since(before)
    return Ending(
        new, scene.phase(seen.canary), seen.weights, time.monotonic() - began, traffic, _stretches(seen.steps[steps:])
    )


def _stretches(steps: Sequence[Step]) -> tuple[Stretch, ...]:
    """What was sent from one step to the next, for steps that gave the canary a share."""
    return tuple(
        Stretch(step.weights, following.before.since(step.before))
        for step, following in itertools.pairwise(steps)
        if step.weights[1]
    )


async def _refreshing(refresh: Callable[[], None]) -> None:
    while True:
        refresh()
        await asyncio.sleep(SAMPLE_EVERY)


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` while the block runs; its error, if it had one, comes out of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
