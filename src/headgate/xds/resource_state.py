"""Clusters, endpoints, listeners or certificates of one Envoy: which must be sent, and which it NACKed. Pure.

After a NACK Envoy keeps the version that it has, and the resource is not sent again until it changes.
"""

from collections.abc import Iterable, Mapping

import msgspec

from headgate.api.meta import Ref
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import ENDPOINTS, LISTENER, SECRET
from headgate.envoy.resources import Resource

from .bisect_nack import Bisection
from .subscription import InFlightResponse, ReceivedRequest, Subscription

#: Resources in one response; limits what a NACK makes us send again.
BATCH_SIZE = 1_000


class Nack(msgspec.Struct, frozen=True):
    """A version that Envoy NACKed, its error, and the API objects that the resource was made from."""

    version: str
    message: str
    origins: tuple[Ref, ...] = ()


class ResourceState:
    """All resources of one type at one Envoy."""

    def __init__(self, type_url: str, desired: Mapping[str, Resource], previous: "ResourceState | None" = None) -> None:
        """`desired` follows updates. `previous` is the state of an earlier stream of the same Envoy."""
        self.subscription = Subscription(type_url)
        self.nacks: dict[str, Nack] = {}
        #: Resources of NACKed responses: Envoy may have applied them, but does not report them.
        self._possibly_held: set[str] = set()
        self._desired = desired
        # A cluster warms for 15 s unless it hears that it has no endpoints. Of no other type Envoy takes that answer.
        self._answers_missing = type_url == ENDPOINTS
        # When Envoy gets a certificate that it has NACKed once more with the same bytes, it ACKs it and never uses it.
        # So the first NACK must already name the culprit.
        self._batch_size = 1 if type_url == SECRET else BATCH_SIZE
        self._dirty: dict[str, None] = {}
        self._bisection: Bisection[str] = Bisection()
        self._nacked_together: set[frozenset[str]] = set()
        self._missing: dict[str, None] = {}
        # Listeners are removed at once; clusters when `cluster_removals` says so; the others when Envoy unsubscribes.
        self._removes_unwanted = type_url == LISTENER
        self._removed: dict[str, None] = {}
        self._needs_empty_response = False
        self._must_resend: set[str] = set()
        if previous is not None:
            self._resume(previous)

    @property
    def idle(self) -> bool:
        """Whether nothing is to be sent and nothing is in flight."""
        to_send = self._dirty or self._bisection or self._needs_empty_response or self._removed
        return not to_send and self.subscription.in_flight is None

    def on_request(self, request: DiscoveryRequest) -> ReceivedRequest:
        """Process a request of this type. If it is a NACK, `attribute_nack` must be called next."""
        received = self.subscription.on_request(request)
        if received.first:
            self._on_first_request()
        for name in received.subscribed:
            self._dirty[name] = None
            self._mark_missing(name)
        for name in received.unsubscribed:
            self._missing.pop(name, None)
            self._must_resend.discard(name)
        if received.acked is not None:
            self._on_ack(received.acked)
        return received

    def attribute_nack(self, response: InFlightResponse, message: str) -> str | None:
        """The name of the resource that made Envoy NACK a response; None while that is being found by bisection."""
        self._nacked_together.add(_versions(response.resources.values()))
        self._possibly_held.update(response.resources)
        for name in response.resources:
            self._mark_removed(name)
        culprit = self._bisection.failed(list(response.resources))
        if culprit is not None:
            self.nacks[culprit] = Nack(response.resources[culprit].version, message)
            self._dirty[culprit] = None
        return culprit

    def on_change(self, names: Iterable[str]) -> None:
        """These resources were set or removed in the desired state."""
        for name in names:
            if self.subscription.is_subscribed_to(name):
                self._dirty[name] = None
            if name not in self._desired:
                self.nacks.pop(name, None)
            if self.subscription.is_subscribed_to(name):
                self._mark_missing(name)
            self._mark_removed(name)

    def clear_nacks(self, names: Iterable[str]) -> None:
        """Forget the NACKs of these resources, so that the same version is sent again."""
        for name in names:
            if self.nacks.pop(name, None) is not None and self.subscription.is_subscribed_to(name):
                self._dirty[name] = None

    def resend(self, names: Iterable[str]) -> None:
        """Send these again although Envoy ACKed them: it needs them once more and does not ask."""
        subscribed = [name for name in names if name in self.subscription.names or not self.subscription.open]
        self._must_resend.update(subscribed)  # until the next ACK; versions that Envoy reports are older
        self.subscription.invalidate(subscribed)
        self._dirty.update(dict.fromkeys(subscribed))

    def may_have(self, name: str) -> bool:
        """Whether this Envoy has, or may have, a resource of this name."""
        return name in self.subscription.acked_versions or name in self._possibly_held

    def unwanted(self) -> list[str]:
        """The resources that this Envoy has, or may have, and that are not desired."""
        held = {**self.subscription.acked_versions, **dict.fromkeys(self._possibly_held)}
        return [name for name in held if name not in self._desired]

    def next_response(self, removed: tuple[str, ...] = ()) -> bytes | None:
        """The bytes of the next response; None while one is in flight and when there is nothing to send."""
        if not self.subscription.open or self.subscription.in_flight is not None:
            return None
        resources = self._next_resources()
        absent = tuple(name for name in (*self._missing, *self._removed) if name not in self._desired)
        self._missing.clear()
        self._removed.clear()
        if not (resources or removed or absent or self._needs_empty_response):
            return None
        self._needs_empty_response = False
        self._possibly_held.difference_update(removed, absent)
        return self.subscription.send(resources, removed + absent)

    # ── inside ───────────────────────────────────────────────────────────────

    def _resume(self, previous: "ResourceState") -> None:
        self.nacks = dict(previous.nacks)
        self._must_resend = set(previous._must_resend)
        self._nacked_together = set(previous._nacked_together)
        self._possibly_held = set(previous._possibly_held)
        if (in_flight := previous.subscription.in_flight) is not None:
            self._possibly_held.update(in_flight.resources, in_flight.removed)

    def _on_first_request(self) -> None:
        self.subscription.invalidate(self._must_resend)
        if self.subscription.wildcard:
            self._dirty.update(dict.fromkeys(self._desired))
            # Envoy's start-up waits for a response, even if it is empty.
            self._needs_empty_response = not self.subscription.acked_versions
        for name in self.unwanted():
            self._mark_removed(name)

    def _on_ack(self, response: InFlightResponse) -> None:
        self._bisection.passed()
        for name in response.resources:
            self.nacks.pop(name, None)
            if name in self.subscription.acked_versions:
                self._must_resend.discard(name)
            self._possibly_held.discard(name)
            self._mark_removed(name)

    def _mark_missing(self, name: str) -> None:
        if self._answers_missing and name not in self._desired and name not in self.subscription.acked_versions:
            self._missing[name] = None

    def _mark_removed(self, name: str) -> None:
        if self._removes_unwanted and self.may_have(name) and name not in self._desired:
            self._removed[name] = None

    def _next_resources(self) -> dict[str, Resource]:
        """The part that bisection tries now, else all that differ. Sets that were NACKed before are cut in two."""
        while self._bisection or self._dirty:
            if self._bisection:
                names = list(self._bisection.current)
            else:
                names = list(self._dirty)[: self._batch_size]
                for name in names:
                    del self._dirty[name]
            resources = {name: self._desired[name] for name in names if self._must_send(name)}
            if len(resources) > 1 and _versions(resources.values()) in self._nacked_together:
                self._bisection.failed(list(resources))
            elif resources:
                return resources
            else:
                self._bisection.passed()
        self._nacked_together.clear()
        return {}

    def _must_send(self, name: str) -> bool:
        """Whether this Envoy should get a resource: it subscribes to it, has another version, and did not NACK it."""
        resource = self._desired.get(name)
        if resource is None or not self.subscription.is_subscribed_to(name):
            return False
        nack = self.nacks.get(name)
        nacked_version = None if nack is None else nack.version
        return resource.version not in (self.subscription.acked_versions.get(name), nacked_version)


def _versions(resources: Iterable[Resource]) -> frozenset[str]:
    return frozenset(f"{resource.name}\0{resource.version}" for resource in resources)
