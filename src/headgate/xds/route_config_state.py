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

from .bisect_nack import Bisection
from .desired import DesiredState
from .resource_state import Nack
from .virtual_hosts import RenderedVirtualHost, VirtualHosts, render_virtual_host

#: Bodies known to be refused that a table remembers.
_REMEMBERED = 64


class SentRouteConfig:
    """A route configuration as it is or was sent."""

    def __init__(self, name: str, hosts: VirtualHosts) -> None:
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


class RouteConfigState:
    """A route configuration that an Envoy asked for."""

    def __init__(self, name: str, desired: DesiredState) -> None:
        self.name = name
        #: What Envoy said it took; None while that is not known.
        self.acked: SentRouteConfig | None = None
        self.in_flight: SentRouteConfig | None = None
        self.nacks: dict[str, list[Nack]] = {}
        #: The version that Envoy came back with; "" for an Envoy that has nothing.
        self.reported_version = ""
        #: Refusals that were found since the last look: the host (None: the configuration as such), and Envoy's words.
        self.new_nacks: list[tuple[VirtualHost | None, str]] = []
        self._desired = desired
        self._bisection: Bisection[str] = Bisection()
        self._resend = False
        self._nacked_versions: dict[str, str] = {}

    @property
    def sent_configs(self) -> tuple[SentRouteConfig, ...]:
        """What Envoy may be serving by right now."""
        return tuple(body for body in (self.acked, self.in_flight) if body is not None)

    @property
    def bisecting(self) -> bool:
        """Whether a refusal is being tried by halves."""
        return bool(self._bisection)

    def resume(self, previous: "RouteConfigState") -> None:
        """This Envoy comes back, and we remember what an earlier stream sent it."""
        self.nacks = {name: list(each) for name, each in previous.nacks.items()}
        self._nacked_versions = dict(previous._nacked_versions)
        for name, each in self.nacks.items():
            host = self._desired.host(self.name, name)
            self.new_nacks += [(host, refusal.message) for refusal in each if host and host.shape == refusal.version]
        self.acked = next((body for body in previous.sent_configs if body.version == self.reported_version), None)

    def next_config(self, missing: AbstractSet[str], never_available: Callable[[str], bool]) -> SentRouteConfig | None:
        """What to send now; None when Envoy is as it should be. `absent` are clusters that it does not have, of which
        the `dead` ones will not come.
        """
        while True:
            target = self._target(missing, never_available)
            if self._bisection:
                target = self._limited_to(target, self._bisection.current)
            body = SentRouteConfig(self.name, target)
            if self.acked is None and body.version == self.reported_version:
                self.acked = body  # it comes back with just what it should have
            if self.acked is not None and body.version == self.acked.version and not self._resend:
                if not self._bisection:
                    return None
                self._bisection.passed()
            elif body.version not in self._nacked_versions:
                self._resend = False
                return body
            elif not self._attribute_nack(body, self._nacked_versions[body.version]):
                return None

    def resend(self) -> None:
        """Envoy asked once more for what it has."""
        self._resend = True

    def on_ack(self) -> None:
        """Envoy took the body in flight."""
        self.acked, self.in_flight = self.in_flight, None
        self._bisection.passed()

    def on_nack(self, message: str) -> None:
        """Envoy refused the body in flight; see `found`."""
        body, self.in_flight = self.in_flight, None
        if body is None:
            return
        self._nacked_versions[body.version] = message
        while len(self._nacked_versions) > _REMEMBERED:
            del self._nacked_versions[next(iter(self._nacked_versions))]
        if not self._attribute_nack(body, message):
            self.new_nacks.append((None, message))

    def clear_nacks(self) -> dict[str, tuple[Ref, ...]]:
        """Drop refusals of hosts that have changed or gone since; their names and what they came from."""
        gone = {}
        for name, refusals in list(self.nacks.items()):
            host = self._desired.host(self.name, name)
            if host is None or all(refusal.version != host.shape for refusal in refusals):
                gone[name] = self.nacks.pop(name)[0].origins
        return gone

    # ── inside ───────────────────────────────────────────────────────────────

    def _attribute_nack(self, body: SentRouteConfig, message: str) -> bool:
        """Cut the suspects in two, or find the one to blame; False when nothing can be done about it."""
        differing = sorted(body.hosts.differing_from(self._acked_hosts))
        suspects = sorted(differing, key=lambda name: name in body.hosts)  # those that are gone come first
        if not suspects:
            self._bisection.clear()
            return False
        culprit = self._bisection.failed(suspects)
        if culprit is None:
            return True
        if (blamed := body.hosts.get(culprit)) is None:
            return bool(self._bisection)
        host = blamed.host
        self.nacks.setdefault(culprit, []).append(Nack(host.shape, message, host.origins))
        self.new_nacks.append((host, message))
        return True

    @property
    def _acked_hosts(self) -> VirtualHosts:
        return VirtualHosts() if self.acked is None else self.acked.hosts

    def _target(self, missing: AbstractSet[str], never_available: Callable[[str], bool]) -> VirtualHosts:
        """All hosts as they should be for this Envoy now."""
        wanted, instead = self._desired.virtual_hosts(self.name), dict[str, RenderedVirtualHost | None]()
        waiting: dict[str, bool] = {}  # for clusters, of which all are dead or some may come
        for cluster in missing:
            for configuration, name in self._desired.users_of_cluster[cluster]:
                if configuration == self.name:
                    waiting[name] = never_available(cluster) and waiting.get(name, True)
        for name, in_vain in waiting.items():
            if (found := wanted.get(name)) is not None:
                instead[name] = self._substitute(name, found, new_answers_500=in_vain)
        for name in self.nacks:
            found = instead[name] if name in instead else wanted.get(name)
            if found is not None and self._is_nacked(name, found.host):
                instead[name] = self._substitute(name, found, new_answers_500=True)
        return wanted.with_changes(instead)

    def _substitute(
        self, name: str, wanted: RenderedVirtualHost, *, new_answers_500: bool
    ) -> RenderedVirtualHost | None:
        """What Envoy has of a host, in its place, or nothing, or a plain 500."""
        acked = self._acked_hosts.get(name)
        if acked is not None and not self._is_nacked(name, acked.host):
            return self._with_current_weights(acked)
        if new_answers_500 and not self._is_nacked(name, plain := unavailable(wanted.host)):
            return render_virtual_host(plain, {})
        return None

    def _is_nacked(self, name: str, host: VirtualHost) -> bool:
        return any(refusal.version == host.shape for refusal in self.nacks.get(name, ()))

    def _with_current_weights(self, rendered: RenderedVirtualHost) -> RenderedVirtualHost:
        today = {key: self._desired.weights.get(key, weights) for key, weights in rendered.weights.items()}
        return rendered if today == rendered.weights else render_virtual_host(rendered.host, today)

    def _limited_to(self, target: VirtualHosts, trial: tuple[str, ...]) -> VirtualHosts:
        """What Envoy has, with the hosts on trial as they should be."""
        return self._acked_hosts.with_changes({name: target.get(name) for name in trial})
