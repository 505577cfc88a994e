"""One route configuration of one Envoy. Pure.

What is sent is made of the desired virtual hosts, with these exceptions:

* a host whose clusters Envoy does not have yet stays as Envoy has it, or out while it is new;
* a host that Envoy refused stays as Envoy has it; a new one answers 500 for its domains; if even that is refused
  (its domains are to blame), it stays out;
* while a refusal is tried by halves, hosts that are not on trial stay as Envoy has them.

Weights go on changing in whatever stays: they are no part of a host's shape.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from headgate.api.meta import Ref
from headgate.envoy import names
from headgate.envoy.resources import Resource, VirtualHost, Weights, clusters_of, route_configuration, unavailable

from .desired import Desired, Sent, sent
from .halves import Trials
from .pools import Refusal

#: Bodies known to be refused that a table remembers.
_REMEMBERED = 64


class Body:
    """A route configuration as it is or was sent."""

    def __init__(self, name: str, hosts: Mapping[str, Sent], before: "Body | None" = None) -> None:
        """`before` is one that differs little: its order need not be found again."""
        self.name = name
        self.hosts = hosts
        self._order = sorted(hosts) if before is None else before.order_of(hosts)
        self.version = names.digest(name, "".join([hosts[host].digest for host in self._order]))
        self._clusters: frozenset[str] | None = None

    def order_of(self, hosts: Mapping[str, Sent]) -> list[str]:
        """The order of other hosts, most of which are ours."""
        if hosts.keys() == self.hosts.keys():
            return self._order
        return sorted([*(name for name in self._order if name in hosts), *(hosts.keys() - self.hosts.keys())])

    def resource(self) -> Resource:
        """As it goes over the wire."""
        body = route_configuration(self.name, [self.hosts[host].body for host in self._order])
        return Resource(names.ROUTES, self.name, body, self.version)

    @property
    def clusters(self) -> frozenset[str]:
        """Every cluster that it refers to."""
        if self._clusters is None:
            self._clusters = frozenset().union(*(clusters_of(each.host) for each in self.hosts.values()))
        return self._clusters

    def weights(self, host: str, key: str) -> Weights | None:
        """The weights that stand in it."""
        found = self.hosts.get(host)
        return None if found is None else found.weights.get(key)


class Table:
    """A route configuration that an Envoy asked for."""

    def __init__(self, name: str, desired: Desired) -> None:
        self.name = name
        #: What Envoy said it took; None while that is not known.
        self.taken: Body | None = None
        self.flight: Body | None = None
        self.refusals: dict[str, list[Refusal]] = {}
        #: The version that Envoy came back with; "" for an Envoy that has nothing.
        self.reported = ""
        #: Refusals that were found since the last look: the host (None: the configuration as such), and Envoy's words.
        self.found: list[tuple[VirtualHost | None, str]] = []
        self._desired = desired
        self._trials: Trials[str] = Trials()
        self._again = False
        self._refused: dict[str, str] = {}

    @property
    def bodies(self) -> tuple[Body, ...]:
        """What Envoy may be serving by right now."""
        return tuple(body for body in (self.taken, self.flight) if body is not None)

    @property
    def trying(self) -> bool:
        """Whether a refusal is being tried by halves."""
        return bool(self._trials)

    def recall(self, past: "Table") -> None:
        """This Envoy comes back, and we remember what an earlier stream sent it."""
        self.refusals = {name: list(each) for name, each in past.refusals.items()}
        self._refused = dict(past._refused)
        for name, each in self.refusals.items():
            host = self._desired.host(self.name, name)
            self.found += [(host, refusal.message) for refusal in each if host and host.shape == refusal.version]
        self.taken = next((body for body in past.bodies if body.version == self.reported), None)

    def next(self, absent: AbstractSet[str], dead: Callable[[str], bool]) -> Body | None:
        """What to send now; None when Envoy is as it should be. `absent` are clusters that it does not have, of which
        the `dead` ones will not come.
        """
        while True:
            target = self._target(absent, dead)
            if self._trials:
                target = self._only(target, self._trials.current)
            body = Body(self.name, target, self.taken)
            if self.taken is None and body.version == self.reported:
                self.taken = body  # it comes back with just what it should have
            if self.taken is not None and body.version == self.taken.version and not self._again:
                if not self._trials:
                    return None
                self._trials.passed()
            elif body.version not in self._refused:
                self._again = False
                return body
            elif not self._blame(body, self._refused[body.version]):
                return None

    def send_again(self) -> None:
        """Envoy asked once more for what it has."""
        self._again = True

    def was_taken(self) -> None:
        """Envoy took the body in flight."""
        self.taken, self.flight = self.flight, None
        self._trials.passed()

    def was_refused(self, message: str) -> None:
        """Envoy refused the body in flight; see `found`."""
        body, self.flight = self.flight, None
        if body is None:
            return
        self._refused[body.version] = message
        while len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]
        if not self._blame(body, message):
            self.found.append((None, message))

    def forgive(self) -> dict[str, tuple[Ref, ...]]:
        """Drop refusals of hosts that have changed or gone since; their names and what they came from."""
        gone = {}
        for name, refusals in list(self.refusals.items()):
            host = self._desired.host(self.name, name)
            if host is None or all(refusal.version != host.shape for refusal in refusals):
                gone[name] = self.refusals.pop(name)[0].origins
        return gone

    # ── inside ───────────────────────────────────────────────────────────────

    def _blame(self, body: Body, message: str) -> bool:
        """Cut the suspects in two, or find the one to blame; False when nothing can be done about it."""
        before = self.taken.hosts if self.taken is not None else {}
        gone = [name for name in before if name not in body.hosts]
        changed = [
            name for name, each in body.hosts.items() if name not in before or before[name].digest != each.digest
        ]
        suspects = sorted(gone) + sorted(changed)
        if not suspects:
            self._trials.clear()
            return False
        culprit = self._trials.failed(suspects)
        if culprit is None:
            return True
        if culprit not in body.hosts:
            return bool(self._trials)
        host = body.hosts[culprit].host
        self.refusals.setdefault(culprit, []).append(Refusal(host.shape, message, host.origins))
        self.found.append((host, message))
        return True

    def _target(self, absent: AbstractSet[str], dead: Callable[[str], bool]) -> dict[str, Sent]:
        """All hosts as they should be for this Envoy now."""
        target = dict(self._desired.table(self.name))
        for cluster in absent:
            for configuration, name in self._desired.users_of_cluster[cluster]:
                if configuration == self.name and name in target:
                    self._instead(target, name, new_answers_500=dead(cluster))
        for name in self.refusals:
            if name in target and self._refuses(name, target[name].host):
                self._instead(target, name, new_answers_500=True)
        return target

    def _instead(self, target: dict[str, Sent], name: str, *, new_answers_500: bool) -> None:
        """Put what Envoy has of a host in its place, or nothing, or a plain 500."""
        wanted = target.pop(name)
        kept = self.taken.hosts.get(name) if self.taken is not None else None
        if kept is not None and not self._refuses(name, kept.host):
            target[name] = self._reweighed(kept)
        elif new_answers_500:
            plain = unavailable(wanted.host)
            if not self._refuses(name, plain):
                target[name] = sent(plain, {})

    def _refuses(self, name: str, host: VirtualHost) -> bool:
        return any(refusal.version == host.shape for refusal in self.refusals.get(name, ()))

    def _reweighed(self, kept: Sent) -> Sent:
        today = {key: self._desired.weights.get(key, weights) for key, weights in kept.weights.items()}
        return kept if today == kept.weights else sent(kept.host, today)

    def _only(self, target: dict[str, Sent], trial: tuple[str, ...]) -> dict[str, Sent]:
        """What Envoy has, with the hosts on trial as they should be."""
        hosts = dict(self.taken.hosts) if self.taken is not None else {}
        for name in trial:
            if name in target:
                hosts[name] = target[name]
            else:
                hosts.pop(name, None)
        return hosts
