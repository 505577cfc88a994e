"""Binds pods without a node to this node, where no scheduler runs."""

import asyncio
from typing import Never

import msgspec
import structlog

from headgate.api.core import Pod
from headgate.api.meta import Key
from headgate.kube.client import ApiError, Client
from headgate.kube.events import EventRecorder
from headgate.kube.watch import Batch

from . import scheduling

_log = structlog.get_logger("headgate.node")
#: Seconds until a binding that failed is tried again.
_RETRY = 1.0


class Binder:
    """`handle_batch` takes the batches of a watch of pods without a node; `run` binds them."""

    def __init__(self, client: Client, node: str, events: EventRecorder) -> None:
        self._client = client
        self._node = node
        self._events = events
        self._pending: dict[Key, Pod] = {}
        self._queue: asyncio.Queue[Key] = asyncio.Queue()

    def handle_batch(self, batch: Batch[Pod]) -> None:
        """Take a batch of the watch."""
        for change in batch.changes:
            if change.object is not None and scheduling.is_schedulable(change.object):
                self._add(change.object)
            else:
                self._pending.pop(change.key, None)

    async def run(self) -> Never:
        """Bind pods until cancelled, one after another."""
        while True:
            pod = self._pending.pop(await self._queue.get(), None)
            if pod is not None:
                await self._bind(pod)

    def _add(self, pod: Pod) -> None:
        self._pending[pod.key] = pod
        self._queue.put_nowait(pod.key)

    async def _bind(self, pod: Pod) -> None:
        about = pod.metadata
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": about.name, "namespace": about.namespace, "uid": about.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._node},
        }
        path = self._client.path(Pod, about.namespace, about.name, "binding")
        try:
            await self._client.request("POST", path, body=msgspec.json.encode(body))
        except ApiError as error:
            if error.status not in (404, 409):  # it was deleted, or has a node
                _log.warning("pod not bound, retrying", pod=str(pod.key), error=str(error))
                asyncio.get_running_loop().call_later(_RETRY, self._add, pod)
            return
        self._events.event(pod, "Normal", "Scheduled", f"Successfully assigned {pod.key} to {self._node}")
