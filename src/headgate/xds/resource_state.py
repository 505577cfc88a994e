"""Clusters, endpoints, listeners and certificates of one Envoy: which must be sent, and which it refuses. Pure.

A refused resource stays at what Envoy has of it, and is not sent again until it changed.
"""

from collections.abc import Iterable, Mapping

import msgspec

from headgate.api.meta import Ref
from headgate.envoy.discovery import Request
from headgate.envoy.names import ENDPOINTS, LISTENER, SECRET
from headgate.envoy.resources import Resource

from .bisect_nack import Bisection
from .subscription import InFlightResponse, ReceivedRequest, Subscription

#: Resources in one response: bounds what a refusal makes us try again.
BATCH_SIZE = 1_000


class Nack(msgspec.Struct, frozen=True):
    """A version that Envoy refused, in its words, and the objects of the API that it came from."""

    version: str
    message: str
    origins: tuple[Ref, ...] = ()


class ResourceState:
    """All resources of one type for one Envoy."""

    def __init__(self, type_url: str, desired: Mapping[str, Resource], previous: "ResourceState | None" = None) -> None:
        """`past` is what an earlier stream of the same Envoy knew."""
        self.subscription = Subscription(type_url)
        self.nacks: dict[str, Nack] = {}
        #: What Envoy may have of refused responses: it keeps the good parts, but does not speak of them.
        self._possibly_held: set[str] = set()
        self._desired = desired
        # A cluster warms for 15 s unless it hears that it has no endpoints; other types take no such answer.
        self._answers_missing = type_url == ENDPOINTS
        # Envoy takes a certificate that it has refused when it is sent the same bytes again, and never uses it: it has
        # to be known from the first answer which one is to blame.
        self._batch_size = 1 if type_url == SECRET else BATCH_SIZE
        self._dirty: dict[str, None] = {}
        self._bisection: Bisection[str] = Bisection()
        self._nacked_together: set[frozenset[str]] = set()
        self._missing: dict[str, None] = {}
        # Listeners go as soon as nobody wants them; clusters when `order` says so; the others when Envoy drops them.
        self._removes_unwanted = type_url == LISTENER
        self._removed: dict[str, None] = {}
        self._needs_empty_response = False
        self._must_resend: set[str] = set()
        if previous is not None:
            flight = previous.subscription.in_flight
            self.nacks = dict(previous.nacks)
            self._must_resend = set(previous._must_resend)
            self._nacked_together = set(previous._nacked_together)
            self._possibly_held = previous._possibly_held.union(
                (*flight.resources, *flight.removed) if flight is not None else ()
            )

    @property
    def idle(self) -> bool:
        """Nothing to send and nothing in flight."""
        return (
            not (self._dirty or self._bisection or self._needs_empty_response or self._removed)
            and self.subscription.in_flight is None
        )

    def on_request(self, request: Request) -> ReceivedRequest:
        """Take in a request of this type; what it took or refused is in the answer."""
        heard = self.subscription.on_request(request)
        if heard.first:
            self._on_first_request()
        for name in heard.subscribed:
            self._dirty[name] = None
            self._mark_missing(name)
        for name in heard.unsubscribed:
            self._missing.pop(name, None)
            self._must_resend.discard(name)
        if heard.acked is not None:
            self._bisection.passed()
            for name in heard.acked.resources:
                self.nacks.pop(name, None)
                if name in self.subscription.acked_versions:
                    self._must_resend.discard(name)
                self._possibly_held.discard(name)
                self._mark_removed(name)
        return heard

    def attribute_nack(self, flight: InFlightResponse, message: str) -> str | None:
        """A response was refused: the name of the resource that is to blame, or None while that is being tried."""
        self._nacked_together.add(_versions(flight.resources.values()))
        self._possibly_held.update(flight.resources)
        for each in flight.resources:
            self._mark_removed(each)
        name = self._bisection.failed(list(flight.resources))
        if name is not None:
            self.nacks[name] = Nack(flight.resources[name].version, message)
            self._dirty[name] = None
        return name

    def on_change(self, names: Iterable[str]) -> None:
        """These were set or removed in what is desired."""
        for name in names:
            if self.subscription.is_subscribed_to(name):
                self._dirty[name] = None
            if name not in self._desired:
                self.nacks.pop(name, None)
            if self.subscription.is_subscribed_to(name):
                self._mark_missing(name)
            self._mark_removed(name)

    def clear_nacks(self, names: Iterable[str]) -> None:
        """These were refused and may be taken now, as they are."""
        for name in names:
            if self.nacks.pop(name, None) is not None and self.subscription.is_subscribed_to(name):
                self._dirty[name] = None

    def resend(self, names: Iterable[str]) -> None:
        """Envoy needs these once more, although it took them, and will not ask."""
        found = [name for name in names if name in self.subscription.names or not self.subscription.open]
        self._must_resend.update(found)  # until it took them; what it says it has is from before
        self.subscription.invalidate(found)
        self._dirty.update(dict.fromkeys(found))

    def may_have(self, name: str) -> bool:
        """Whether this Envoy has, or may have, a resource of this name."""
        return name in self.subscription.acked_versions or name in self._possibly_held

    def unwanted(self) -> list[str]:
        """What this Envoy has, or may have, and should not."""
        return [
            name
            for name in {**self.subscription.acked_versions, **dict.fromkeys(self._possibly_held)}
            if name not in self._desired
        ]

    def next_response(self, removed: tuple[str, ...] = ()) -> bytes | None:
        """The next response, if there is anything to say and nothing is in flight."""
        if not self.subscription.open or self.subscription.in_flight is not None:
            return None
        resources = self._choose()
        absent = tuple(name for name in (*self._missing, *self._removed) if name not in self._desired)
        self._missing.clear()
        self._removed.clear()
        if not (resources or removed or absent or self._needs_empty_response):
            return None
        self._needs_empty_response = False
        self._possibly_held.difference_update(removed, absent)
        return self.subscription.send(resources, removed + absent)

    # ── inside ───────────────────────────────────────────────────────────────

    def _mark_missing(self, name: str) -> None:
        if self._answers_missing and name not in self._desired and name not in self.subscription.acked_versions:
            self._missing[name] = None

    def _mark_removed(self, name: str) -> None:
        if self._removes_unwanted and self.may_have(name) and name not in self._desired:
            self._removed[name] = None

    def _on_first_request(self) -> None:
        self.subscription.invalidate(self._must_resend)
        if self.subscription.wildcard:
            self._dirty.update(dict.fromkeys(self._desired))
            # Envoy's start waits for an answer, if only an empty one.
            self._needs_empty_response = not self.subscription.acked_versions
        for name in self.unwanted():
            self._mark_removed(name)

    def _choose(self) -> dict[str, Resource]:
        """What to send now: the part on trial, else everything that differs. Sets that were refused are cut."""
        while self._bisection or self._dirty:
            if self._bisection:
                names = list(self._bisection.current)
            else:
                names = list(self._dirty)[: self._batch_size]
                for name in names:
                    del self._dirty[name]
            resources = self._differing(names)
            if len(resources) > 1 and _versions(resources.values()) in self._nacked_together:
                self._bisection.failed(list(resources))
            elif resources:
                return resources
            else:
                self._bisection.passed()
        self._nacked_together.clear()
        return {}

    def _differing(self, names: Iterable[str]) -> dict[str, Resource]:
        found = {}
        for name in names:
            resource = self._desired.get(name)
            if (
                resource is None
                or not self.subscription.is_subscribed_to(name)
                or self.subscription.acked_versions.get(name) == resource.version
            ):
                continue
            refusal = self.nacks.get(name)
            if refusal is None or refusal.version != resource.version:
                found[name] = resource
        return found


def _versions(resources: Iterable[Resource]) -> frozenset[str]:
    return frozenset(f"{each.name}\0{each.version}" for each in resources)
