"""The Services that the node watches: which of them select a pod, and which addresses the name of one resolves to."""

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
    """All Services, and the EndpointSlices of those whose names are resolved: the `ServiceDirectory` of images."""

    def __init__(self, watches: ObjectWatches) -> None:
        self.by_key: dict[Key, Service] = {}
        self.synced = asyncio.Event()
        self._watches = watches
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
        """Take the answer to a write of the node before the watch delivers it."""
        self.by_key[service.key] = service
        self.notify()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def notify(self) -> None:
        """Wake those who wait for a change, and call the listeners."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        for listener in self._listeners:
            listener()

    # ── for images ─────────────────────────────────────────────────────

    def selecting(self, pod: Pod) -> Iterable[Service]:
        """The Services that select a pod."""
        labels = pod.metadata.labels.items()
        for key, service in sorted(self.by_key.items()):
            selector = service.spec.selector
            if key.namespace == pod.metadata.namespace and selector and selector.items() <= labels:
                yield service

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        """The addresses that the name of a Service resolves to now. Raises `WaitingError` if there are none."""
        name = resolve_names.parse(host)
        if name is None:
            return [(host, port)]
        slices = (EndpointSlice, name.key)
        self._watches.require(f"name of Service {name.key}", [slices])
        if not self._watches.are_synced([slices]):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.wait_for_change()
        service = self.by_key.get(name.key)
        if service is None:
            raise WaitingError(f"there is no Service {name.key}")
        try:
            addresses = resolve_names.addresses_of(service, self._watches.endpoint_slices(name.key), port)
        except resolve_names.NameUnknownError as error:
            raise WaitingError(str(error)) from None
        if not addresses:
            raise WaitingError(f"no pod of Service {name.key} is ready")
        return addresses

    async def wait_for_change(self) -> None:
        """Wait until a Service or an EndpointSlice changes."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
