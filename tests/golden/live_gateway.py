"""A world that changes before the eyes of a real Envoy: what changed is sent, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from headgate.api import gateway
from headgate.api.meta import Key, Object, Ref
from headgate.controllers.gateways.pipeline import Pipeline
from headgate.ir.http import Request
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus, Settings
from headgate.xds.desired import Update
from support.manifests import decode_manifest
from support.waiting import until
from support.xds import GATEWAY

from . import cases
from .harness import PORT_OFFSET, EnvoyHarness, Response, asks


class LiveGateway:
    """The one Gateway of a world, and what clients of it see."""

    def __init__(self, harness: EnvoyHarness, path: Path) -> None:
        """In `path` is a golden case without expectations: its head, then manifests."""
        self._harness = harness
        self._pipeline = Pipeline(Settings(), self._send, lambda _key: None)
        self._sent: dict[str, set[Any]] = {
            "resources": set(),
            "hosts": set(),
            "weights": set(),
            "configurations": set(),
        }
        self.case = cases.read(path, harness.addresses())
        self.address = str(self.case.addresses.gateways[1])
        harness.serve(self.case.backends)
        for each in self.case.objects:
            self._set(each)
        self._pipeline.run_pass()

    def put(self, *values: Object | str) -> None:
        """Set objects, perhaps as manifests, and send what that changes."""
        for value in values:
            every = [value] if isinstance(value, Object) else map(decode_manifest, yaml.safe_load_all(value))
            for each in every:
                self._set(each)
        self._pipeline.run_pass()

    def delete(self, value: Object) -> None:
        """Remove an object, and send what that changes."""
        self._pipeline.world.sources[type(value)].delete(value.key)
        self._pipeline.run_pass()

    def policy(self, key: Key) -> dict[str, tuple[str, str]]:
        """The conditions of a BackendTLSPolicy: status and reason by type."""
        (entry,) = self._pipeline.outputs.policy_statuses.get(Ref("BackendTLSPolicy", key.namespace, key.name)) or ()
        return {each.type: (each.status, each.reason) for each in entry.conditions}

    def ask(self, url: str, client: Mapping[str, Any] | None = None) -> Response:
        """GET, on a connection of its own."""
        return asks(self.address, request(url), 1, client=client)[0]

    def awaits(self, url: str, status: int | None, client: Mapping[str, Any] | None = None) -> Response:
        """The first answer with a status; None is a connection that is closed."""
        found: list[Response] = []

        def answered() -> bool:
            found[:] = [self.ask(url, client)]
            return found[0].status == status

        until(answered, every=0.02, running=self._harness.envoy, what=f"{status} for {url}")
        return found[0]

    @contextmanager
    def traffic(self, url: str, client: Mapping[str, Any] | None = None) -> Iterator[list[int | None]]:
        """Statuses of requests that go on, one after the other, on new connections and on one that stays."""
        statuses: list[int | None] = []
        ended = threading.Event()

        def work(times: int) -> None:
            while not ended.is_set():
                statuses.extend(each.status for each in asks(self.address, request(url), times, client=client))

        workers = [threading.Thread(target=work, args=(times,)) for times in (1, 50)]
        for each in workers:
            each.start()
        try:
            yield statuses
        finally:
            ended.set()
            for each in workers:
                each.join(30)

    def bind(self, gateway: Key, system: str = "") -> None:
        """Let the Envoys of a Gateway be known; `system` is the file with the CA certificates of their system."""
        binding = Binding("service", self.address, PORT_OFFSET, system)
        self._pipeline.world.bindings.set(gateway, binding)

    def _set(self, value: Object) -> None:
        self._pipeline.world.sources[type(value)].set(value.key, value)
        if isinstance(value, gateway.Gateway):
            self.bind(value.key)
            self._pipeline.world.fleet_statuses.set(value.key, EnvoyFleetStatus(value.key.name, (self.address,)))

    def _send(self, _key: Key, update: Update) -> None:
        self._harness.plane.update(update, GATEWAY)
        self._sent["resources"] |= update.resources.keys()
        self._sent["hosts"] |= update.hosts.keys()
        self._sent["weights"] |= update.weights.keys()
        self._sent["configurations"] |= update.route_configurations

    def end(self) -> None:
        """Take everything away again."""
        self._harness.plane.update(
            Update(
                removed_resources=frozenset(self._sent["resources"]),
                removed_hosts=frozenset(self._sent["hosts"]),
                removed_weights=frozenset(self._sent["weights"]),
                removed_route_configurations=frozenset(self._sent["configurations"]),
            ),
            GATEWAY,
        )


def request(url: str) -> Request:
    """`https://host:port/path`; the server name is the host."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.partition(":")
    secure = scheme == "https"
    number = int(port or (443 if secure else 80))
    return Request(host=authority, target=f"{slash}{path}" or "/", port=number, sni=host if secure else None)
