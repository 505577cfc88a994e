"""One ADS stream of one Envoy: what is sent next. Pure; the time is a parameter.

The rules, each of which keeps requests from failing:

1. A cluster is available once Envoy ACKed it. Envoy does not ACK new clusters before it has their endpoints (it holds
   the ACK while clusters warm), so endpoints never wait for anything.
2. A virtual host is sent only when all its clusters are available (`route_config_state`). Listeners wait until no
   cluster is in flight, so that a new listener gets its routes at once.
3. A cluster is removed only when no routes that Envoy ACKed or is getting refer to it, no listener is in flight, and a
   grace period has passed since (`cluster_removals`).
4. A cluster that changed under its own name warms until it gets endpoints again, so they are sent once more.
5. Weights travel by themselves, in the runtime layer (`weight_overlay`), and wait for nothing.
6. A listener that could not be bound is retried (`bind_retries`); no other NACKed resource is.
7. One response per type is in flight, so changes that come faster than Envoy ACKs them are sent as one.
"""

from headgate.api.meta import Key
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, ROUTES, RUNTIME, SECRET

from .bind_retries import BindRetries, cannot_bind
from .cluster_removals import GRACE, ClusterRemovals
from .desired import Changes, DesiredState
from .outcomes import Outcomes
from .resource_state import ResourceState
from .route_configs import RouteConfigs
from .runtime_layer import RuntimeLayer
from .subscription import ReceivedRequest


