"""One route configuration of one Envoy. Pure.

It is sent with the desired virtual hosts, except:

* A virtual host whose clusters Envoy does not have yet stays as Envoy has it, or is left out while it is new.
* A virtual host that Envoy NACKed stays as Envoy has it. A new one answers 500 for its domains. If Envoy NACKs even
  that (because of the domains), it is left out.
* While a NACK is bisected, virtual hosts outside of the part that is tried stay as Envoy has them.

In all of them the weights are the desired ones: weights are not part of the shape of a virtual host.
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

#: NACKed versions that are remembered per route configuration.
_MAX_NACKED_VERSIONS = 64


class SentRouteConfig:
    """A route configuration as it is or was sent."""

    def __init__(self, name: str, hosts: VirtualHosts) -> None:
        self.name = name
        self.hosts = hosts
        self.version = names.digest(name, hosts.digest)

    def resource(self) -> Resource:
        """The configuration as an xDS resource."""
        return Resource(names.ROUTES, self.name, route_configuration(self.name, self.hosts.bodies()), self.version)

    def weights(self, host: str, key: str) -> Weights | None:
        """The weights of a weights key in a virtual host; None if it does not use the key."""
        rendered = self.hosts.get(host)
        return None if rendered is None else rendered.weights.get(key)


class RouteConfigState:
    """A route configuration that an Envoy subscribes to."""

    def __init__(self, name: str, desired: DesiredState, reported_version: str = "") -> None:
        """`reported_version` is the version that Envoy reconnected with; empty if it has none."""
        self.name = name
        #: The configuration that Envoy ACKed; None while that is not known.
        self.acked: SentRouteConfig | None = None
        self.in_flight: SentRouteConfig | None = None
        #: NACKs by virtual host.
        self.nacks: dict[str, list[Nack]] = {}
        self._new_nacks: list[tuple[VirtualHost | None, str]] = []
        self._reported_version = reported_version
        self._desired = desired
        self._bisection: Bisection[str] = Bisection()
        self._resend = False
        self._nacked_versions: dict[str, str] = {}

    @property
    def sent_configs(self) -> tuple[SentRouteConfig, ...]:
        """The configurations by which Envoy may be routing at this moment."""
        return tuple(config for config in (self.acked, self.in_flight) if config is not None)

    @property
    def bisecting(self) -> bool:
        """Whether the culprit of a NACK is being found."""
        return bool(self._bisection)

    def resume(self, previous: "RouteConfigState") -> None:
        """Continue with what an earlier stream of the same Envoy sent it."""
        self.nacks = {name: list(nacks) for name, nacks in previous.nacks.items()}
        self._nacked_versions = dict(previous._nacked_versions)
        for name, nacks in self.nacks.items():
            host = self._desired.host(self.name, name)
            self._new_nacks += [(host, nack.message) for nack in nacks if host and host.shape == nack.version]
        self.acked = next(
            (config for config in previous.sent_configs if config.version == self._reported_version), None
        )

    def next_config(self, missing: AbstractSet[str], never_available: Callable[[str], bool]) -> SentRouteConfig | None:
        """The configuration to send now; None when Envoy has what it should have.

        Args:
            missing: the clusters that this Envoy does not have.
            never_available: whether a missing cluster will not come: it is not desired, or Envoy NACKed it.
        """
        while True:
            hosts = self._target(missing, never_available)
            if self._bisection:
                hosts = self._limited_to(hosts, self._bisection.current)
            config = SentRouteConfig(self.name, hosts)
            if self.acked is None and config.version == self._reported_version:
                self.acked = config  # Envoy reconnected with exactly what it should have
            if self.acked is not None and config.version == self.acked.version and not self._resend:
                if not self._bisection:
                    return None
                self._bisection.passed()
            elif config.version not in self._nacked_versions:
                self._resend = False
                return config
            elif not self._attribute_nack(config, self._nacked_versions[config.version]):
                return None

    def resend(self) -> None:
        """Envoy subscribed to the configuration again: send it even if it is unchanged."""
        self._resend = True

    def on_ack(self) -> None:
        """Envoy ACKed the configuration in flight."""
        self.acked, self.in_flight = self.in_flight, None
        self._bisection.passed()

    def on_nack(self, message: str) -> None:
        """Envoy NACKed the configuration in flight; see `take_new_nacks`."""
        config, self.in_flight = self.in_flight, None
        if config is None:
            return
        self._nacked_versions[config.version] = message
        while len(self._nacked_versions) > _MAX_NACKED_VERSIONS:
            del self._nacked_versions[next(iter(self._nacked_versions))]
        if not self._attribute_nack(config, message):
            self._new_nacks.append((None, message))

    def take_new_nacks(self) -> list[tuple[VirtualHost | None, str]]:
        """NACKs that were attributed since the last call: the virtual host (None: the configuration as such), and
        Envoy's error.
        """
        new, self._new_nacks = self._new_nacks, []
        return new

    def clear_nacks(self) -> dict[str, tuple[Ref, ...]]:
        """Forget the NACKs of virtual hosts that have changed or gone since; their names and origins."""
        cleared = {}
        for name, nacks in list(self.nacks.items()):
            host = self._desired.host(self.name, name)
            if host is None or all(nack.version != host.shape for nack in nacks):
                cleared[name] = self.nacks.pop(name)[0].origins
        return cleared

    # ── inside ───────────────────────────────────────────────────────────────

    def _attribute_nack(self, config: SentRouteConfig, message: str) -> bool:
        """Cut the suspects in two, or find the culprit; False when the NACK cannot be attributed to a virtual host."""
        differing = sorted(config.hosts.differing_from(self._acked_hosts))
        suspects = sorted(differing, key=lambda name: name in config.hosts)  # removed virtual hosts come first
        if not suspects:
            self._bisection.clear()
            return False
        culprit = self._bisection.failed(suspects)
        if culprit is None:
            return True
        if (rendered := config.hosts.get(culprit)) is None:
            return bool(self._bisection)
        host = rendered.host
        self.nacks.setdefault(culprit, []).append(Nack(host.shape, message, host.origins))
        self._new_nacks.append((host, message))
        return True

    @property
    def _acked_hosts(self) -> VirtualHosts:
        return VirtualHosts() if self.acked is None else self.acked.hosts

    def _target(self, missing: AbstractSet[str], never_available: Callable[[str], bool]) -> VirtualHosts:
        """All virtual hosts as this Envoy should have them now."""
        desired, substitutes = self._desired.virtual_hosts(self.name), dict[str, RenderedVirtualHost | None]()
        waiting: dict[str, bool] = {}  # by virtual host: whether none of its missing clusters will come
        for cluster in missing:
            for configuration, name in self._desired.users_of_cluster[cluster]:
                if configuration == self.name:
                    waiting[name] = never_available(cluster) and waiting.get(name, True)
        for name, in_vain in waiting.items():
            if (host := desired.get(name)) is not None:
                substitutes[name] = self._substitute(name, host, new_answers_500=in_vain)
        for name in self.nacks:
            host = substitutes[name] if name in substitutes else desired.get(name)
            if host is not None and self._is_nacked(name, host.host):
                substitutes[name] = self._substitute(name, host, new_answers_500=True)
        return desired.with_changes(substitutes)

    def _substitute(
        self, name: str, desired: RenderedVirtualHost, *, new_answers_500: bool
    ) -> RenderedVirtualHost | None:
        """What is sent instead of a virtual host: what Envoy has, else one that answers 500, else nothing."""
        acked = self._acked_hosts.get(name)
        if acked is not None and not self._is_nacked(name, acked.host):
            return self._with_current_weights(acked)
        if new_answers_500 and not self._is_nacked(name, plain := unavailable(desired.host)):
            return render_virtual_host(plain, {})
        return None

    def _is_nacked(self, name: str, host: VirtualHost) -> bool:
        return any(nack.version == host.shape for nack in self.nacks.get(name, ()))

    def _with_current_weights(self, rendered: RenderedVirtualHost) -> RenderedVirtualHost:
        current = {key: self._desired.weights.get(key, weights) for key, weights in rendered.weights.items()}
        return rendered if current == rendered.weights else render_virtual_host(rendered.host, current)

    def _limited_to(self, target: VirtualHosts, part: tuple[str, ...]) -> VirtualHosts:
        """The virtual hosts that Envoy has, with those of `part` as in `target`."""
        return self._acked_hosts.with_changes({name: target.get(name) for name in part})
