"""Which replica of the controller works: the holder of a Lease, whose pod bears the label that the Service selects."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import structlog

from headgate.api.core import Pod
from headgate.api.meta import Key
from headgate.cli.exits import Failed
from headgate.kube.client import ApiError, Client
from headgate.kube.leases import LeaderElector

_log = structlog.get_logger("headgate.controller")

LEASE = "headgate-controller"
#: The label of the holder's pod; Envoys reach the controller through a Service that selects it.
LEADER = "headgate.dev/leader"
_SAME_RELEASE = ("app.kubernetes.io/name", "app.kubernetes.io/instance")


class Always:
    """There is one replica only, so it always works."""

    holding = True

    async def work(self, took: Callable[[], None]) -> None:
        """Begin at once."""
        took()
        await asyncio.Event().wait()


class ByLease:
    """Works while it holds the Lease, and ends the process when it is lost.

    A controller that has lost its Lease has half of the facts, and so has the one that took it; a fresh start is the
    way back to a whole world, and whoever runs controllers starts them again.
    """

    def __init__(self, client: Client, namespace: str, identity: str, pod: str) -> None:
        self._client = client
        # A container of a pod starts when the one before it is dead; no pod has an underscore in its name.
        self._holder = LeaderElector(client, Key(namespace, LEASE), identity, dead_prefix=f"{pod}_" if pod else "")
        self._pod = Key(namespace, pod) if pod else None

    @property
    def holding(self) -> bool:
        """Whether this replica may write, by the clock."""
        return self._holder.is_leader

    async def work(self, took: Callable[[], None]) -> None:
        """Hold the Lease until cancelled; `took` is called when it is ours.

        Raises:
            Failed: somebody else took the Lease.
        """
        async with _background(self._holder.run()):
            await self._holder.until_held()
            await self._take_label()
            took()
            try:
                await self._holder.until_lost()
            finally:
                await self._drop_label()
            raise Failed("the Lease was lost: another replica works now")

    async def _take_label(self) -> None:
        if self._pod is None:
            return
        me = await self._client.get(Pod, self._pod.name, self._pod.namespace)
        ours = {name: value for name, value in me.metadata.labels.items() if name in _SAME_RELEASE}
        selector = ",".join(f"{name}={value}" for name, value in (*ours.items(), (LEADER, "true")))
        for other in (await self._client.list(Pod, self._pod.namespace, label_selector=selector)).items:
            if other.key != self._pod:
                await self._label(other.key, None)  # it died with the label on
        await self._label(self._pod, "true")

    async def _drop_label(self) -> None:
        if self._pod is not None:
            with contextlib.suppress(ApiError, TimeoutError):
                async with asyncio.timeout(3):
                    await self._label(self._pod, None)

    async def _label(self, pod: Key, value: str | None) -> None:
        try:
            await self._client.merge_patch(Pod, pod.name, pod.namespace, {"metadata": {"labels": {LEADER: value}}})
        except ApiError as error:
            if error.status != 404:
                raise


@contextlib.asynccontextmanager
async def _background(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
