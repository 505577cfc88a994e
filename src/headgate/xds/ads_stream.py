"""What one Envoy is told next. Pure; the time is a parameter.

The rules, each of which keeps requests from failing:

1. A cluster is live once Envoy took it. Envoy does not take a response with new clusters before it has their
   endpoints (it holds the answer while clusters warm), so endpoints never wait for anything.
2. A virtual host goes out only when all its clusters are live (`tables`). Listeners wait until no cluster is on its
   way, so that a new one has its routes at once.
3. A cluster goes only when no routes that Envoy took or is getting refer to it, no listener is on its way, and a grace
   after that.
4. A cluster that changed under its own name warms until it gets endpoints again: they are sent once more.
5. Weights have a lane of their own (`lane`).
6. A listener that could not be bound is tried again (`binding`); nothing else that was refused is.
7. Per type one response is in flight, so changes that come faster than Envoy takes them are sent as one.
"""

from collections.abc import Iterable

import msgspec

from headgate.api.meta import Ref
from headgate.envoy.discovery import Request
from headgate.envoy.names import BUILT_IN_CLUSTERS, CLUSTER, ENDPOINTS, LISTENER, ROUTES, RUNTIME, RUNTIME_LAYER, SECRET

from .bind_retries import BindRetries, cannot_bind
from .desired import Changes, DesiredState
from .resource_state import ResourceState
from .route_config_state import RouteConfigState
from .subscription import ReceivedRequest, Subscription
from .weight_overlay import WeightOverlay

#: Seconds that a cluster outlives the last route to it: a request may still be choosing its backend.
GRACE = 5.0


class News(msgspec.Struct, frozen=True):
    """An outcome at one Envoy; see `facts.Outcome`."""

    type_url: str
    name: str
    host: str
    version: str
    message: str = ""
    origins: tuple[Ref, ...] = ()


