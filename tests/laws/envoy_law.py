"""A stage for laws: random worlds, loaded into one real Envoy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from golden import cases as golden
from golden import stage
from headgate.api.meta import Key, Object
from headgate.ir.routing import Binding
from headgate.world import EnvoyFleetStatus
from laws import routing_worlds as worlds

GATEWAY = Key("one", "g0")


class EnvoyLaw:
    """A stage, and backends that stand in for the endpoints of `worlds.furniture`."""

    def __init__(self, harness: stage.Stage) -> None:
        self.harness = harness
        addresses = harness.addresses()
        self.gateway = str(addresses.gateways[1])
        self.backends = [
            golden.Backend(f"one/{name}:80", str(addresses.backends[at + 1]), 8080)
            for at, name in enumerate(worlds.SERVICES)
        ]
        harness.serve(self.backends)

    def load(self, objects: list[Object]) -> golden.Running:
        """A world of these objects, loaded into Envoy."""
        made = golden.empty()
        made.put(golden.gateway_class())
        made.world.bindings.set(GATEWAY, Binding("service", self.gateway, stage.PORT_OFFSET))
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
    with stage.Stage(tmp_path_factory.mktemp("law")) as harness:
        yield EnvoyLaw(harness)
