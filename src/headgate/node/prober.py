"""Runs the probes of a container while its process runs, as a kubelet's prober does."""

import asyncio
from collections.abc import Awaitable, Callable

from headgate.api.core import Container, Probe

from . import probe_actions
from .context import PodContext
from .probe_actions import ProbeTarget
from .probe_thresholds import ProbeState

#: Seconds between two readiness probes of a container that has never been ready. They grow to `periodSeconds`.
_FIRST_PERIOD = 0.1


class Prober:
    """The probes of one run of a container.

    Args:
        set_ready: receives each change of readiness.
        set_started: called when the startup probe has passed.
        restart: ends the process, with the reason for an event; called when a startup or liveness probe has failed.
    """

    def __init__(
        self,
        context: PodContext,
        container: Container,
        target: ProbeTarget,
        *,
        stopping: asyncio.Event,
        set_ready: Callable[[bool], None],
        set_started: Callable[[], None],
        restart: Callable[[str], Awaitable[None]],
    ) -> None:
        self._context = context
        self._container = container
        self._target = target
        self._stopping = stopping
        self._set_ready = set_ready
        self._set_started = set_started
        self._restart = restart

    async def run(self) -> None:
        """Probe until cancelled, or until a probe has ended the process. The startup probe comes before the others."""
        container = self._container
        if container.startup_probe:
            if not await self._passes(container.startup_probe):
                await self._restart(f"Container {container.name} failed startup probe, will be restarted")
                return
            self._set_started()
        async with asyncio.TaskGroup() as tasks:
            if container.readiness_probe:
                tasks.create_task(self._probe_readiness(container.readiness_probe))
            if container.liveness_probe:
                tasks.create_task(self._probe_liveness(container.liveness_probe))

    async def _passes(self, probe: Probe) -> bool:
        """Wait until a startup probe has passed (True) or has reached its `failureThreshold`."""
        state = ProbeState(passed=False)
        await asyncio.sleep(probe.initial_delay_seconds)
        while True:
            state = state.record(probe, await self._probe("Startup", probe))
            if state.passed:
                return True
            if state.has_reached_failure_threshold(probe):
                return False
            await asyncio.sleep(probe.period_seconds)

    async def _probe_readiness(self, probe: Probe) -> None:
        state = ProbeState(passed=False)
        await asyncio.sleep(probe.initial_delay_seconds)
        period = _FIRST_PERIOD
        while True:
            was_ready = state.passed
            state = state.record(probe, await self._probe("Readiness", probe, quiet=period < probe.period_seconds))
            if state.passed != was_ready:
                self._set_ready(state.passed)
            if state.passed:
                period = probe.period_seconds
            await asyncio.sleep(period)
            period = min(period * 1.5, probe.period_seconds)

    async def _probe_liveness(self, probe: Probe) -> None:
        state = ProbeState(passed=True)
        await asyncio.sleep(probe.initial_delay_seconds)
        while True:
            state = state.record(probe, await self._probe("Liveness", probe))
            if state.has_reached_failure_threshold(probe):
                await self._restart(f"Container {self._container.name} failed liveness probe, will be restarted")
                return
            await asyncio.sleep(probe.period_seconds)

    async def _probe(self, kind: str, probe: Probe, *, quiet: bool = False) -> bool:
        failure = await probe_actions.run_probe(probe, self._target, probe.timeout_seconds)
        if failure is not None and not quiet and not self._stopping.is_set():
            self._context.record_event("Warning", "Unhealthy", f"{kind} probe failed: {failure}")
        return failure is None
