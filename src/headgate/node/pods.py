"""The life of one pod: network, volumes, init containers, containers, the end.

`PodWorker.run` is one task. Changes of the pod come by `update`; its parts share a `PodContext`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from headgate.api.core import Container, ContainerStatus, Pod, PodStatus

from .containers import ContainerWorker
from .context import PodContext
from .launching import Launcher
from .mounts import mount_paths
from .network_namespaces import NetworkNamespace, NetworkNamespaceError
from .pod_logs import PodLogs, RunLog
from .pod_volumes import PodVolumes
from .status import initial_status, is_terminal, pod_status
from .status_reporter import StatusReporter

#: Seconds until a network namespace that could not be made is tried again.
_RETRY = 1.0
#: Seconds that a container without a process gets to stop waiting, for a volume for example.
_GIVE_UP = 0.5
#: The grace period of a pod that names none.
_DEFAULT_GRACE = 30.0
#: The grace period of a pod that was deleted by force.
_FORCED_GRACE = 1.0


class PodWorker:
    """Runs one pod.

    Args:
        create_namespace: makes the pod's network namespace; None: it runs on the node's network.
    """

    def __init__(
        self, context: PodContext, create_namespace: Callable[[], Awaitable[NetworkNamespace]] | None = None
    ) -> None:
        pod = context.pod
        self.has_ended = False
        self.is_removed = False
        self._context = context
        self._create_namespace = create_namespace
        self._namespace: NetworkNamespace | None = None
        self._began = context.node.clock()
        self._updated = asyncio.Event()
        self._grace: float | None = None
        self._with_hooks = True
        self._volumes = PodVolumes(context)
        self._logs = PodLogs(context.folder / "logs", context.node.clock)
        self._reporter = StatusReporter(context, self.status)
        before = {status.name: status for status in pod.status.container_statuses}
        self._init = [self._worker(container, None) for container in pod.spec.init_containers]
        self._main = [self._worker(container, before.get(container.name)) for container in pod.spec.containers]

    def _worker(self, container: Container, before: ContainerStatus | None) -> ContainerWorker:
        pod = self._context.pod
        mounts = mount_paths(container, self._volumes.folders)
        launcher = Launcher(self._context, container, mounts, lambda: self._volumes.sources)
        return ContainerWorker(self._context, container, launcher, initial_status(pod, container, before))

    @property
    def _workers(self) -> tuple[ContainerWorker, ...]:
        return (*self._init, *self._main)

    # ── calls from outside ───────────────────────────────────────────────────

    @property
    def pod(self) -> Pod:
        """The newest version of the pod."""
        return self._context.pod

    def update(self, pod: Pod) -> None:
        """Take a new version of the pod: its labels changed, or it is to be deleted."""
        self._context.pod = pod
        self._updated.set()
        if pod.metadata.deletion_timestamp is not None:
            seconds = pod.metadata.deletion_grace_period_seconds
            self.stop(_DEFAULT_GRACE if seconds is None else float(seconds))

    def refresh(self) -> None:
        """Update the volumes: a ConfigMap or Secret changed."""
        self._context.sources_changed.set()

    def stop(self, grace: float, *, with_hooks: bool = True) -> None:
        """End all containers within `grace` seconds; of several calls the shortest grace holds."""
        self._grace = grace if self._grace is None else min(grace, self._grace)
        self._with_hooks = self._with_hooks and with_hooks
        self._context.stopping.set()
        self._context.sources_changed.set()
        self._updated.set()

    def remove(self) -> None:
        """End the pod because it was deleted by force: the API does not wait for a graceful end."""
        self.is_removed = True
        self.stop(_FORCED_GRACE)

    @property
    def is_stopping(self) -> bool:
        """Whether the pod is to end."""
        return self._context.stopping.is_set()

    @property
    def is_terminal(self) -> bool:
        """Whether all containers ended by themselves and none is restarted."""
        return is_terminal(msgspec.structs.replace(self.pod, status=self.status()))

    def log(self, container: str, *, previous: bool = False) -> RunLog | None:
        """The log of a container; None if the pod has no such container."""
        worker = next((worker for worker in self._workers if worker.container.name == container), None)
        if worker is None:
            return None
        return RunLog(self._logs, worker, worker.status.restart_count - previous, lambda: self.has_ended)

    def status(self) -> PodStatus:
        """The status as it is now."""
        return pod_status(
            self.pod,
            [worker.status for worker in self._init],
            [worker.status for worker in self._main],
            address=self._context.network.pod_ip,
            host=self._context.network.host_ip,
            started=self._began,
            now=self._context.node.clock(),
            before=self._reporter.reported,
        )

    async def wait_for_update(self) -> None:
        """Wait until the pod changes in the API, or is to be stopped."""
        self._updated.clear()
        await self._updated.wait()

    # ── life ─────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Run from the first status to the last. The caller deletes the pod, if it is to be deleted."""
        stopping = self._context.stopping
        self._context.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._volumes.open()
        reporting = asyncio.ensure_future(self._reporter.run())
        self._context.status_changed.set()
        work = asyncio.ensure_future(self._work())
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.is_set():
                await self._end(work)
            if not work.cancelled():
                await work
        finally:
            for task in (work, stopped, reporting):
                task.cancel()
            await asyncio.gather(work, stopped, reporting, return_exceptions=True)
            self._volumes.close()
            if self._namespace is not None:
                self._namespace.close()
            self.has_ended = True
        await self._reporter.write()

    async def _work(self) -> None:
        beside = [asyncio.ensure_future(self._volumes.keep_tokens())]
        try:
            await self._enter_namespace()
            await self._volumes.prepare()
            beside += [asyncio.ensure_future(self._volumes.keep_published()), asyncio.ensure_future(self._logs.keep())]
            if await self._run_init_containers():
                await self._run_containers()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        if not self.is_stopping:
            self._context.status_changed.set()

    async def _enter_namespace(self) -> None:
        """Wait until the pod has its network namespace, if it is to have one, or is to be stopped."""
        while self._create_namespace is not None and self._namespace is None and not self.is_stopping:
            try:
                self._namespace = await self._create_namespace()
            except NetworkNamespaceError as error:
                self._context.record_event("Warning", "FailedCreatePodSandBox", str(error))
                await asyncio.sleep(_RETRY)
            else:
                self._context.command_prefix = self._namespace.command_prefix

    async def _run_init_containers(self) -> bool:
        """Run the init containers one after another; whether all succeeded and the pod is not to be stopped."""
        may_restart = self.pod.spec.restart_policy != "Never"
        for worker in self._init:
            if self.is_stopping or await worker.run(lambda code: code != 0 and may_restart) != 0:
                return False
            worker.status = msgspec.structs.replace(worker.status, ready=True)
        return not self.is_stopping

    async def _run_containers(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for worker in self._main:
                if worker.status.state.terminated is None:
                    tasks.create_task(worker.run(self._should_restart))

    def _should_restart(self, code: int) -> bool:
        policy = self.pod.spec.restart_policy
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    async def _end(self, work: "asyncio.Future[None]") -> None:
        """Stop all containers; those that have not begun do not begin."""
        while not work.done():
            grace = self._grace or 0.0
            await asyncio.gather(*(worker.stop(grace, with_hooks=self._with_hooks) for worker in self._workers))
            if not any(worker.status.state.running for worker in self._workers):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_GIVE_UP):
                        await asyncio.shield(work)
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work
                return
