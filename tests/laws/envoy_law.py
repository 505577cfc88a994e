"""What laws share: random worlds, loaded into one real Envoy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from golden import cases as golden
from golden import harness
from headgate.api.meta import Key, Object
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus
from laws import routing_worlds as worlds

GATEWAY = Key("one", "g0")


class EnvoyLaw:
    """A real Envoy, and backends at the endpoints of `worlds.furniture`."""

    def __init__(self, envoy_harness: harness.EnvoyHarness) -> None:
        self.harness = envoy_harness
        addresses = envoy_harness.addresses()
        self.gateway = str(addresses.gateways[1])
        self.backends = [
            golden.Backend(f"one/{name}:80", str(addresses.backends[at + 1]), 8080)
            for at, name in enumerate(worlds.SERVICES)
        ]
        envoy_harness.serve(self.backends)

    def load(self, objects: list[Object]) -> golden.Running:
        """A world of these objects, loaded into Envoy."""
        made = golden.empty()
        made.put(golden.gateway_class())
        made.world.bindings.set(GATEWAY, Binding("service", self.gateway, harness.PORT_OFFSET))
        made.world.fleet_statuses.set(GATEWAY, EnvoyFleetStatus("g0", (self.gateway,)))
        for value in [*worlds.furniture(), *objects]:
            made.put(value)
        if not any(value.key == Key("one", "r0") for value in objects):
            made.world.http_routes.delete(Key("one", "r0"))
        for backend, name in zip(self.backends, worlds.SERVICES, strict=True):
            made.put(worlds.endpoints(name, "one", [backend.address]))
        made.run()
        self.harness.load(made.outputs, GATEWAY)
        return made


@pytest.fixture(scope="module")
def envoy_law(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyLaw]:
    with harness.EnvoyHarness(tmp_path_factory.mktemp("law")) as envoy_harness:
        yield EnvoyLaw(envoy_harness)
