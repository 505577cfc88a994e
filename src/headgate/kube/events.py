"""Kubernetes events: what happened to an object, for people who run `kubectl describe`.

An event that says the same about the same object again is not a new one: its count and last time go up, as with
client-go. Unlike client-go, events with different messages are never merged into one ("combined from similar
events"): the steps of a rollout differ in nothing else. What bounds them is an allowance per object.

Events are told best effort: `event` neither waits nor raises. One task writes them in order.
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

#: An API forgets events after an hour; a repetition after that is a new event.
MAX_AGE = 3600.0
#: Different events that we remember, at most.
_MAX_REMEMBERED = 4096
#: Events per object at once, and how many more per second.
_BURST, _REFILL = 200.0, 1.0
#: Events that wait to be written, at most; the API is away then, and the oldest matter least.
_QUEUE = 1000


def reference_of(obj: Object) -> ObjectReference:
    """A reference to an object for its events."""
    about = obj.metadata
    return ObjectReference(
        api_version=obj.api_version,
        kind=obj.kind,
        name=about.name,
        namespace=about.namespace,
        uid=about.uid,
        resource_version=about.resource_version,
    )


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event that was told: its name, how often, and when first and last (seconds since 1970)."""

    name: str
    count: int
    first: float
    last: float


_Identity = tuple[tuple[str, ...], str, str, str]


class EventCorrelator:
    """Decides what becomes of an event: a new one, one more of an old one, or nothing. Time is a parameter."""

    def __init__(self) -> None:
        self._recorded: OrderedDict[_Identity, RecordedEvent] = OrderedDict()
        self._allowance: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def correlate(
        self, about: ObjectReference, kind: str, reason: str, message: str, now: float
    ) -> RecordedEvent | None:
        """The event with its count, or None if this object has had too many."""
        who = (about.api_version, about.kind, about.namespace, about.name, about.uid)
        if not self._allowed(who, now):
            return None
        identity = (who, kind, reason, message)
        old = self._recorded.pop(identity, None)
        if old is None or now - old.last > MAX_AGE:
            told = RecordedEvent(name=f"{about.name}.{int(now * 1e9):x}", count=1, first=now, last=now)
        else:
            told = RecordedEvent(name=old.name, count=old.count + 1, first=old.first, last=now)
        self._recorded[identity] = told
        if len(self._recorded) > _MAX_REMEMBERED:
            self._recorded.popitem(last=False)
        return told

    def _allowed(self, who: tuple[str, ...], now: float) -> bool:
        left, since = self._allowance.pop(who, (_BURST, now))
        left = min(_BURST, left + (now - since) * _REFILL)
        allowed = left >= 1.0
        self._allowance[who] = (left - 1.0 if allowed else left, now)
        if len(self._allowance) > _MAX_REMEMBERED:
            self._allowance.popitem(last=False)
        return allowed


class EventRecorder:
    """Tells events in the name of a component; an async context manager that tells what waits before it ends."""

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
        """Tell that something happened. Neither waits nor raises; needs a running event loop."""
        if isinstance(about, Object):
            about = reference_of(about)
        told = self._correlator.correlate(about, type, reason, message, self._clock())
        if told is None:
            return
        if self._waiting.full():
            self._waiting.get_nowait()
            self._waiting.task_done()
        self._waiting.put_nowait((told, self._event(told, about, type, reason, message)))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def flush(self, timeout: float = 5.0) -> None:
        """Until everything was told, or time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._waiting.join()

    async def close(self) -> None:
        """Tells what waits, then ends."""
        await self.flush()
        self.abandon()

    def abandon(self) -> None:
        """Ends now; what waits is lost."""
        if self._writer:
            self._writer.cancel()

    def _event(self, told: RecordedEvent, about: ObjectReference, kind: str, reason: str, message: str) -> Event:
        return Event(
            # Events of objects without a namespace live in `default`.
            metadata=ObjectMeta(name=told.name, namespace=about.namespace or "default"),
            involved_object=about,
            reason=reason,
            message=message[:1024],
            type=kind,
            source=EventSource(component=self._component),
            reporting_component=self._component,
            first_timestamp=rfc3339(told.first),
            last_timestamp=rfc3339(told.last),
            count=told.count,
        )

    async def _write(self) -> None:
        while True:
            told, event = await self._waiting.get()
            try:
                await self._write_with_retry(told, event)
            except ApiError as error:
                _log.warning("event lost", about=str(event.involved_object.name), reason=event.reason, why=str(error))
            finally:
                self._waiting.task_done()

    async def _write_with_retry(self, told: RecordedEvent, event: Event) -> None:
        for pause in (0.2, 1.0, 3.0):
            try:
                await self._put(told, event)
            except ApiError as error:
                if error.status and error.status != 429 and error.status < 500:
                    raise
            else:
                return
            await asyncio.sleep(pause)
        await self._put(told, event)

    async def _put(self, told: RecordedEvent, event: Event) -> None:
        if told.count > 1:
            again = {"count": told.count, "lastTimestamp": event.last_timestamp}
            try:
                await self._client.merge_patch(Event, event.metadata.name, event.metadata.namespace, again)
            except ApiError as error:
                if error.status != 404:  # 404: the API has forgotten it
                    raise
            else:
                return
        try:
            await self._client.create(event)
        except ApiError as error:
            if error.reason != "AlreadyExists":  # our own, from an attempt whose answer was lost
                raise
