"""The resources that the Envoys of one Gateway should have, maintained by small updates. Pure.

A virtual host is rendered when it is sent for the first time, and again only when its shape or its weights have
changed. All Envoys of the Gateway share the rendered virtual hosts, so a change among 10,000 renders only the changed
ones.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from headgate.envoy.resources import Resource, VirtualHost, Weights, clusters_of, weights_keys_of

from .virtual_hosts import VirtualHosts, render_virtual_host

#: The name of a route configuration, and the name of a virtual host in it.
HostKey = tuple[str, str]
#: Weights keys of removed routes that are kept before `should_compact`.
_FORMER_KEYS = 1_000


class Update(msgspec.Struct, frozen=True):
    """Changes of the resources that a Gateway's Envoys should have.

    Resources by type and name, weights by weights key. The weights that a virtual host needs come with it or before it.
    """

    resources: Mapping[tuple[str, str], Resource] = {}
    removed_resources: AbstractSet[tuple[str, str]] = frozenset()
    hosts: Mapping[HostKey, VirtualHost] = {}
    removed_hosts: AbstractSet[HostKey] = frozenset()
    weights: Mapping[str, Weights] = {}
    removed_weights: AbstractSet[str] = frozenset()
    #: Route configurations that exist even without virtual hosts: a listener without routes needs an empty one.
    route_configurations: AbstractSet[str] = frozenset()
    removed_route_configurations: AbstractSet[str] = frozenset()


class Changes(msgspec.Struct, frozen=True):
    """What an update changed: resource names by type, route configurations to send, weights keys for the overlay."""

    names: dict[str, set[str]]
    configurations: set[str]
    keys: set[str]


class DesiredState:
    """The desired state of one Gateway; only `update` and `compact` change it."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Resource]] = {}
        self.weights: dict[str, Weights] = {}
        #: Weights keys that the overlay cannot express: two of their clusters are the same.
        self.without_overlay: set[str] = set()
        self.number_of_hosts = 0
        self.users_of_cluster: dict[str, set[HostKey]] = {}
        self._hosts: dict[str, dict[str, VirtualHost]] = {}
        self._users_of_weights: dict[str, set[HostKey]] = {}
        self._rendered: dict[str, VirtualHosts] = {}
        self._stale: dict[str, set[str]] = {}

    # ── reading ──────────────────────────────────────────────────────────────

    def of_type(self, type_url: str) -> Mapping[str, Resource]:
        """All resources of a type by name: always the same mapping, which follows updates."""
        return self.resources.setdefault(type_url, {})

    def has_configuration(self, configuration: str) -> bool:
        """Whether a route configuration exists."""
        return configuration in self._hosts

    @property
    def serves_http(self) -> bool:
        """Whether any listener routes requests: one that only passes on connections has no route configuration."""
        return bool(self._hosts)

    def host(self, configuration: str, name: str) -> VirtualHost | None:
        """One virtual host, or None."""
        return self._hosts.get(configuration, {}).get(name)

    def users_of_weights(self, key: str) -> AbstractSet[HostKey]:
        """The virtual hosts that use a weights key, and those that did and may still be at an Envoy (see `compact`)."""
        return self._users_of_weights.get(key, frozenset())

    def virtual_hosts(self, configuration: str) -> VirtualHosts:
        """The virtual hosts of a route configuration, rendered with the current weights."""
        hosts = self._hosts.get(configuration)
        if hosts is None:
            return VirtualHosts()
        stale = {name: hosts.get(name) for name in self._stale.pop(configuration, ())}
        rendered = self._rendered.get(configuration, VirtualHosts()).with_changes(
            {name: None if host is None else render_virtual_host(host, self.weights) for name, host in stale.items()}
        )
        self._rendered[configuration] = rendered
        return rendered

    # ── changing ─────────────────────────────────────────────────────────────

    def update(self, update: Update) -> Changes:
        """Apply an update as a whole.

        Raises:
            ValueError: the update contradicts itself or the present state; nothing is changed.
        """
        self._check(update)
        changes = Changes({}, set(), set())
        self._update_resources(update, changes)
        self._update_weights(update, changes)
        self._update_hosts(update, changes)
        for key in update.removed_weights:
            self.weights.pop(key, None)
        return changes

    @property
    def should_compact(self) -> bool:
        """Whether so many weights keys of removed routes are kept that `compact` is due."""
        return len(self._users_of_weights) > 2 * len(self.weights) + _FORMER_KEYS

    def compact(self) -> None:
        """Forget the users of removed weights. Correct only while every Envoy has exactly the desired resources."""
        self._users_of_weights = {key: users for key, users in self._users_of_weights.items() if key in self.weights}
        self.without_overlay &= self.weights.keys()

    def _check(self, update: Update) -> None:
        for key, new in update.weights.items():
            if sum(weight for _, weight in new.clusters) <= 0 or any(weight < 0 for _, weight in new.clusters):
                raise ValueError(f"weights {key} must not be negative, and not all 0: {new.clusters}")
            old = self.weights.get(key)
            if old is not None and [name for name, _ in old.clusters] != [name for name, _ in new.clusters]:
                raise ValueError(f"weights {key} are for other clusters than before; see names.weights_key")
        for host_key, host in update.hosts.items():
            for key in weights_keys_of(host):
                if key not in update.weights and (key not in self.weights or key in update.removed_weights):
                    raise ValueError(f"virtual host {host_key} uses weights {key}, which do not exist")

    def _update_resources(self, update: Update, changes: Changes) -> None:
        for (type_url, name), resource in update.resources.items():
            of_type = self.resources.setdefault(type_url, {})
            old = of_type.get(name)
            of_type[name] = resource
            if old is None or old.version != resource.version:
                changes.names.setdefault(type_url, set()).add(name)
        for type_url, name in update.removed_resources:
            of_type = self.resources.get(type_url, {})
            if (type_url, name) not in update.resources and name in of_type:
                del of_type[name]
                changes.names.setdefault(type_url, set()).add(name)

    def _update_weights(self, update: Update, changes: Changes) -> None:
        for key, weights in update.weights.items():
            if self.weights.get(key) == weights:
                continue
            self.weights[key] = weights
            changes.keys.add(key)
            for configuration, name in self._users_of_weights.get(key, ()):
                self._stale.setdefault(configuration, set()).add(name)
                if key in self.without_overlay:
                    changes.configurations.add(configuration)

    def _update_hosts(self, update: Update, changes: Changes) -> None:
        for configuration in update.route_configurations:
            if configuration not in self._hosts:
                self._hosts[configuration] = {}
                changes.configurations.add(configuration)
        for (configuration, name), host in update.hosts.items():
            old = self._hosts.setdefault(configuration, {}).get(name)
            if old is not None and old.shape == host.shape:
                self._hosts[configuration][name] = host  # its origins may differ
                continue
            self._replace(configuration, name, host, changes)
        for configuration, name in update.removed_hosts:
            if (configuration, name) not in update.hosts and name in self._hosts.get(configuration, {}):
                self._replace(configuration, name, None, changes)
        for configuration in update.removed_route_configurations - update.route_configurations:
            for name in list(self._hosts.get(configuration, ())):
                self._replace(configuration, name, None, changes)
            self._hosts.pop(configuration, None)
            self._rendered.pop(configuration, None)
            self._stale.pop(configuration, None)
            changes.configurations.add(configuration)

    def _replace(self, configuration: str, name: str, host: VirtualHost | None, changes: Changes) -> None:
        hosts, key = self._hosts[configuration], (configuration, name)
        old = hosts.pop(name, None)
        if old is not None:
            for cluster in clusters_of(old):
                users = self.users_of_cluster[cluster]
                users.discard(key)
                if not users:
                    del self.users_of_cluster[cluster]
        self.number_of_hosts += (host is not None) - (old is not None)
        if host is not None:
            hosts[name] = host
            for cluster in clusters_of(host):
                self.users_of_cluster.setdefault(cluster, set()).add(key)
            for route in host.routes:
                if route.weights_key:
                    self._users_of_weights.setdefault(route.weights_key, set()).add(key)
                    if not route.overlay_allowed:
                        self.without_overlay.add(route.weights_key)
        self._stale.setdefault(configuration, set()).add(name)
        changes.configurations.add(configuration)
