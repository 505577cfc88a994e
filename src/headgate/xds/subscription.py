"""The delta protocol, for one type of resource on one stream. Pure.

1. The first request subscribes: to names, to `*`, or (Envoy's way for clusters and listeners) to nothing, which means
   `*`. It says which versions this Envoy has from an earlier stream; those need not be sent again.
2. A name that is subscribed again is answered again, whatever was sent before: Envoy has thrown it away.
3. One response is in flight at a time. Its nonce comes back with an error (refused) or without (taken).
4. Of a refused response nothing counts as taken, though Envoy may have kept parts of it.
"""

from collections.abc import Iterable, Mapping

import msgspec

from headgate.envoy.discovery import Request, write_response
from headgate.envoy.names import CLUSTER, LISTENER
from headgate.envoy.resources import Resource

#: Types that Envoy asks for as a whole; all others it asks for by name.
WILDCARD = frozenset({CLUSTER, LISTENER})


class InFlightResponse(msgspec.Struct, frozen=True):
    """A response that was not answered yet."""

    nonce: str
    resources: Mapping[str, Resource]
    removed: tuple[str, ...] = ()


class ReceivedRequest(msgspec.Struct, frozen=True):
    """What a request meant: names to answer, names given up, and the fate of the response in flight."""

    first: bool = False
    subscribed: tuple[str, ...] = ()
    unsubscribed: tuple[str, ...] = ()
    acked: InFlightResponse | None = None
    nacked: InFlightResponse | None = None
    error: str = ""


class Subscription:
    """One type of one stream."""

    def __init__(self, type_url: str) -> None:
        self.type_url = type_url
        self.open = False
        self.wildcard = False
        self.names: set[str] = set()
        #: The versions that this Envoy said it has, by name.
        self.acked_versions: dict[str, str] = {}
        self.in_flight: InFlightResponse | None = None
        self._nonce = 0
        self._invalidated: set[str] = set()

    def on_request(self, request: Request) -> ReceivedRequest:
        """Take in a request of this type."""
        first, self.open = not self.open, True
        if first:
            self.acked_versions = dict(request.initial_versions)
        named = tuple(name for name in request.subscribe if name != "*")
        if self.type_url in WILDCARD and (len(named) < len(request.subscribe) or (first and not named)):
            self.wildcard = True
        if "*" in request.unsubscribe:
            self.wildcard = False
        self.names.update(named)
        gone = tuple(name for name in request.unsubscribe if name != "*")
        for name in gone:
            self.names.discard(name)
            self.acked_versions.pop(name, None)
        if not first:
            self.invalidate(named)
        taken, refused = self._answered(request)
        return ReceivedRequest(first, named, gone, taken, refused, request.error or "")

    def invalidate(self, names: Iterable[str]) -> None:
        """Envoy has no use for what it was sent of these so far, even if it is about to take it."""
        for name in names:
            self.acked_versions.pop(name, None)
            if self.in_flight is not None and name in self.in_flight.resources:
                self._invalidated.add(name)

    def is_subscribed_to(self, name: str) -> bool:
        """Whether this Envoy asked for a resource."""
        return self.wildcard or name in self.names

    def send(self, resources: Mapping[str, Resource], removed: tuple[str, ...] = ()) -> bytes:
        """The next response; only when none is in flight."""
        if self.in_flight is not None:
            raise RuntimeError(f"a response of type {self.type_url} is in flight")
        self._nonce += 1
        for name in removed:
            self.acked_versions.pop(name, None)  # from now on nothing may rely on it
        self.in_flight = InFlightResponse(str(self._nonce), resources, removed)
        return write_response(self.type_url, self.in_flight.nonce, resources.values(), removed)

    def _answered(self, request: Request) -> tuple[InFlightResponse | None, InFlightResponse | None]:
        flight = self.in_flight
        if flight is None or request.nonce != flight.nonce:
            return None, None
        self.in_flight = None
        again, self._invalidated = self._invalidated, set()
        if request.error is not None:
            return None, flight
        for name, resource in flight.resources.items():
            if self.is_subscribed_to(name) and name not in again:
                self.acked_versions[name] = resource.version
        return flight, None
