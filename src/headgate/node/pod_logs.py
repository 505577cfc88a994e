"""The log files of one pod's containers: their size is bounded, and the times of their lines are known roughly."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from . import log_files, log_times
from .containers import ContainerWorker
from .log_times import LogTimes

#: Seconds between two looks at the size of the logs.
_TRIM_INTERVAL = 10.0


class PodLogs:
    """The logs in a folder, one file per container and run: `<container>.<restart count>.log`."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.times: dict[str, LogTimes] = {}
        self._clock = clock

    async def keep(self) -> None:
        """Note when logs grow, and trim those that are too long, until cancelled."""
        looks = 0
        while True:
            log_times.look(self.folder, self.times, self._clock())
            await asyncio.sleep(log_times.INTERVAL)
            looks += 1
            if looks * log_times.INTERVAL >= _TRIM_INTERVAL:
                looks = 0
                await asyncio.to_thread(log_files.trim, self.folder)


class RunLog:
    """The log of one run of a container.

    Args:
        run: the restart count of that run.
        pod_ended: whether the pod has ended.
    """

    def __init__(self, logs: PodLogs, worker: ContainerWorker, run: int, pod_ended: Callable[[], bool]) -> None:
        self.path = logs.folder / f"{worker.container.name}.{run}.log"
        self._logs = logs
        self._worker = worker
        self._run = run
        self._pod_ended = pod_ended

    def grows(self) -> bool:
        """Whether more may be appended: it is the latest run, and neither it nor the pod has ended."""
        status = self._worker.status
        return status.restart_count == self._run and status.state.terminated is None and not self._pod_ended()

    def since(self, moment: float) -> int:
        """The offset of what was written since then (seconds since 1970)."""
        times = self._logs.times.get(self.path.name)
        return times.offset(moment) if times else 0