class AdsStream:
    """The state of one stream.

    Args:
        gateway: the Gateway of this Envoy.
        desired: what all Envoys of that Gateway should have; it follows updates (see `on_change`).
        previous: an earlier stream of the same Envoy process, if this server had it.
        reconnecting: whether this Envoy has resources from an earlier stream, to whatever server.
        grace: seconds that a cluster outlives the last route to it.
    """

    def __init__(
        self,
        gateway: Key,
        desired: DesiredState,
        previous: "AdsStream | None" = None,
        *,
        reconnecting: bool = False,
        grace: float = GRACE,
    ) -> None:
        self.outcomes = Outcomes(gateway)
        self._desired = desired
        self._reconnecting = reconnecting
        self._states: dict[str, ResourceState] = {
            type_url: ResourceState(
                type_url, desired.of_type(type_url), None if previous is None else previous._states[type_url]
            )
            for type_url in (CLUSTER, ENDPOINTS, SECRET, LISTENER)
        }
        self._clusters, self._listeners = self._states[CLUSTER], self._states[LISTENER]
        self._routes: RouteConfigs = RouteConfigs(
            desired,
            self._clusters,
            self.outcomes,
            self._on_sent_routes_change,
            None if previous is None else previous._routes,
        )
        self._runtime = RuntimeLayer(desired, self._routes.states, self._routes.mark, waits=reconnecting)
        self._removals = ClusterRemovals(grace)
        self._bind_retries: BindRetries = BindRetries() if previous is None else previous._bind_retries
        if previous is not None:
            self._runtime.overlay.resume(previous._runtime.overlay)

    @property
    def settled(self) -> bool:
        """Whether this Envoy has everything that is desired and nothing else."""
        return (
            self._clusters.subscription.open
            and self._routes_known()
            and all(state.idle for state in self._states.values())
            and self._routes.idle
            and self._runtime.idle
            and not self._removals
        )

    @property
    def wake_at(self) -> float | None:
        """When to call `pending_responses` again although Envoy sent nothing; None: never."""
        times = (self._removals.next_due, self._bind_retries.next_due)
        return min((time for time in times if time is not None), default=None)

    def has_whole(self, configuration: str) -> bool:
        """Whether this Envoy subscribes to a route configuration, and no NACK of it is being bisected."""
        state = self._routes.states.get(configuration)
        return state is not None and not state.bisecting

    def on_change(self, changes: Changes) -> None:
        """The desired state has changed."""
        for type_url, names in changes.names.items():
            if type_url in self._states:
                self._states[type_url].on_change(names)
        for name in changes.names.get(LISTENER, ()):
            self._bind_retries.clear(name)
        for name in changes.names.get(CLUSTER, ()):
            if name in self._desired.of_type(CLUSTER):
                self._removals.cancel(name)
                self._routes.mark_users(name)
            else:
                self._remove_cluster(name)
        self._routes.on_change(changes.configurations)
        self._runtime.update(changes.keys)

    def on_request(self, request: DiscoveryRequest) -> None:
        """Process a request of this Envoy; requests of other types than ours are ignored."""
        if request.type_url in self._states:
            self._on_resource_request(self._states[request.type_url], request)
        elif request.type_url == ROUTES:
            self._routes.on_request(request)
        elif request.type_url == RUNTIME:
            self._runtime.on_request(request)

    def pending_responses(self, now: float) -> list[bytes]:
        """All responses that may be sent now, in order. `now` is in seconds, on any clock that does not go back."""
        self._listeners.clear_nacks(self._bind_retries.due(now))
        responses = [self._runtime.next_response(self._routes_known), self._clusters.next_response()]
        if responses[-1] is not None and (in_flight := self._clusters.subscription.in_flight) is not None:
            self._states[ENDPOINTS].resend(in_flight.resources)
        responses += [self._states[ENDPOINTS].next_response(), self._states[SECRET].next_response()]
        if self._clusters.idle:
            responses.append(self._listeners.next_response())
        responses.append(self._routes.next_response())
        responses.append(self._next_removals(now))
        return [response for response in responses if response is not None]

    # ── clusters, endpoints, listeners, certificates ─────────────────────────

    def _on_resource_request(self, state: ResourceState, request: DiscoveryRequest) -> None:
        received = state.on_request(request)
        type_url = request.type_url
        if received.first:
            self._report_known(state)
        for name, resource in (received.acked.resources if received.acked else {}).items():
            self.outcomes.acked(type_url, name, resource.version, resource.origins)
            if type_url == LISTENER:
                self._bind_retries.clear(name)
        if received.nacked is not None:
            culprit = state.attribute_nack(received.nacked, received.error)
            if culprit is not None:
                resource = received.nacked.resources[culprit]
                self.outcomes.nacked(type_url, culprit, resource.version, received.error, resource.origins)
                if type_url == LISTENER and cannot_bind(received.error):
                    self._bind_retries.failed(culprit)
        if type_url == CLUSTER:
            self._on_clusters_change(received)

    def _report_known(self, state: ResourceState) -> None:
        """On reconnect, report what this Envoy already has and NACKed; a restarted control plane does not know it."""
        type_url = state.subscription.type_url
        for name, resource in self._desired.of_type(type_url).items():
            if state.subscription.acked_versions.get(name) == resource.version:
                self.outcomes.acked(type_url, name, resource.version, resource.origins)
            elif (nack := state.nacks.get(name)) and nack.version == resource.version:
                self.outcomes.nacked(type_url, name, nack.version, nack.message, resource.origins)

    def _on_clusters_change(self, received: ReceivedRequest) -> None:
        """Envoy has other clusters, or may have: routes may have waited for them, and some may be unwanted."""
        response = received.acked or received.nacked
        names = (*response.resources,) if response else ()
        for name in (*names, *(self._clusters.unwanted() if received.first else ())):
            self._routes.mark_users(name)
            if name not in self._desired.of_type(CLUSTER):
                self._remove_cluster(name)
        for name in response.removed if response else ():
            self._removals.cancel(name)

    def _remove_cluster(self, name: str) -> None:
        if self._clusters.may_have(name):
            self._removals.add(name)

    def _next_removals(self, now: float) -> bytes | None:
        """A response that removes the clusters whose grace period is over."""
        blocked = bool(self._removals) and not (
            self._clusters.subscription.open
            and self._routes_known()
            and not self._routes.waiting
            and self._listeners.idle
        )
        due = self._removals.due(now, lambda name: not (blocked or self._routes.refer_to(name)))
        return self._clusters.next_response(due) if due and self._clusters.idle else None

    # ── routes and their weights ─────────────────────────────────────────────

    def _routes_known(self) -> bool:
        """Whether it is known by which routes this Envoy routes.

        An Envoy that reconnects has routes of an unknown version until it subscribes to them. It never does so when
        it has no listeners, or only listeners that pass on connections.
        """
        listeners = self._listeners
        without_routes = not listeners.subscription.acked_versions or (listeners.idle and not self._desired.serves_http)
        subscribed = self._routes.open or (listeners.subscription.open and without_routes)
        return (subscribed or not self._reconnecting) and self._routes.all_acked

    def _on_sent_routes_change(self) -> None:
        self._runtime.update_all()
