"""Leader election: the replica that holds the Lease works, and its pod has the label that the Service selects."""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from headgate.api.core import Pod
from headgate.api.meta import Key
from headgate.cli.exits import Failed
from headgate.cli.running import in_background
from headgate.kube.client import ApiError, Client
from headgate.kube.leases import LeaderElector

_log = structlog.get_logger("headgate.controller")

LEASE = "headgate-controller"
#: The label of the holder's pod; Envoys reach the controller through a Service that selects it.
LEADER = "headgate.dev/leader"
_SAME_RELEASE = ("app.kubernetes.io/name", "app.kubernetes.io/instance")


class SoleReplica:
    """The only replica, which always leads."""

    def is_leader(self) -> bool:
        """Always."""
        return True

    async def run(self, on_started_leading: Callable[[], None]) -> None:
        """Call `on_started_leading` at once, then wait until cancelled."""
        on_started_leading()
        await asyncio.Event().wait()


class Leadership:
    """Leads while it holds the Lease, and ends the process when the Lease is lost.

    After a change of the leader each replica knows only a part of what Envoys reported. A restart is the simplest way
    back to a complete world: Kubernetes starts the container again.
    """

    def __init__(self, client: Client, namespace: str, identity: str, pod: str) -> None:
        self._client = client
        # A container of a pod starts when the previous one has ended, and no name of a pod has an underscore.
        self._elector = LeaderElector(client, Key(namespace, LEASE), identity, dead_prefix=f"{pod}_" if pod else "")
        self._pod = Key(namespace, pod) if pod else None
        self._leads = False

    def is_leader(self) -> bool:
        """Whether this replica may write: it has begun to lead, and its Lease is valid by the clock."""
        return self._leads and self._elector.is_leader

    async def run(self, on_started_leading: Callable[[], None]) -> None:
        """Acquire the Lease and hold it until cancelled; `on_started_leading` is called once it is held.

        Raises:
            Failed: the Lease was lost to another replica.
        """
        async with in_background(self._elector.run()):
            await self._elector.until_held()
            await self._add_label()
            self._leads = True
            on_started_leading()
            try:
                await self._elector.until_lost()
            finally:
                await self._remove_label()
            raise Failed("the Lease was lost to another replica")

    async def _add_label(self) -> None:
        if self._pod is None:
            return
        me = await self._client.get(Pod, self._pod.name, self._pod.namespace)
        ours = {name: value for name, value in me.metadata.labels.items() if name in _SAME_RELEASE}
        selector = ",".join(f"{name}={value}" for name, value in (*ours.items(), (LEADER, "true")))
        for other in (await self._client.list(Pod, self._pod.namespace, label_selector=selector)).items:
            if other.key != self._pod:
                await self._label(other.key, None)  # it ended without removing its label
        await self._label(self._pod, "true")

    async def _remove_label(self) -> None:
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
