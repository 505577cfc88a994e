"""What the node sees of Services, and tells its images: which select a pod, and where a Service's name leads."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from headgate.api.core import Pod, Service
from headgate.api.discovery import EndpointSlice
from headgate.api.meta import Key
from headgate.kube import resolve_names
from headgate.kube.watch import Batch

from .images.catalog import WaitingError
from .object_watches import ObjectWatches


class WatchedServices:
    """All Services, and the EndpointSlices of those whose names somebody uses."""

    def __init__(self, interests: ObjectWatches) -> None:
        self.by_key: dict[Key, Service] = {}
        self.synced = asyncio.Event()
        self._interests = interests
        self._waiting: set[asyncio.Future[None]] = set()
        self._listeners: list[Callable[[], None]] = []

    def handle_batch(self, batch: Batch[Service]) -> None:
        """The sink of a watch."""
        for change in batch.changes:
            if change.object is None:
                self.by_key.pop(change.key, None)
            else:
                self.by_key[change.key] = change.object
        if batch.synced:
            self.synced.set()
        self.notify()

    def store(self, service: Service) -> None:
        """The answer to a write of ours, before the watch tells of it."""
        self.by_key[service.key] = service
        self.notify()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call it after each change."""
        self._listeners.append(listener)

    def notify(self) -> None:
        """Something changed."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        for listener in self._listeners:
            listener()

    # ── as images see it ─────────────────────────────────────────────────────

    def selecting(self, pod: Pod) -> Iterable[Service]:
        """The Services that select a pod."""
        labels = pod.metadata.labels.items()
        for key, service in sorted(self.by_key.items()):
            selector = service.spec.selector
            if key.namespace == pod.metadata.namespace and selector and selector.items() <= labels:
                yield service

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        """Where a host name of a Service leads now. Raises `NotYetError`."""
        name = resolve_names.parse(host)
        if name is None:
            return [(host, port)]
        slices = (EndpointSlice, name.key)
        self._interests.require(f"the name {name.key}", [slices])
        if not self._interests.are_synced([slices]):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.wait_for_change()
        service = self.by_key.get(name.key)
        if service is None:
            raise WaitingError(f"there is no Service {name.key}")
        try:
            found = resolve_names.addresses_of(service, self._interests.endpoint_slices(name.key), port)
        except resolve_names.NameUnknownError as error:
            raise WaitingError(str(error)) from None
        if not found:
            raise WaitingError(f"no pod of Service {name.key} is ready")
        return found

    async def wait_for_change(self) -> None:
        """Until a Service or an EndpointSlice changed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
