"""A model of Envoy for laws about the order of xDS: it applies, warms, NACKs and drops resources as Envoy does.

It NACKs clusters whose `alt_stat_name` begins with `bad`, and routes and listeners whose name does. It asserts that
each virtual host refers only to clusters that it has, and that no resource that it NACKed is sent again unchanged.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.envoy import protos
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import BUILT_IN_CLUSTERS, CLUSTER, ENDPOINTS, LISTENER, ROUTES, RUNTIME, RUNTIME_LAYER

EffectiveWeights = tuple[tuple[str, int], ...]


class ModelEnvoy:
    """The state of one Envoy process. `requests` are what it sends to the server."""

    def __init__(self) -> None:
        self.clusters: dict[str, bytes] = {}
        self.warming: dict[str, bytes] = {}
        self.endpoints: dict[str, bytes] = {}
        self.listeners: dict[str, Any] = {}
        self.route_configs: dict[str, Any] = {}
        self.runtime: dict[str, int] = {}
        self.versions: dict[str, dict[str, str]] = {
            each: {} for each in (CLUSTER, ENDPOINTS, LISTENER, ROUTES, RUNTIME)
        }
        self.nacked: dict[tuple[str, str], set[bytes]] = {}
        self.requests: deque[DiscoveryRequest] = deque()
        #: The names of all resources that it ever received.
        self.received: list[str] = []
        self._held: list[DiscoveryRequest] = []

    # ── its stream ───────────────────────────────────────────────────────────

    def connect(self) -> None:
        """Open a stream: subscribe to everything again, with the versions that it has."""
        undelivered = {request.type_url for request in (*self.requests, *self._held) if request.error is not None}
        self.nacked = {subject: body for subject, body in self.nacked.items() if subject[0] not in undelivered}
        self.requests.clear()
        self._held.clear()
        self.requests.append(
            DiscoveryRequest(RUNTIME, (RUNTIME_LAYER,), initial_versions=dict(self.versions[RUNTIME]), node_id="model")
        )
        self._send(DiscoveryRequest(CLUSTER, initial_versions=dict(self.versions[CLUSTER])))
        if names := tuple({**self.clusters, **self.warming}):
            self.requests.append(DiscoveryRequest(ENDPOINTS, names, initial_versions=dict(self.versions[ENDPOINTS])))
        self.requests.append(DiscoveryRequest(LISTENER, initial_versions=dict(self.versions[LISTENER])))
        if names := tuple(sorted(self._referenced_route_configs())):
            known = {name: version for name, version in self.versions[ROUTES].items() if name in names}
            self.requests.append(DiscoveryRequest(ROUTES, names, initial_versions=known))

    def receive(self, body: bytes) -> None:
        """Apply a response and ACK it, or NACK it."""
        response = DeltaDiscoveryResponse.FromString(body)
        self.received += [each.name for each in response.resources]
        error = {
            CLUSTER: self._apply_clusters,
            ENDPOINTS: self._apply_endpoints,
            LISTENER: self._apply_listeners,
            ROUTES: self._apply_routes,
            RUNTIME: self._apply_runtime,
        }[response.type_url](response)
        for each in response.resources:
            self._check_not_nacked_before(response.type_url, each.name, each.resource.value)
        if error is None:
            for each in response.resources:
                if response.type_url == ROUTES and each.name not in self.route_configs:
                    continue
                self.versions[response.type_url][each.name] = each.version
        elif len(response.resources) == 1:
            (each,) = response.resources
            self.nacked.setdefault((response.type_url, each.name), set()).add(each.resource.value)
        for name in response.removed_resources:
            self.versions[response.type_url].pop(name, None)
        self._send(DiscoveryRequest(response.type_url, nonce=response.nonce, error=error))
        self._check_clusters()

    def _send(self, request: DiscoveryRequest) -> None:
        """Send a request; requests for clusters are held while clusters warm."""
        if request.type_url == CLUSTER and self.warming:
            self._held.append(request)
        else:
            self.requests.append(request)

    # ── applying ─────────────────────────────────────────────────────────────

    def _apply_clusters(self, response: Any) -> str | None:
        bad = []
        for each in response.resources:
            cluster = protos.Cluster.FromString(each.resource.value)
            if cluster.alt_stat_name.startswith("bad"):
                bad.append(each.name)
                continue
            if self.clusters.get(each.name) == each.resource.value:
                continue
            if each.name not in self.clusters and each.name not in self.warming:
                self.requests.append(DiscoveryRequest(ENDPOINTS, (each.name,)))
            self.warming[each.name] = each.resource.value
        for name in response.removed_resources:
            self.clusters.pop(name, None)
            self.warming.pop(name, None)
            self.endpoints.pop(name, None)
            self.versions[ENDPOINTS].pop(name, None)
            self.requests.append(DiscoveryRequest(ENDPOINTS, unsubscribe=(name,)))
        return f"bad: {bad}" if bad else None

    def _apply_endpoints(self, response: Any) -> str | None:
        for each in response.resources:
            self.endpoints[each.name] = each.resource.value
            if each.name in self.warming:
                self.clusters[each.name] = self.warming.pop(each.name)
        for name in response.removed_resources:
            if name in self.warming:
                self.clusters[name] = self.warming.pop(name)
        self._release_held()
        return None

    def time_out_warming(self) -> None:
        """As Envoy after 15 s: use the clusters that still wait for endpoints without any."""
        self.clusters.update(self.warming)
        self.warming.clear()
        self._release_held()

    def _release_held(self) -> None:
        if not self.warming:
            self.requests.extend(self._held)
            self._held.clear()

    def _apply_listeners(self, response: Any) -> str | None:
        bad = []
        before = self._referenced_route_configs()
        for name in response.removed_resources:
            self.listeners.pop(name, None)
        for each in response.resources:
            if each.name.startswith("bad"):
                bad.append(each.name)
            else:
                self.listeners[each.name] = protos.Listener.FromString(each.resource.value)
        after = self._referenced_route_configs()
        for name in before - after:
            self.route_configs.pop(name, None)
            self.versions[ROUTES].pop(name, None)
            self.nacked.pop((ROUTES, name), None)  # a later subscription gets the whole configuration
        if before != after:
            self.requests.append(DiscoveryRequest(ROUTES, tuple(sorted(after - before)), tuple(sorted(before - after))))
        return f"bad: {bad}" if bad else None

    def _apply_routes(self, response: Any) -> str | None:
        (each,) = response.resources
        if each.name not in self._referenced_route_configs():
            return None
        config = protos.RouteConfiguration.FromString(each.resource.value)
        bad = [host.name for host in config.virtual_hosts for route in host.routes if route.name.startswith("bad")]
        if bad:
            return f"bad: {bad}"
        self.route_configs[each.name] = config
        return None

    def _apply_runtime(self, response: Any) -> str | None:
        (each,) = response.resources
        fields = protos.Runtime.FromString(each.resource.value).layer.fields
        self.runtime = {key: int(value.number_value) for key, value in fields.items()}
        return None

    def _referenced_route_configs(self) -> set[str]:
        found = set()
        for listener in self.listeners.values():
            manager = protos.HttpConnectionManager()
            listener.filter_chains[0].filters[0].typed_config.Unpack(manager)
            found.add(manager.rds.route_config_name)
        return found

    # ── observing ────────────────────────────────────────────────────────────

    def effective(self) -> dict[tuple[str, str, str], EffectiveWeights]:
        """The effective weights by route configuration, virtual host and weights key."""
        weights: dict[tuple[str, str, str], EffectiveWeights] = {}
        for name, config in self.route_configs.items():
            for host in config.virtual_hosts:
                for route in host.routes:
                    weighted = route.route.weighted_clusters
                    key = weighted.runtime_key_prefix
                    if key:
                        weights[name, host.name, key] = tuple(
                            (part.name, self.runtime.get(f"{key}.{part.name}", part.weight.value))
                            for part in weighted.clusters
                        )
        return weights

    def _check_clusters(self) -> None:
        available = self.clusters.keys() | BUILT_IN_CLUSTERS
        for name, config in self.route_configs.items():
            for host in config.virtual_hosts:
                for route in host.routes:
                    used = {part.name for part in route.route.weighted_clusters.clusters}
                    assert used <= available, (
                        f"{name}/{host.name} refers to {used - available}, which this Envoy does not have"
                    )

    def _check_not_nacked_before(self, type_url: str, name: str, body: bytes) -> None:
        assert body not in self.nacked.get((type_url, name), ()), f"{name} was NACKed and is sent again unchanged"