class AdsStream:
    """One stream of one Envoy. One that is `returning` has state from an earlier stream; `past` is that stream, if
    this server had it.
    """

    def __init__(
        self,
        desired: DesiredState,
        previous: "AdsStream | None" = None,
        *,
        reconnecting: bool = False,
        grace: float = GRACE,
    ) -> None:
        self.outcomes: list[News] = []
        #: When to speak again although nothing was heard; None: never.
        self.wake_at: float | None = None
        self.route_configs: dict[str, RouteConfigState] = {}
        self.overlay = WeightOverlay(desired, self.route_configs)
        self.resource_states: dict[str, ResourceState] = {
            type_url: ResourceState(
                type_url, desired.of_type(type_url), None if previous is None else previous.resource_states[type_url]
            )
            for type_url in (CLUSTER, ENDPOINTS, SECRET, LISTENER)
        }
        self._desired = desired
        self._grace = grace
        self._routes = Subscription(ROUTES)
        self._runtime = Subscription(RUNTIME)
        self._nacked_runtime = ""
        self._reconnecting = reconnecting
        self._overlay_waits = reconnecting
        self._bind_retries: BindRetries = previous._bind_retries if previous is not None else BindRetries()
        #: Route configurations of the past that were not asked for again yet.
        self._previous: dict[str, RouteConfigState] = {}
        if previous is not None:
            self._previous = {**previous._previous, **previous.route_configs}
            self.overlay.resume(previous.overlay)
        self._dirty: dict[str, None] = {}
        self._cleared: dict[str, dict[str, tuple[Ref, ...]]] = {}
        #: Clusters that should go: since when no route refers to them, None while one does.
        self._leaving: dict[str, float | None] = {}

    @property
    def settled(self) -> bool:
        """Whether this Envoy has all that is desired and nothing else."""
        return (
            self.resource_states[CLUSTER].subscription.open
            and self._known()
            and all(pool.idle for pool in self.resource_states.values())
            and not (
                self._dirty or self._leaving or self._routes.in_flight or self._runtime.in_flight or self._overlay_waits
            )
            and not any(table.nacks for table in self.route_configs.values())
        )

    # ── what happens ─────────────────────────────────────────────────────────

    def on_change(self, changes: Changes) -> None:
        """`desired` was changed so."""
        for type_url, changed in changes.names.items():
            if type_url in self.resource_states:
                self.resource_states[type_url].on_change(changed)
        for name in changes.names.get(LISTENER, ()):
            self._bind_retries.clear(name)
        for name in changes.names.get(CLUSTER, ()):
            if name in self._desired.of_type(CLUSTER):
                self._leaving.pop(name, None)
                self._push_users(name)
            else:
                self._leave(name)
        for name in changes.configurations:
            if name in self.route_configs:
                self._dirty[name] = None
                self._cleared.setdefault(name, {}).update(self.route_configs[name].clear_nacks())
        self._look(changes.keys)

    def on_request(self, request: Request) -> None:
        """Take in what Envoy says."""
        if request.type_url in self.resource_states:
            self._hear_pool(self.resource_states[request.type_url], request)
        elif request.type_url == ROUTES:
            self._hear_routes(request)
        elif request.type_url == RUNTIME:
            self._hear_runtime(request)

    def pending_responses(self, now: float) -> list[bytes]:
        """Everything that may be sent now, in order."""
        said: list[bytes] = []
        clusters = self.resource_states[CLUSTER]
        self.resource_states[LISTENER].clear_nacks(self._bind_retries.due(now))
        self._speak_runtime(said)
        if answer := clusters.next_response():
            said.append(answer)
            self.resource_states[ENDPOINTS].resend(
                clusters.subscription.in_flight.resources if clusters.subscription.in_flight else ()
            )
        for type_url in (ENDPOINTS, SECRET, LISTENER):
            if (type_url != LISTENER or clusters.idle) and (answer := self.resource_states[type_url].next_response()):
                said.append(answer)
        self._speak_routes(said)
        self._speak_removals(said, now)
        if (at := self._bind_retries.next_due) is not None:
            self._wake_by(at)
        return said

    # ── clusters, endpoints, listeners, certificates ─────────────────────────

    def _hear_pool(self, pool: ResourceState, request: Request) -> None:
        heard = pool.on_request(request)
        type_url = pool.subscription.type_url
        if heard.first:
            self._tell_known(pool)
        for name, resource in (heard.acked.resources if heard.acked else {}).items():
            self._tell(type_url, name, "", resource.version, "", resource.origins)
            if type_url == LISTENER:
                self._bind_retries.clear(name)
        if heard.nacked is not None and (culprit := pool.attribute_nack(heard.nacked, heard.error)) is not None:
            resource = heard.nacked.resources[culprit]
            self._tell(type_url, culprit, "", resource.version, heard.error, resource.origins)
            if type_url == LISTENER and cannot_bind(heard.error):
                self._bind_retries.failed(culprit)
        if type_url == CLUSTER:
            self._clusters_changed(heard)

    def _clusters_changed(self, heard: ReceivedRequest) -> None:
        """Envoy has other clusters, or may have: some routes waited for them, some of them nobody wants any more."""
        pool, flight = self.resource_states[CLUSTER], heard.acked or heard.nacked
        for name in (*(flight.resources if flight else ()), *(pool.unwanted() if heard.first else ())):
            self._push_users(name)
            if name not in self._desired.of_type(CLUSTER):
                self._leave(name)
        for name in flight.removed if flight else ():
            self._leaving.pop(name, None)

    def _tell_known(self, pool: ResourceState) -> None:
        """This Envoy comes back: what it has and refuses already is news to a server that was restarted."""
        for name, resource in self._desired.of_type(pool.subscription.type_url).items():
            if pool.subscription.acked_versions.get(name) == resource.version:
                self._tell(pool.subscription.type_url, name, "", resource.version, "", resource.origins)
            elif (refusal := pool.nacks.get(name)) and refusal.version == resource.version:
                self._tell(pool.subscription.type_url, name, "", refusal.version, refusal.message, resource.origins)

    def _absent(self) -> set[str]:
        """The clusters that routes refer to and that this Envoy does not have. Asked whole: there may be thousands."""
        return set(self._desired.users_of_cluster).difference(
            self.resource_states[CLUSTER].subscription.acked_versions, BUILT_IN_CLUSTERS
        )

    def _dead(self, cluster: str) -> bool:
        return cluster not in self._desired.of_type(CLUSTER) or cluster in self.resource_states[CLUSTER].nacks

    def _push_users(self, cluster: str) -> None:
        """A cluster came or will not come: routes may have waited for it."""
        for configuration, _ in self._desired.users_of_cluster.get(cluster, ()):
            if configuration in self.route_configs:
                self._dirty[configuration] = None

    def _leave(self, cluster: str) -> None:
        if self.resource_states[CLUSTER].may_have(cluster):
            self._leaving[cluster] = None

    def _speak_removals(self, said: list[bytes], now: float) -> None:
        self.wake_at = None
        clusters = self.resource_states[CLUSTER]
        if not self._leaving or not clusters.subscription.open:
            return
        known = self._known()
        due = []
        for name, since in self._leaving.items():
            if not known or self._dirty or self._refers(name) or not self.resource_states[LISTENER].idle:
                self._leaving[name] = None
            elif since is None:
                self._leaving[name] = now
                self._wake_by(now + self._grace)
            elif now < since + self._grace:
                self._wake_by(since + self._grace)
            else:
                due.append(name)
        if due and clusters.idle and (answer := clusters.next_response(tuple(due))):
            said.append(answer)

    def _refers(self, cluster: str) -> bool:
        """Whether routes that this Envoy took, or is getting, refer to a cluster."""
        return any(
            body.hosts.refers_to(cluster) for table in self.route_configs.values() for body in table.sent_configs
        )

    def _wake_by(self, time: float) -> None:
        self.wake_at = time if self.wake_at is None else min(self.wake_at, time)

    # ── routes ───────────────────────────────────────────────────────────────

    def _hear_routes(self, request: Request) -> None:
        heard = self._routes.on_request(request)
        for name in heard.unsubscribed:
            if self.route_configs.pop(name, None) is not None:
                self._dirty.pop(name, None)
                self._cleared.pop(name, None)
                self._look(self.overlay.weights)
        for name in heard.subscribed:
            self._dirty[name] = None
            if name in self.route_configs:
                self.route_configs[name].resend()
                continue
            table = RouteConfigState(name, self._desired)
            table.reported_version = self._routes.acked_versions.get(name, "")
            if name in self._previous:
                table.resume(self._previous[name])
                self._tell_found(table)
            self.route_configs[name] = table
        self._previous.clear()
        self._hear_answer(heard)

    def _hear_answer(self, heard: ReceivedRequest) -> None:
        flight = heard.acked or heard.nacked
        name = next(iter(flight.resources), None) if flight else None
        if name is None or name not in self.route_configs:
            return
        table = self.route_configs[name]
        if table.in_flight is None:
            return  # it was dropped and asked for again since
        if table.bisecting or heard.nacked is not None:
            self._dirty[name] = None
        if heard.acked is not None:
            table.on_ack()
            self._tell(ROUTES, name, "", heard.acked.resources[name].version)
            for host, origins in self._cleared.pop(name, {}).items():
                if host not in table.nacks:
                    self._tell(ROUTES, name, host, "", "", origins)
        else:
            table.on_nack(heard.error)
        self._look(self.overlay.weights)

    def _known(self) -> bool:
        """Whether it is known by which routes this Envoy serves."""
        listeners = self.resource_states[LISTENER]
        mute = not listeners.subscription.acked_versions or (listeners.idle and not self._desired.serves_http)
        spoken = self._routes.open or (listeners.subscription.open and mute)
        if self._reconnecting and not spoken:
            return False
        return all(
            table.acked is not None
            for table in self.route_configs.values()
            if self._desired.has_configuration(table.name)
        )

    def _speak_routes(self, said: list[bytes]) -> None:
        """One route configuration at a time; it waits until it is known which clusters this Envoy has."""
        if self._routes.in_flight is not None or not self.resource_states[CLUSTER].subscription.open:
            return
        while self._dirty:
            name = next(iter(self._dirty))
            del self._dirty[name]
            table = self.route_configs[name]
            if not self._desired.has_configuration(name):
                continue
            unknown = table.acked is None
            table.in_flight = table.next_config(self._absent(), self._dead)
            if unknown and table.acked is not None:
                self._tell(ROUTES, name, "", table.acked.version)
            self._tell_found(table)
            if table.in_flight is not None:
                said.append(self._routes.send({name: table.in_flight.resource()}))
                return
            self._look(self.overlay.weights)

    def _tell_found(self, table: RouteConfigState) -> None:
        found, table.new_nacks = table.new_nacks, []
        for host, message in found:
            if host is None:
                self._tell(ROUTES, table.name, "", "", message)
            else:
                self._tell(ROUTES, table.name, host.name, host.shape, message, host.origins)

    # ── weights ──────────────────────────────────────────────────────────────

    def _hear_runtime(self, request: Request) -> None:
        heard = self._runtime.on_request(request)
        if heard.nacked is not None:
            self._nacked_runtime = self.overlay.resource().version
            self._fold()

    def _speak_runtime(self, said: list[bytes]) -> None:
        if self._runtime.in_flight is not None or RUNTIME_LAYER not in self._runtime.names:
            return
        if self._overlay_waits:
            if not self._known():
                return
            self._overlay_waits = False
            self._look({*self.overlay.weights, *self._outdated_keys()})
        layer = self.overlay.resource()
        if layer.version not in (self._runtime.acked_versions.get(RUNTIME_LAYER), self._nacked_runtime):
            said.append(self._runtime.send({RUNTIME_LAYER: layer}))

    def _outdated_keys(self) -> Iterable[str]:
        """The keys whose weights have changed since this Envoy got its routes, on whatever stream that was."""
        for table in self.route_configs.values():
            for body in table.sent_configs:
                for _, sent in body.hosts.items():
                    for key, weights in sent.weights.items():
                        if self._desired.weights.get(key) != weights:
                            yield key

    def _look(self, keys: Iterable[str]) -> None:
        if self._overlay_waits:
            return  # it is not known yet which weights stand in this Envoy's routes
        self.overlay.update(keys)
        if self.overlay.should_fold:
            self._fold()

    def _fold(self) -> None:
        for name in self.overlay.configurations_to_fold() & self.route_configs.keys():
            self._dirty[name] = None

    # ── facts ────────────────────────────────────────────────────────────────

    def _tell(
        self, type_url: str, name: str, host: str, version: str, message: str = "", origins: tuple[Ref, ...] = ()
    ) -> None:
        self.outcomes.append(News(type_url, name, host, version, message, origins))
