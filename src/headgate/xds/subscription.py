"""The delta xDS protocol for one type of resource on one stream. Pure.

1. The first request subscribes: to names, to `*`, or (as Envoy does for clusters and listeners) to nothing, which means
   `*`. Its `initial_resource_versions` are what this Envoy has from an earlier stream; those need not be sent again.
2. A name that is subscribed again is sent again: Envoy has dropped the resource.
3. One response is in flight at a time. The request with its nonce ACKs it, or NACKs it if it carries an error.
4. No resource of a NACKed response counts as ACKed, though Envoy may have applied some of them.
"""

from collections.abc import Iterable, Mapping

import msgspec

from headgate.envoy.discovery import DiscoveryRequest, write_response
from headgate.envoy.names import CLUSTER, LISTENER
from headgate.envoy.resources import Resource

#: Types that Envoy subscribes to as a whole; it subscribes to all others by name.
WILDCARD = frozenset({CLUSTER, LISTENER})


class InFlightResponse(msgspec.Struct, frozen=True):
    """A response that Envoy neither ACKed nor NACKed yet."""

    nonce: str
    resources: Mapping[str, Resource]
    removed: tuple[str, ...] = ()


class ReceivedRequest(msgspec.Struct, frozen=True):
    """A request as the subscription understands it.

    `first` is True for the first request of this type on the stream. `subscribed` are the names to answer,
    `unsubscribed` those that Envoy dropped. `acked` or `nacked` is the response that was in flight, if this request
    answers it; `error` is Envoy's message of the NACK.
    """

    first: bool = False
    subscribed: tuple[str, ...] = ()
    unsubscribed: tuple[str, ...] = ()
    acked: InFlightResponse | None = None
    nacked: InFlightResponse | None = None
    error: str = ""


class Subscription:
    """The state of one type on one stream. It is `open` from the first request on."""

    def __init__(self, type_url: str) -> None:
        self.type_url = type_url
        self.open = False
        self.wildcard = False
        self.names: set[str] = set()
        #: The versions that Envoy has, by name, as far as it ACKed or reported them.
        self.acked_versions: dict[str, str] = {}
        self.in_flight: InFlightResponse | None = None
        self._nonce = 0
        self._invalidated: set[str] = set()

    def on_request(self, request: DiscoveryRequest) -> ReceivedRequest:
        """Process a request of this type."""
        first, self.open = not self.open, True
        if first:
            self.acked_versions = dict(request.initial_versions)
        subscribed = tuple(name for name in request.subscribe if name != "*")
        all_named = len(subscribed) == len(request.subscribe)
        if self.type_url in WILDCARD and (not all_named or (first and not subscribed)):
            self.wildcard = True
        if "*" in request.unsubscribe:
            self.wildcard = False
        self.names.update(subscribed)
        unsubscribed = tuple(name for name in request.unsubscribe if name != "*")
        for name in unsubscribed:
            self.names.discard(name)
            self.acked_versions.pop(name, None)
        if not first:
            self.invalidate(subscribed)
        acked, nacked = self._answered(request)
        return ReceivedRequest(first, subscribed, unsubscribed, acked, nacked, request.error or "")

    def invalidate(self, names: Iterable[str]) -> None:
        """Envoy cannot use what it was sent of these so far, even if it is about to ACK it: send them again."""
        for name in names:
            self.acked_versions.pop(name, None)
            if self.in_flight is not None and name in self.in_flight.resources:
                self._invalidated.add(name)

    def is_subscribed_to(self, name: str) -> bool:
        """Whether this Envoy subscribes to a resource."""
        return self.wildcard or name in self.names

    def send(self, resources: Mapping[str, Resource], removed: tuple[str, ...] = ()) -> bytes:
        """The bytes of the next response. Raises RuntimeError while another one is in flight."""
        if self.in_flight is not None:
            raise RuntimeError(f"a response of type {self.type_url} is in flight")
        self._nonce += 1
        for name in removed:
            self.acked_versions.pop(name, None)  # from now on nothing may rely on it
        self.in_flight = InFlightResponse(str(self._nonce), resources, removed)
        return write_response(self.type_url, self.in_flight.nonce, resources.values(), removed)

    def _answered(self, request: DiscoveryRequest) -> tuple[InFlightResponse | None, InFlightResponse | None]:
        response = self.in_flight
        if response is None or request.nonce != response.nonce:
            return None, None
        self.in_flight = None
        invalidated, self._invalidated = self._invalidated, set()
        if request.error is not None:
            return None, response
        for name, resource in response.resources.items():
            if self.is_subscribed_to(name) and name not in invalidated:
                self.acked_versions[name] = resource.version
        return response, None
