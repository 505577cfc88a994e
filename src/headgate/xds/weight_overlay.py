"""The weights of one Envoy's routes: a runtime overlay over the weights that stand in the routes. Pure.

Envoy looks `<weights key>.<cluster>` up in its runtime for each request, and takes what stands in the route when there
is nothing. Changing two such keys costs Envoy 1 ms whatever the number of routes; a route configuration of 10,000
hosts costs 150 ms. So:

1. A key is in the overlay exactly while some route configuration that this Envoy took, or that is on its way to it,
   says other weights than are desired. Whichever of them Envoy serves by, the result is what is desired.
2. A key leaves the overlay only after Envoy took routes that say the same.
3. Above `fold_above` entries the routes are pushed: the next body says what the overlay says.
4. As long as it is not known which weights stand in the routes of an Envoy (it came back to a server that was
   restarted, with routes that differ), its request for the overlay is not answered, so it keeps the one it has.
"""

from collections.abc import Iterable, Mapping

from headgate.envoy import names
from headgate.envoy.resources import Resource, Weights, resource, runtime, runtime_entries

from .desired import DesiredState
from .route_config_state import RouteConfigState

#: Entries of the overlay above which it is folded into the routes; with many virtual hosts a share of their number.
FOLD_ENTRIES = 512
FOLD_SHARE = 0.1


class WeightOverlay:
    """The overlay of one Envoy."""

    def __init__(self, desired: DesiredState, tables: Mapping[str, RouteConfigState]) -> None:
        self.weights: dict[str, Weights] = {}
        self._desired = desired
        self._route_configs = tables
        self._entries: dict[str, bytes] = {}
        self._size = 0
        self._resource: Resource | None = None

    def resume(self, previous: "WeightOverlay") -> None:
        """Begin with the overlay of an earlier stream of the same Envoy."""
        for key, weights in previous.weights.items():
            self._put(key, weights)

    @property
    def should_fold(self) -> bool:
        """Whether it should be folded into the routes."""
        return self._size > self.fold_above

    @property
    def fold_above(self) -> float:
        """A fold costs Envoy some 20 µs per virtual host, once; an entry costs it 2 to 4 µs with each change."""
        return max(FOLD_ENTRIES, FOLD_SHARE * self._desired.number_of_hosts)

    def update(self, keys: Iterable[str]) -> None:
        """Decide about these keys again: their weights, or the routes that use them, have changed."""
        for key in list(keys):
            found = self._needed(key)
            if found != self.weights.get(key):
                self._put(key, found)

    def configurations_to_fold(self) -> set[str]:
        """The route configurations that use a key of the overlay."""
        return {configuration for key in self.weights for configuration, _ in self._desired.users_of_weights(key)}

    def resource(self) -> Resource:
        """The runtime layer."""
        if self._resource is None:
            body = runtime(names.RUNTIME_LAYER, [self._entries[key] for key in sorted(self._entries)])
            self._resource = resource(names.RUNTIME, names.RUNTIME_LAYER, body)
        return self._resource

    def _put(self, key: str, weights: Weights | None) -> None:
        self._resource = None
        if (old := self.weights.pop(key, None)) is not None:
            self._size -= len(old.clusters)
            del self._entries[key]
        if weights is not None:
            self.weights[key] = weights
            self._size += len(weights.clusters)
            self._entries[key] = runtime_entries(key, weights)

    def _needed(self, key: str) -> Weights | None:
        """The weights that the overlay must say, or None if all routes say them."""
        if key in self._desired.without_overlay:
            return None
        today = self._desired.weights.get(key) or self.weights.get(key)
        if today is None:
            return None
        for configuration, host in self._desired.users_of_weights(key):
            table = self._route_configs.get(configuration)
            for body in table.sent_configs if table is not None else ():
                said = body.weights(host, key)
                if said is not None and said != today:
                    return today
        return None
