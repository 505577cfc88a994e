"""One route configuration of one Envoy. Pure.

What is sent is made of the desired virtual hosts, with these exceptions:

* a host whose clusters Envoy does not have yet stays as Envoy has it, or out while it is new;
* a host that Envoy refused stays as Envoy has it; a new one answers 500 for its domains; if even that is refused
  (its domains are to blame), it stays out;
* while a refusal is tried by halves, hosts that are not on trial stay as Envoy has them.

Weights go on changing in whatever stays: they are no part of a host's shape.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from headgate.api.meta import Ref
from headgate.envoy import names
from headgate.envoy.resources import Resource, VirtualHost, Weights, route_configuration, unavailable

from .blocks import Hosts, Sent, sent
from .desired import Desired
from .halves import Trials
from .pools import Refusal

#: Bodies known to be refused that a table remembers.
_REMEMBERED = 64


class Body:
    """A route configuration as it is or was sent."""

    def __init__(self, name: str, hosts: Hosts) -> None:
        self.name = name
        self.hosts = hosts
        self.version = names.digest(name, hosts.digest)

    def resource(self) -> Resource:
        """As it goes over the wire."""
        return Resource(names.ROUTES, self.name, route_configuration(self.name, self.hosts.bodies()), self.version)

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
            body = Body(self.name, target)
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
        differing = sorted(body.hosts.differing(self._taken_hosts))
        suspects = sorted(differing, key=lambda name: name in body.hosts)  # those that are gone come first
        if not suspects:
            self._trials.clear()
            return False
        culprit = self._trials.failed(suspects)
        if culprit is None:
            return True
        if (blamed := body.hosts.get(culprit)) is None:
            return bool(self._trials)
        host = blamed.host
        self.refusals.setdefault(culprit, []).append(Refusal(host.shape, message, host.origins))
        self.found.append((host, message))
        return True

    @property
    def _taken_hosts(self) -> Hosts:
        return Hosts() if self.taken is None else self.taken.hosts

    def _target(self, absent: AbstractSet[str], dead: Callable[[str], bool]) -> Hosts:
        """All hosts as they should be for this Envoy now."""
        wanted, instead = self._desired.table(self.name), dict[str, Sent | None]()
        waiting: dict[str, bool] = {}  # for clusters, of which all are dead or some may come
        for cluster in absent:
            for configuration, name in self._desired.users_of_cluster[cluster]:
                if configuration == self.name:
                    waiting[name] = dead(cluster) and waiting.get(name, True)
        for name, in_vain in waiting.items():
            if (found := wanted.get(name)) is not None:
                instead[name] = self._instead(name, found, new_answers_500=in_vain)
        for name in self.refusals:
            found = instead[name] if name in instead else wanted.get(name)
            if found is not None and self._refuses(name, found.host):
                instead[name] = self._instead(name, found, new_answers_500=True)
        return wanted.changed(instead)

    def _instead(self, name: str, wanted: Sent, *, new_answers_500: bool) -> Sent | None:
        """What Envoy has of a host, in its place, or nothing, or a plain 500."""
        kept = self._taken_hosts.get(name)
        if kept is not None and not self._refuses(name, kept.host):
            return self._reweighed(kept)
        if new_answers_500 and not self._refuses(name, plain := unavailable(wanted.host)):
            return sent(plain, {})
        return None

    def _refuses(self, name: str, host: VirtualHost) -> bool:
        return any(refusal.version == host.shape for refusal in self.refusals.get(name, ()))

    def _reweighed(self, kept: Sent) -> Sent:
        today = {key: self._desired.weights.get(key, weights) for key, weights in kept.weights.items()}
        return kept if today == kept.weights else sent(kept.host, today)

    def _only(self, target: Hosts, trial: tuple[str, ...]) -> Hosts:
        """What Envoy has, with the hosts on trial as they should be."""
        return self._taken_hosts.changed({name: target.get(name) for name in trial})
