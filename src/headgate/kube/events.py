"""Records Kubernetes events: what happened to an object, for users of `kubectl describe`.

An event with the same object, type, reason and message as an earlier one increases its count, as with client-go. Unlike
client-go, events with different messages are never aggregated ("combined from similar events"), because the steps of a
rollout differ only in their messages. A token bucket per object limits the number of events.

Events are recorded with best effort: `event` neither waits nor raises. One task writes them in order.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

import msgspec
import structlog

from headgate.api.core import Event, EventSource, ObjectReference
from headgate.api.meta import Object, ObjectMeta
from headgate.api.times import rfc3339

from .client import ApiError, Client

_log = structlog.get_logger("headgate.kube.events")

Type = Literal["Normal", "Warning"]

#: An API server deletes events after an hour; a repetition after that is a new event.
MAX_AGE = 3600.0
#: The maximum number of events that are remembered.
_MAX_REMEMBERED = 4096
#: The token bucket of each object: its size in events, and its refill per second.
_BURST, _REFILL = 200.0, 1.0
#: The maximum number of events that wait to be written, while the API cannot be reached; the oldest are dropped first.
_QUEUE = 1000


def reference_of(obj: Object) -> ObjectReference:
    """The reference to an object in its events."""
    return ObjectReference(
        api_version=obj.api_version,
        kind=obj.kind,
        name=obj.metadata.name,
        namespace=obj.metadata.namespace,
        uid=obj.metadata.uid,
        resource_version=obj.metadata.resource_version,
    )


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event that was recorded: its name, its count, and its first and last time (seconds since 1970)."""

    name: str
    count: int
    first: float
    last: float


_Identity = tuple[tuple[str, ...], str, str, str]


class EventCorrelator:
    """Decides whether an event is new, increases the count of an earlier one, or is dropped. Time is a parameter."""

    def __init__(self) -> None:
        self._recorded: OrderedDict[_Identity, RecordedEvent] = OrderedDict()
        self._allowance: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def correlate(
        self, about: ObjectReference, kind: str, reason: str, message: str, now: float
    ) -> RecordedEvent | None:
        """The event with its count, or None if the object has had too many."""
        subject = (about.api_version, about.kind, about.namespace, about.name, about.uid)
        if not self._allowed(subject, now):
            return None
        identity = (subject, kind, reason, message)
        old = self._recorded.pop(identity, None)
        if old is None or now - old.last > MAX_AGE:
            recorded = RecordedEvent(name=f"{about.name}.{int(now * 1e9):x}", count=1, first=now, last=now)
        else:
            recorded = RecordedEvent(name=old.name, count=old.count + 1, first=old.first, last=now)
        self._recorded[identity] = recorded
        if len(self._recorded) > _MAX_REMEMBERED:
            self._recorded.popitem(last=False)
        return recorded

    def _allowed(self, subject: tuple[str, ...], now: float) -> bool:
        left, since = self._allowance.pop(subject, (_BURST, now))
        left = min(_BURST, left + (now - since) * _REFILL)
        allowed = left >= 1.0
        self._allowance[subject] = (left - 1.0 if allowed else left, now)
        if len(self._allowance) > _MAX_REMEMBERED:
            self._allowance.popitem(last=False)
        return allowed


class EventRecorder:
    """Records events of a component; an async context manager that writes the waiting events before it ends."""

    def __init__(self, client: Client, component: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._correlator = EventCorrelator()
        self._waiting: asyncio.Queue[tuple[RecordedEvent, Event]] = asyncio.Queue(_QUEUE)
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def event(self, about: ObjectReference | Object, type: Type, reason: str, message: str) -> None:
        """Record an event of an object. Neither waits nor raises; needs a running event loop."""
        if isinstance(about, Object):
            about = reference_of(about)
        recorded = self._correlator.correlate(about, type, reason, message, self._clock())
        if recorded is None:
            return
        if self._waiting.full():
            self._waiting.get_nowait()
            self._waiting.task_done()
        self._waiting.put_nowait((recorded, self._event(recorded, about, type, reason, message)))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def flush(self, timeout: float = 5.0) -> None:
        """Wait until all events are written, at most `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._waiting.join()

    async def close(self) -> None:
        """Write the waiting events, then stop."""
        await self.flush()
        self.abandon()

    def abandon(self) -> None:
        """Stop now; waiting events are lost."""
        if self._writer:
            self._writer.cancel()

    def _event(self, recorded: RecordedEvent, about: ObjectReference, kind: str, reason: str, message: str) -> Event:
        return Event(
            # Events of objects without a namespace live in `default`.
            metadata=ObjectMeta(name=recorded.name, namespace=about.namespace or "default"),
            involved_object=about,
            reason=reason,
            message=message[:1024],
            type=kind,
            source=EventSource(component=self._component),
            reporting_component=self._component,
            first_timestamp=rfc3339(recorded.first),
            last_timestamp=rfc3339(recorded.last),
            count=recorded.count,
        )

    async def _write(self) -> None:
        while True:
            recorded, event = await self._waiting.get()
            try:
                await self._write_with_retry(recorded, event)
            except ApiError as error:
                _log.warning("event lost", about=str(event.involved_object.name), reason=event.reason, why=str(error))
            finally:
                self._waiting.task_done()

    async def _write_with_retry(self, recorded: RecordedEvent, event: Event) -> None:
        for delay in (0.2, 1.0, 3.0):
            try:
                await self._put(recorded, event)
            except ApiError as error:
                if error.status and error.status != 429 and error.status < 500:
                    raise
            else:
                return
            await asyncio.sleep(delay)
        await self._put(recorded, event)

    async def _put(self, recorded: RecordedEvent, event: Event) -> None:
        if recorded.count > 1:
            repetition = {"count": recorded.count, "lastTimestamp": event.last_timestamp}
            try:
                await self._client.merge_patch(Event, event.metadata.name, event.metadata.namespace, repetition)
            except ApiError as error:
                if error.status != 404:  # 404: the API has deleted it
                    raise
            else:
                return
        try:
            await self._client.create(event)
        except ApiError as error:
            if error.reason != "AlreadyExists":  # AlreadyExists: from an attempt whose response was lost
                raise
