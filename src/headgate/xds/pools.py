"""Clusters, endpoints, listeners and certificates of one Envoy: which must be sent, and which it refuses. Pure.

A refused resource stays at what Envoy has of it, and is not sent again until it changed.
"""

from collections.abc import Iterable, Mapping

import msgspec

from headgate.api.meta import Ref
from headgate.envoy.discovery import Request
from headgate.envoy.names import ENDPOINTS, LISTENER, SECRET
from headgate.envoy.resources import Resource

from .halves import Trials
from .stream import Flight, Heard, Subscription

#: Resources in one response: bounds what a refusal makes us try again.
BATCH = 1_000


class Refusal(msgspec.Struct, frozen=True):
    """A version that Envoy refused, in its words, and the objects of the API that it came from."""

    version: str
    message: str
    origins: tuple[Ref, ...] = ()


class Pool:
    """All resources of one type for one Envoy."""

    def __init__(self, type_url: str, desired: Mapping[str, Resource], past: "Pool | None" = None) -> None:
        """`past` is what an earlier stream of the same Envoy knew."""
        self.stream = Subscription(type_url)
        self.refusals: dict[str, Refusal] = {}
        #: What Envoy may have of refused responses: it keeps the good parts, but does not speak of them.
        self._maybe: set[str] = set()
        self._desired = desired
        # A cluster warms for 15 s unless it hears that it has no endpoints; other types take no such answer.
        self._says_absent = type_url == ENDPOINTS
        # Envoy takes a certificate that it has refused when it is sent the same bytes again, and never uses it: it has
        # to be known from the first answer which one is to blame.
        self._batch = 1 if type_url == SECRET else BATCH
        self._dirty: dict[str, None] = {}
        self._trials: Trials[str] = Trials()
        self._refused_together: set[frozenset[str]] = set()
        self._absent: dict[str, None] = {}
        # Listeners go as soon as nobody wants them; clusters when `order` says so; the others when Envoy drops them.
        self._drops = type_url == LISTENER
        self._gone: dict[str, None] = {}
        self._greet = False
        self._owed: set[str] = set()
        if past is not None:
            flight = past.stream.flight
            self.refusals = dict(past.refusals)
            self._owed = set(past._owed)
            self._refused_together = set(past._refused_together)
            self._maybe = past._maybe.union((*flight.resources, *flight.removed) if flight is not None else ())

    @property
    def quiet(self) -> bool:
        """Nothing to send and nothing in flight."""
        return not (self._dirty or self._trials or self._greet or self._gone) and self.stream.flight is None

    def hear(self, request: Request) -> Heard:
        """Take in a request of this type; what it took or refused is in the answer."""
        heard = self.stream.hear(request)
        if heard.first:
            self._begin()
        for name in heard.subscribed:
            self._dirty[name] = None
            self._miss(name)
        for name in heard.unsubscribed:
            self._absent.pop(name, None)
            self._owed.discard(name)
        if heard.taken is not None:
            self._trials.passed()
            for name in heard.taken.resources:
                self.refusals.pop(name, None)
                if name in self.stream.have:
                    self._owed.discard(name)
                self._maybe.discard(name)
                self._drop(name)
        return heard

    def blame(self, flight: Flight, message: str) -> str | None:
        """A response was refused: the name of the resource that is to blame, or None while that is being tried."""
        self._refused_together.add(_versions(flight.resources.values()))
        self._maybe.update(flight.resources)
        for each in flight.resources:
            self._drop(each)
        name = self._trials.failed(list(flight.resources))
        if name is not None:
            self.refusals[name] = Refusal(flight.resources[name].version, message)
            self._dirty[name] = None
        return name

    def changed(self, names: Iterable[str]) -> None:
        """These were set or removed in what is desired."""
        for name in names:
            if self.stream.wants(name):
                self._dirty[name] = None
            if name not in self._desired:
                self.refusals.pop(name, None)
            if self.stream.wants(name):
                self._miss(name)
            self._drop(name)

    def forgive(self, names: Iterable[str]) -> None:
        """These were refused and may be taken now, as they are."""
        for name in names:
            if self.refusals.pop(name, None) is not None and self.stream.wants(name):
                self._dirty[name] = None

    def again(self, names: Iterable[str]) -> None:
        """Envoy needs these once more, although it took them, and will not ask."""
        found = [name for name in names if name in self.stream.names or not self.stream.open]
        self._owed.update(found)  # until it took them; what it says it has is from before
        self.stream.forget(found)
        self._dirty.update(dict.fromkeys(found))

    def may_have(self, name: str) -> bool:
        """Whether this Envoy has, or may have, a resource of this name."""
        return name in self.stream.have or name in self._maybe

    def surplus(self) -> list[str]:
        """What this Envoy has, or may have, and should not."""
        return [name for name in {**self.stream.have, **dict.fromkeys(self._maybe)} if name not in self._desired]

    def next(self, removed: tuple[str, ...] = ()) -> bytes | None:
        """The next response, if there is anything to say and nothing is in flight."""
        if not self.stream.open or self.stream.flight is not None:
            return None
        resources = self._choose()
        absent = tuple(name for name in (*self._absent, *self._gone) if name not in self._desired)
        self._absent.clear()
        self._gone.clear()
        if not (resources or removed or absent or self._greet):
            return None
        self._greet = False
        self._maybe.difference_update(removed, absent)
        return self.stream.send(resources, removed + absent)

    # ── inside ───────────────────────────────────────────────────────────────

    def _miss(self, name: str) -> None:
        if self._says_absent and name not in self._desired and name not in self.stream.have:
            self._absent[name] = None

    def _drop(self, name: str) -> None:
        if self._drops and self.may_have(name) and name not in self._desired:
            self._gone[name] = None

    def _begin(self) -> None:
        self.stream.forget(self._owed)
        if self.stream.wildcard:
            self._dirty.update(dict.fromkeys(self._desired))
            # Envoy's start waits for an answer, if only an empty one.
            self._greet = not self.stream.have
        for name in self.surplus():
            self._drop(name)

    def _choose(self) -> dict[str, Resource]:
        """What to send now: the part on trial, else everything that differs. Sets that were refused are cut."""
        while self._trials or self._dirty:
            if self._trials:
                names = list(self._trials.current)
            else:
                names = list(self._dirty)[: self._batch]
                for name in names:
                    del self._dirty[name]
            resources = self._differing(names)
            if len(resources) > 1 and _versions(resources.values()) in self._refused_together:
                self._trials.failed(list(resources))
            elif resources:
                return resources
            else:
                self._trials.passed()
        self._refused_together.clear()
        return {}

    def _differing(self, names: Iterable[str]) -> dict[str, Resource]:
        found = {}
        for name in names:
            resource = self._desired.get(name)
            if resource is None or not self.stream.wants(name) or self.stream.have.get(name) == resource.version:
                continue
            refusal = self.refusals.get(name)
            if refusal is None or refusal.version != resource.version:
                found[name] = resource
        return found


def _versions(resources: Iterable[Resource]) -> frozenset[str]:
    return frozenset(f"{each.name}\0{each.version}" for each in resources)
