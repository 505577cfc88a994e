"""The runtime layer of one Envoy (RTDS): sends its weight overlay. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping

from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import RUNTIME, RUNTIME_LAYER

from .desired import DesiredState
from .route_config_state import RouteConfigState
from .subscription import Subscription
from .weight_overlay import WeightOverlay


class RuntimeLayer:
    """The runtime layer on one stream.

    Args:
        route_configs: the route configurations of this Envoy, by name.
        fold: has these route configurations sent again.
        waits: whether to send nothing until it is known by which routes this Envoy routes (rule 4 of the overlay).
    """

    def __init__(
        self,
        desired: DesiredState,
        route_configs: Mapping[str, RouteConfigState],
        fold: Callable[[Collection[str]], None],
        *,
        waits: bool,
    ) -> None:
        self.overlay = WeightOverlay(desired, route_configs)
        self._desired = desired
        self._route_configs = route_configs
        self._fold_into = fold
        self._waits = waits
        self._subscription = Subscription(RUNTIME)
        self._nacked_version = ""

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent and nothing is in flight."""
        return not self._waits and self._subscription.in_flight is None

    def update(self, keys: Iterable[str]) -> None:
        """Adjust the overlay for these weights keys, and fold it when it has grown too large."""
        if self._waits:
            return
        self.overlay.update(keys)
        if self.overlay.should_fold:
            self._fold()

    def update_all(self) -> None:
        """Adjust all keys of the overlay: the routes of this Envoy have changed."""
        self.update(self.overlay.weights)

    def on_request(self, request: DiscoveryRequest) -> None:
        """Process a request for runtime layers. A NACKed overlay is folded into the routes instead."""
        received = self._subscription.on_request(request)
        if received.nacked is not None:
            self._nacked_version = self.overlay.resource().version
            self._fold()

    def next_response(self, routes_known: Callable[[], bool]) -> bytes | None:
        """The bytes of the next response; None while one is in flight and when there is nothing to send."""
        if self._subscription.in_flight is not None or RUNTIME_LAYER not in self._subscription.names:
            return None
        if self._waits:
            if not routes_known():
                return None
            self._waits = False
            self.update({*self.overlay.weights, *self._outdated_keys()})
        layer = self.overlay.resource()
        if layer.version in (self._subscription.acked_versions.get(RUNTIME_LAYER), self._nacked_version):
            return None
        return self._subscription.send({RUNTIME_LAYER: layer})

    def _outdated_keys(self) -> Iterable[str]:
        """The keys whose weights have changed since this Envoy got its routes, on whatever stream that was."""
        for state in self._route_configs.values():
            for config in state.sent_configs:
                for _, rendered in config.hosts.items():
                    for key, weights in rendered.weights.items():
                        if self._desired.weights.get(key) != weights:
                            yield key

    def _fold(self) -> None:
        self._fold_into(self.overlay.configurations_to_fold())
