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

from .binding import Unbound, cannot_bind
from .desired import Changes, Desired
from .lane import Lane
from .pools import Pool
from .stream import Heard, Subscription
from .tables import Table

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


class Proxy:
    """One stream of one Envoy. One that is `returning` has state from an earlier stream; `past` is that stream, if
    this server had it.
    """

    def __init__(
        self, desired: Desired, past: "Proxy | None" = None, *, returning: bool = False, grace: float = GRACE
    ) -> None:
        self.news: list[News] = []
        #: When to speak again although nothing was heard; None: never.
        self.wake: float | None = None
        self.tables: dict[str, Table] = {}
        self.lane = Lane(desired, self.tables)
        self.pools: dict[str, Pool] = {
            type_url: Pool(type_url, desired.of(type_url), None if past is None else past.pools[type_url])
            for type_url in (CLUSTER, ENDPOINTS, SECRET, LISTENER)
        }
        self._desired = desired
        self._grace = grace
        self._routes = Subscription(ROUTES)
        self._runtime = Subscription(RUNTIME)
        self._runtime_refused = ""
        self._returning = returning
        self._lane_waits = returning
        self._unbound: Unbound = past._unbound if past is not None else Unbound()
        #: Route configurations of the past that were not asked for again yet.
        self._past: dict[str, Table] = {}
        if past is not None:
            self._past = {**past._past, **past.tables}
            self.lane.inherit(past.lane)
        self._dirty: dict[str, None] = {}
        self._forgiven: dict[str, dict[str, tuple[Ref, ...]]] = {}
        #: Clusters that should go: since when no route refers to them, None while one does.
        self._leaving: dict[str, float | None] = {}

    @property
    def settled(self) -> bool:
        """Whether this Envoy has all that is desired and nothing else."""
        return (
            self.pools[CLUSTER].stream.open
            and self._known()
            and all(pool.quiet for pool in self.pools.values())
            and not (self._dirty or self._leaving or self._routes.flight or self._runtime.flight or self._lane_waits)
            and not any(table.refusals for table in self.tables.values())
        )

    # ── what happens ─────────────────────────────────────────────────────────

    def changed(self, changes: Changes) -> None:
        """`desired` was changed so."""
        for type_url, changed in changes.names.items():
            if type_url in self.pools:
                self.pools[type_url].changed(changed)
        for name in changes.names.get(LISTENER, ()):
            self._unbound.over(name)
        for name in changes.names.get(CLUSTER, ()):
            if name in self._desired.of(CLUSTER):
                self._leaving.pop(name, None)
                self._push_users(name)
            else:
                self._leave(name)
        for name in changes.configurations:
            if name in self.tables:
                self._dirty[name] = None
                self._forgiven.setdefault(name, {}).update(self.tables[name].forgive())
        self._look(changes.keys)

    def hear(self, request: Request) -> None:
        """Take in what Envoy says."""
        if request.type_url in self.pools:
            self._hear_pool(self.pools[request.type_url], request)
        elif request.type_url == ROUTES:
            self._hear_routes(request)
        elif request.type_url == RUNTIME:
            self._hear_runtime(request)

    def speak(self, now: float) -> list[bytes]:
        """Everything that may be sent now, in order."""
        said: list[bytes] = []
        clusters = self.pools[CLUSTER]
        self.pools[LISTENER].forgive(self._unbound.due(now))
        self._speak_runtime(said)
        if answer := clusters.next():
            said.append(answer)
            self.pools[ENDPOINTS].again(clusters.stream.flight.resources if clusters.stream.flight else ())
        for type_url in (ENDPOINTS, SECRET, LISTENER):
            if (type_url != LISTENER or clusters.quiet) and (answer := self.pools[type_url].next()):
                said.append(answer)
        self._speak_routes(said)
        self._speak_removals(said, now)
        if (at := self._unbound.wake) is not None:
            self._wake_at(at)
        return said

    # ── clusters, endpoints, listeners, certificates ─────────────────────────

    def _hear_pool(self, pool: Pool, request: Request) -> None:
        heard = pool.hear(request)
        type_url = pool.stream.type_url
        if heard.first:
            self._tell_known(pool)
        for name, resource in (heard.taken.resources if heard.taken else {}).items():
            self._tell(type_url, name, "", resource.version, "", resource.origins)
            if type_url == LISTENER:
                self._unbound.over(name)
        if heard.refused is not None and (culprit := pool.blame(heard.refused, heard.error)) is not None:
            resource = heard.refused.resources[culprit]
            self._tell(type_url, culprit, "", resource.version, heard.error, resource.origins)
            if type_url == LISTENER and cannot_bind(heard.error):
                self._unbound.failed(culprit)
        if type_url == CLUSTER:
            self._clusters_changed(heard)

    def _clusters_changed(self, heard: Heard) -> None:
        """Envoy has other clusters, or may have: some routes waited for them, some of them nobody wants any more."""
        pool, flight = self.pools[CLUSTER], heard.taken or heard.refused
        for name in (*(flight.resources if flight else ()), *(pool.surplus() if heard.first else ())):
            self._push_users(name)
            if name not in self._desired.of(CLUSTER):
                self._leave(name)
        for name in flight.removed if flight else ():
            self._leaving.pop(name, None)

    def _tell_known(self, pool: Pool) -> None:
        """This Envoy comes back: what it has and refuses already is news to a server that was restarted."""
        for name, resource in self._desired.of(pool.stream.type_url).items():
            if pool.stream.have.get(name) == resource.version:
                self._tell(pool.stream.type_url, name, "", resource.version, "", resource.origins)
            elif (refusal := pool.refusals.get(name)) and refusal.version == resource.version:
                self._tell(pool.stream.type_url, name, "", refusal.version, refusal.message, resource.origins)

    def _absent(self) -> set[str]:
        """The clusters that routes refer to and that this Envoy does not have. Asked whole: there may be thousands."""
        return set(self._desired.users_of_cluster).difference(self.pools[CLUSTER].stream.have, BUILT_IN_CLUSTERS)

    def _dead(self, cluster: str) -> bool:
        return cluster not in self._desired.of(CLUSTER) or cluster in self.pools[CLUSTER].refusals

    def _push_users(self, cluster: str) -> None:
        """A cluster came or will not come: routes may have waited for it."""
        for configuration, _ in self._desired.users_of_cluster.get(cluster, ()):
            if configuration in self.tables:
                self._dirty[configuration] = None

    def _leave(self, cluster: str) -> None:
        if self.pools[CLUSTER].may_have(cluster):
            self._leaving[cluster] = None

    def _speak_removals(self, said: list[bytes], now: float) -> None:
        self.wake = None
        clusters = self.pools[CLUSTER]
        if not self._leaving or not clusters.stream.open:
            return
        known = self._known()
        due = []
        for name, since in self._leaving.items():
            if not known or self._dirty or self._refers(name) or not self.pools[LISTENER].quiet:
                self._leaving[name] = None
            elif since is None:
                self._leaving[name] = now
                self._wake_at(now + self._grace)
            elif now < since + self._grace:
                self._wake_at(since + self._grace)
            else:
                due.append(name)
        if due and clusters.quiet and (answer := clusters.next(tuple(due))):
            said.append(answer)

    def _refers(self, cluster: str) -> bool:
        """Whether routes that this Envoy took, or is getting, refer to a cluster."""
        return any(body.hosts.refers(cluster) for table in self.tables.values() for body in table.bodies)

    def _wake_at(self, time: float) -> None:
        self.wake = time if self.wake is None else min(self.wake, time)

    # ── routes ───────────────────────────────────────────────────────────────

    def _hear_routes(self, request: Request) -> None:
        heard = self._routes.hear(request)
        for name in heard.unsubscribed:
            if self.tables.pop(name, None) is not None:
                self._dirty.pop(name, None)
                self._forgiven.pop(name, None)
                self._look(self.lane.overlay)
        for name in heard.subscribed:
            self._dirty[name] = None
            if name in self.tables:
                self.tables[name].send_again()
                continue
            table = Table(name, self._desired)
            table.reported = self._routes.have.get(name, "")
            if name in self._past:
                table.recall(self._past[name])
                self._tell_found(table)
            self.tables[name] = table
        self._past.clear()
        self._hear_answer(heard)

    def _hear_answer(self, heard: Heard) -> None:
        flight = heard.taken or heard.refused
        name = next(iter(flight.resources), None) if flight else None
        if name is None or name not in self.tables:
            return
        table = self.tables[name]
        if table.flight is None:
            return  # it was dropped and asked for again since
        if table.trying or heard.refused is not None:
            self._dirty[name] = None
        if heard.taken is not None:
            table.was_taken()
            self._tell(ROUTES, name, "", heard.taken.resources[name].version)
            for host, origins in self._forgiven.pop(name, {}).items():
                if host not in table.refusals:
                    self._tell(ROUTES, name, host, "", "", origins)
        else:
            table.was_refused(heard.error)
        self._look(self.lane.overlay)

    def _known(self) -> bool:
        """Whether it is known by which routes this Envoy serves."""
        listeners = self.pools[LISTENER]
        mute = not listeners.stream.have or (listeners.quiet and not self._desired.speaks)
        spoken = self._routes.open or (listeners.stream.open and mute)
        if self._returning and not spoken:
            return False
        return all(
            table.taken is not None for table in self.tables.values() if self._desired.has_configuration(table.name)
        )

    def _speak_routes(self, said: list[bytes]) -> None:
        """One route configuration at a time; it waits until it is known which clusters this Envoy has."""
        if self._routes.flight is not None or not self.pools[CLUSTER].stream.open:
            return
        while self._dirty:
            name = next(iter(self._dirty))
            del self._dirty[name]
            table = self.tables[name]
            if not self._desired.has_configuration(name):
                continue
            unknown = table.taken is None
            table.flight = table.next(self._absent(), self._dead)
            if unknown and table.taken is not None:
                self._tell(ROUTES, name, "", table.taken.version)
            self._tell_found(table)
            if table.flight is not None:
                said.append(self._routes.send({name: table.flight.resource()}))
                return
            self._look(self.lane.overlay)

    def _tell_found(self, table: Table) -> None:
        found, table.found = table.found, []
        for host, message in found:
            if host is None:
                self._tell(ROUTES, table.name, "", "", message)
            else:
                self._tell(ROUTES, table.name, host.name, host.shape, message, host.origins)

    # ── weights ──────────────────────────────────────────────────────────────

    def _hear_runtime(self, request: Request) -> None:
        heard = self._runtime.hear(request)
        if heard.refused is not None:
            self._runtime_refused = self.lane.resource().version
            self._fold()

    def _speak_runtime(self, said: list[bytes]) -> None:
        if self._runtime.flight is not None or RUNTIME_LAYER not in self._runtime.names:
            return
        if self._lane_waits:
            if not self._known():
                return
            self._lane_waits = False
            self._look({*self.lane.overlay, *self._outdated_keys()})
        layer = self.lane.resource()
        if layer.version not in (self._runtime.have.get(RUNTIME_LAYER), self._runtime_refused):
            said.append(self._runtime.send({RUNTIME_LAYER: layer}))

    def _outdated_keys(self) -> Iterable[str]:
        """The keys whose weights have changed since this Envoy got its routes, on whatever stream that was."""
        for table in self.tables.values():
            for body in table.bodies:
                for _, sent in body.hosts.items():
                    for key, weights in sent.weights.items():
                        if self._desired.weights.get(key) != weights:
                            yield key

    def _look(self, keys: Iterable[str]) -> None:
        if self._lane_waits:
            return  # it is not known yet which weights stand in this Envoy's routes
        self.lane.look(keys)
        if self.lane.full:
            self._fold()

    def _fold(self) -> None:
        for name in self.lane.tables_to_fold() & self.tables.keys():
            self._dirty[name] = None

    # ── facts ────────────────────────────────────────────────────────────────

    def _tell(
        self, type_url: str, name: str, host: str, version: str, message: str = "", origins: tuple[Ref, ...] = ()
    ) -> None:
        self.news.append(News(type_url, name, host, version, message, origins))
