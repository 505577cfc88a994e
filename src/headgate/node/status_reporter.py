"""Writes the status of one pod to the API: the newest one, after each change."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from headgate.api.core import Pod, PodStatus
from headgate.kube.client import ApiError

from .context import PodContext

_log = structlog.get_logger("headgate.node")

#: Seconds until a write that failed is tried again.
_RETRY = 1.0


class StatusReporter:
    """Reports the status of one pod. `current` computes it; `reported` is what the API has."""

    def __init__(self, context: PodContext, current: Callable[[], PodStatus]) -> None:
        self.reported: PodStatus = context.pod.status
        self._context = context
        self._current = current

    async def run(self) -> None:
        """Write the status after each change, until cancelled."""
        while True:
            await self._context.status_changed.wait()
            self._context.status_changed.clear()
            if not await self.write():
                await asyncio.sleep(_RETRY)
                self._context.status_changed.set()

    async def write(self) -> bool:
        """Patch the status if it differs from the reported one; False if that has to be tried again."""
        status = self._current()
        if status == self.reported:
            return True
        pod = self._context.pod
        # With the uid the API rejects a patch of another pod of the same name.
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": _complete(status)}
        try:
            await self._context.node.client.merge_patch(
                Pod, pod.metadata.name, pod.metadata.namespace, patch, subresource="status"
            )
        except ApiError as error:
            if error.status in (404, 409):
                return True
            _log.warning("pod status not written, retrying", pod=str(pod.key), error=str(error))
            return False
        self.reported = status
        return True


def _complete(status: PodStatus) -> dict[str, Any]:
    """The status for a merge patch, with the fields that the API requires of each container."""
    body: dict[str, Any] = msgspec.to_builtins(status)
    for name in ("containerStatuses", "initContainerStatuses"):
        body[name] = [_complete_container(container) for container in body.get(name, ())]
    return body


def _complete_container(status: dict[str, Any]) -> dict[str, Any]:
    for state in (status.get("state"), status.get("lastState")):
        if state and "terminated" in state:
            state["terminated"] = {"exitCode": 0, **state["terminated"]}
    return {"ready": False, "restartCount": 0, "image": "", "imageID": "", "lastState": {}, **status}
