"""An Envoy as small as a dict, for laws about the order of xDS: it applies, warms, refuses and forgets as Envoy does.

It refuses what is called bad: clusters whose statistics begin with `bad`, routes and listeners of that name. Whatever
it is sent it checks: a virtual host may only refer to clusters that it has, and nothing that it refused may come again.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse

from headgate.envoy import protos
from headgate.envoy.discovery import DiscoveryRequest
from headgate.envoy.names import BUILT_IN_CLUSTERS, CLUSTER, ENDPOINTS, LISTENER, ROUTES, RUNTIME, RUNTIME_LAYER

Effective = tuple[tuple[str, int], ...]


class ModelEnvoy:
    """Answers go to `out`; what is applied can be looked at."""

    def __init__(self) -> None:
        self.clusters: dict[str, bytes] = {}
        self.warming: dict[str, bytes] = {}
        self.endpoints: dict[str, bytes] = {}
        self.listeners: dict[str, Any] = {}
        self.tables: dict[str, Any] = {}
        self.overlay: dict[str, int] = {}
        self.versions: dict[str, dict[str, str]] = {
            each: {} for each in (CLUSTER, ENDPOINTS, LISTENER, ROUTES, RUNTIME)
        }
        self.refused: dict[tuple[str, str], set[bytes]] = {}
        self.out: deque[DiscoveryRequest] = deque()
        #: The names of all resources that it was ever sent.
        self.received: list[str] = []
        self._held: list[DiscoveryRequest] = []

    # ── its stream ───────────────────────────────────────────────────────────

    def connect(self) -> None:
        """Open a stream: subscribe to everything again, saying what it has."""
        unheard = {request.type_url for request in (*self.out, *self._held) if request.error is not None}
        self.refused = {subject: body for subject, body in self.refused.items() if subject[0] not in unheard}
        self.out.clear()
        self._held.clear()
        self.out.append(
            DiscoveryRequest(RUNTIME, (RUNTIME_LAYER,), initial_versions=dict(self.versions[RUNTIME]), node_id="model")
        )
        self._say(DiscoveryRequest(CLUSTER, initial_versions=dict(self.versions[CLUSTER])))
        if names := tuple({**self.clusters, **self.warming}):
            self.out.append(DiscoveryRequest(ENDPOINTS, names, initial_versions=dict(self.versions[ENDPOINTS])))
        self.out.append(DiscoveryRequest(LISTENER, initial_versions=dict(self.versions[LISTENER])))
        if names := tuple(sorted(self._wanted_tables())):
            known = {name: version for name, version in self.versions[ROUTES].items() if name in names}
            self.out.append(DiscoveryRequest(ROUTES, names, initial_versions=known))

    def receive(self, body: bytes) -> None:
        """Apply or refuse a response."""
        response = DeltaDiscoveryResponse.FromString(body)
        self.received += [each.name for each in response.resources]
        error = {
            CLUSTER: self._clusters,
            ENDPOINTS: self._endpoints,
            LISTENER: self._listeners,
            ROUTES: self._routes,
            RUNTIME: self._runtime,
        }[response.type_url](response)
        for each in response.resources:
            self._not_refused_before(response.type_url, each.name, each.resource.value)
        if error is None:
            for each in response.resources:
                if response.type_url == ROUTES and each.name not in self.tables:
                    continue
                self.versions[response.type_url][each.name] = each.version
        elif len(response.resources) == 1:
            (each,) = response.resources
            self.refused.setdefault((response.type_url, each.name), set()).add(each.resource.value)
        for name in response.removed_resources:
            self.versions[response.type_url].pop(name, None)
        self._say(DiscoveryRequest(response.type_url, nonce=response.nonce, error=error))
        self._check_clusters()

    def _say(self, request: DiscoveryRequest) -> None:
        """Requests about clusters are held while clusters warm."""
        if request.type_url == CLUSTER and self.warming:
            self._held.append(request)
        else:
            self.out.append(request)

    # ── applying ─────────────────────────────────────────────────────────────

    def _clusters(self, response: Any) -> str | None:
        bad = []
        for each in response.resources:
            cluster = protos.Cluster.FromString(each.resource.value)
            if cluster.alt_stat_name.startswith("bad"):
                bad.append(each.name)
                continue
            if self.clusters.get(each.name) == each.resource.value:
                continue
            if each.name not in self.clusters and each.name not in self.warming:
                self.out.append(DiscoveryRequest(ENDPOINTS, (each.name,)))
            self.warming[each.name] = each.resource.value
        for name in response.removed_resources:
            self.clusters.pop(name, None)
            self.warming.pop(name, None)
            self.endpoints.pop(name, None)
            self.versions[ENDPOINTS].pop(name, None)
            self.out.append(DiscoveryRequest(ENDPOINTS, unsubscribe=(name,)))
        return f"bad: {bad}" if bad else None

    def _endpoints(self, response: Any) -> str | None:
        for each in response.resources:
            self.endpoints[each.name] = each.resource.value
            if each.name in self.warming:
                self.clusters[each.name] = self.warming.pop(each.name)
        for name in response.removed_resources:
            if name in self.warming:
                self.clusters[name] = self.warming.pop(name)
        self._release()
        return None

    def give_up_waiting(self) -> None:
        """What Envoy does after 15 s: clusters that still wait for endpoints are used as they are."""
        self.clusters.update(self.warming)
        self.warming.clear()
        self._release()

    def _release(self) -> None:
        if not self.warming:
            self.out.extend(self._held)
            self._held.clear()

    def _listeners(self, response: Any) -> str | None:
        bad = []
        before = self._wanted_tables()
        for name in response.removed_resources:
            self.listeners.pop(name, None)
        for each in response.resources:
            if each.name.startswith("bad"):
                bad.append(each.name)
            else:
                self.listeners[each.name] = protos.Listener.FromString(each.resource.value)
        after = self._wanted_tables()
        for name in before - after:
            self.tables.pop(name, None)
            self.versions[ROUTES].pop(name, None)
            self.refused.pop((ROUTES, name), None)  # whoever asks again, asks for all
        if before != after:
            self.out.append(DiscoveryRequest(ROUTES, tuple(sorted(after - before)), tuple(sorted(before - after))))
        return f"bad: {bad}" if bad else None

    def _routes(self, response: Any) -> str | None:
        (each,) = response.resources
        if each.name not in self._wanted_tables():
            return None
        table = protos.RouteConfiguration.FromString(each.resource.value)
        bad = [host.name for host in table.virtual_hosts for route in host.routes if route.name.startswith("bad")]
        if bad:
            return f"bad: {bad}"
        self.tables[each.name] = table
        return None

    def _runtime(self, response: Any) -> str | None:
        (each,) = response.resources
        fields = protos.Runtime.FromString(each.resource.value).layer.fields
        self.overlay = {key: int(value.number_value) for key, value in fields.items()}
        return None

    def _wanted_tables(self) -> set[str]:
        found = set()
        for listener in self.listeners.values():
            manager = protos.HttpConnectionManager()
            listener.filter_chains[0].filters[0].typed_config.Unpack(manager)
            found.add(manager.rds.route_config_name)
        return found

    # ── looking ──────────────────────────────────────────────────────────────

    def effective(self) -> dict[tuple[str, str, str], Effective]:
        """The weights by which requests are split: by route configuration, virtual host and weights key."""
        found: dict[tuple[str, str, str], Effective] = {}
        for name, table in self.tables.items():
            for host in table.virtual_hosts:
                for route in host.routes:
                    weighted = route.route.weighted_clusters
                    key = weighted.runtime_key_prefix
                    if key:
                        found[name, host.name, key] = tuple(
                            (part.name, self.overlay.get(f"{key}.{part.name}", part.weight.value))
                            for part in weighted.clusters
                        )
        return found

    def _check_clusters(self) -> None:
        have = self.clusters.keys() | BUILT_IN_CLUSTERS
        for name, table in self.tables.items():
            for host in table.virtual_hosts:
                for route in host.routes:
                    used = {part.name for part in route.route.weighted_clusters.clusters}
                    assert used <= have, f"{name}/{host.name} refers to {used - have}, which this Envoy has not"

    def _not_refused_before(self, type_url: str, name: str, body: bytes) -> None:
        assert body not in self.refused.get((type_url, name), ()), f"{name} was refused and is sent again unchanged"
