"""Sends the notifications of rollouts (alerts, event webhooks) beside the reconcile loop, so that none delays it."""

import asyncio
from collections import deque
from typing import Any, Protocol

import structlog

from headgate.api.core import ObjectReference
from headgate.api.delivery import Canary
from headgate.api.meta import Key, Object
from headgate.kube.events import reference_of
from headgate.rollout.effects import Notify
from headgate.rollout.queries import HTTPResponse, NoResponse

from .rollout_queries import QueryRunner

_log = structlog.get_logger("headgate.controllers.rollout")

#: The reason of the events, as dashboards and scripts for Flagger expect it.
REASON = "Synced"
#: Notifications of one Canary that wait; if its receivers are slower, the oldest are dropped.
MAX_WAITING = 100


class Recorder(Protocol):
    """Records events on objects."""

    def event(self, about: ObjectReference | Object, type: Any, reason: str, message: str) -> None:
        """Record an event."""


class Notifier:
    """Sends the notifications of each Canary in order, those of different Canaries at the same time.

    A notification that fails is not repeated; it becomes an event of the Canary.

    Args:
        tasks: where the senders run; they end with it.
    """

    def __init__(self, runner: QueryRunner, recorder: Recorder, tasks: asyncio.TaskGroup) -> None:
        self._runner = runner
        self._recorder = recorder
        self._tasks = tasks
        self._waiting: dict[Key, deque[Notify]] = {}

    def send(self, canary: Canary, notifications: tuple[Notify, ...]) -> None:
        """Queue notifications about a Canary."""
        if not notifications:
            return
        if canary.key in self._waiting:
            self._waiting[canary.key].extend(notifications)
            return
        self._waiting[canary.key] = deque(notifications, maxlen=MAX_WAITING)
        self._tasks.create_task(self._send_all(canary))

    async def _send_all(self, canary: Canary) -> None:
        waiting = self._waiting[canary.key]
        while waiting:
            notification = waiting.popleft()
            try:
                response: HTTPResponse | NoResponse = await self._runner.send(notification.request)
            except Exception:
                _log.exception("notification failed", canary=str(canary.key), notification=notification.name)
                continue
            if isinstance(response, NoResponse):
                self._failed(canary, notification, response.error)
            elif not 200 <= response.status < 300:
                excerpt = response.body.decode("utf-8", "replace")[:300]
                self._failed(canary, notification, f"status {response.status} {excerpt}".rstrip())
        del self._waiting[canary.key]

    def _failed(self, canary: Canary, notification: Notify, error: str) -> None:
        self._recorder.event(reference_of(canary), "Warning", REASON, f"{notification.name} could not be sent: {error}")
