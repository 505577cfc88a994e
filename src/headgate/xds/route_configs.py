"""The route configurations of one Envoy (RDS): which is sent next, and what became of each. Pure."""

from collections.abc import Callable, Iterable

from headgate.api.meta import Ref
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import BUILT_IN_CLUSTERS, CLUSTER, ROUTES

from .desired import DesiredState
from .outcomes import Outcomes
from .resource_state import ResourceState
from .route_config_state import RouteConfigState
from .subscription import ReceivedRequest, Subscription


class RouteConfigs:
    """The route configurations that an Envoy subscribes to on one stream.

    Args:
        clusters: the clusters of this Envoy; a virtual host is sent only when it has all that the host refers to.
        outcomes: gets the ACKs and NACKs.
        on_sent_change: called when the routes by which Envoy may be routing have changed.
        previous: those of an earlier stream of the same Envoy.
    """

    def __init__(
        self,
        desired: DesiredState,
        clusters: ResourceState,
        outcomes: Outcomes,
        on_sent_change: Callable[[], None],
        previous: "RouteConfigs | None" = None,
    ) -> None:
        #: The state of each by name; always the same mapping.
        self.states: dict[str, RouteConfigState] = {}
        self._desired = desired
        self._clusters = clusters
        self._outcomes = outcomes
        self._on_sent_change = on_sent_change
        self._subscription = Subscription(ROUTES)
        self._dirty: dict[str, None] = {}
        #: By configuration: the virtual hosts whose NACKs were cleared, with the origins to report at the next ACK.
        self._cleared: dict[str, dict[str, tuple[Ref, ...]]] = {}
        #: Configurations of an earlier stream that Envoy did not subscribe to again yet.
        self._previous: dict[str, RouteConfigState] = {}
        if previous is not None:
            self._previous = {**previous._previous, **previous.states}

    @property
    def open(self) -> bool:
        """Whether Envoy has asked for routes on this stream."""
        return self._subscription.open

    @property
    def waiting(self) -> bool:
        """Whether a configuration may have to be sent."""
        return bool(self._dirty)

    @property
    def idle(self) -> bool:
        """Whether nothing is to be sent, nothing is in flight and no virtual host is NACKed."""
        nacked = any(state.nacks for state in self.states.values())
        return not (self._dirty or self._subscription.in_flight or nacked)

    @property
    def all_acked(self) -> bool:
        """Whether it is known of every desired configuration what Envoy has of it."""
        return all(
            state.acked is not None for state in self.states.values() if self._desired.has_configuration(state.name)
        )

    def refer_to(self, cluster: str) -> bool:
        """Whether routes that this Envoy has, or is getting, refer to a cluster."""
        return any(config.hosts.refers_to(cluster) for state in self.states.values() for config in state.sent_configs)

    def on_change(self, configurations: Iterable[str]) -> None:
        """These route configurations changed in the desired state."""
        for name in configurations:
            if name in self.states:
                self._dirty[name] = None
                self._cleared.setdefault(name, {}).update(self.states[name].clear_nacks())

    def mark(self, configurations: Iterable[str]) -> None:
        """Look at these configurations again, and send them if they differ from what Envoy has."""
        for name in configurations:
            if name in self.states:
                self._dirty[name] = None

    def mark_users(self, cluster: str) -> None:
        """A cluster came, or will not come: virtual hosts may have waited for it."""
        self.mark(configuration for configuration, _ in self._desired.users_of_cluster.get(cluster, ()))

    def on_request(self, request: DiscoveryRequest) -> None:
        """Process a request for routes."""
        received = self._subscription.on_request(request)
        for name in received.unsubscribed:
            if self.states.pop(name, None) is not None:
                self._dirty.pop(name, None)
                self._cleared.pop(name, None)
                self._on_sent_change()
        for name in received.subscribed:
            self._dirty[name] = None
            if name in self.states:
                self.states[name].resend()
            else:
                self._subscribe(name)
        self._previous.clear()
        self._on_answer(received)

    def next_response(self) -> bytes | None:
        """The bytes of the next response: one configuration at a time.

        None while one is in flight, while it is not known which clusters this Envoy has, and when nothing differs.
        """
        if self._subscription.in_flight is not None or not self._clusters.subscription.open:
            return None
        while self._dirty:
            name = next(iter(self._dirty))
            del self._dirty[name]
            if not self._desired.has_configuration(name):
                continue
            state = self.states[name]
            was_unknown = state.acked is None
            state.in_flight = state.next_config(self._missing_clusters(), self._never_available)
            if was_unknown and state.acked is not None:
                self._outcomes.acked(ROUTES, name, state.acked.version)
            self._report_nacks(state)
            if state.in_flight is not None:
                return self._subscription.send({name: state.in_flight.resource()})
            self._on_sent_change()
        return None

    # ── inside ───────────────────────────────────────────────────────────────

    def _subscribe(self, name: str) -> None:
        state = RouteConfigState(name, self._desired, self._subscription.acked_versions.get(name, ""))
        if name in self._previous:
            state.resume(self._previous[name])
            self._report_nacks(state)
        self.states[name] = state

    def _on_answer(self, received: ReceivedRequest) -> None:
        response = received.acked or received.nacked
        name = next(iter(response.resources), None) if response else None
        state = self.states.get(name) if name is not None else None
        if name is None or state is None or state.in_flight is None:
            return  # Envoy unsubscribed meanwhile, and may have subscribed again
        if state.bisecting or received.nacked is not None:
            self._dirty[name] = None
        if received.acked is not None:
            state.on_ack()
            self._outcomes.acked(ROUTES, name, received.acked.resources[name].version)
            for host, origins in self._cleared.pop(name, {}).items():
                if host not in state.nacks:
                    self._outcomes.acked(ROUTES, name, "", origins, host=host)
        else:
            state.on_nack(received.error)
        self._on_sent_change()

    def _report_nacks(self, state: RouteConfigState) -> None:
        for host, message in state.take_new_nacks():
            if host is None:
                self._outcomes.nacked(ROUTES, state.name, "", message)
            else:
                self._outcomes.nacked(ROUTES, state.name, host.shape, message, host.origins, host=host.name)

    def _missing_clusters(self) -> set[str]:
        """The clusters that desired routes refer to and that this Envoy does not have."""
        acked = self._clusters.subscription.acked_versions
        return set(self._desired.users_of_cluster).difference(acked, BUILT_IN_CLUSTERS)

    def _never_available(self, cluster: str) -> bool:
        return cluster not in self._desired.of_type(CLUSTER) or cluster in self._clusters.nacks
