"""One control plane, one Envoy, two backends: what most tests of xDS on a real Envoy share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from headgate.envoy.resources import Route
from headgate.xds.desired import Update
from support.addresses import free_port, loopback_network
from support.envoys import Envoy
from support.waiting import until
from support.xds import Backend, ControlPlane, get, listener, split


@dataclass
class XdsHarness:
    """Everything has the route configuration `http`; virtual hosts answer to `<name>.example`."""

    plane: ControlPlane
    envoy: Envoy
    folder: Path
    address: str
    port: int
    old: Backend
    new: Backend
    #: All updates so far, to tell them to a server that was restarted.
    updates: list[Update] = field(default_factory=list)

    def update(self, update: Update) -> None:
        self.updates.append(update)
        self.plane.update(update)

    def weigh(self, name: str, old: int, new: int) -> None:
        """Change the weights of a virtual host."""
        _, weights = split(name, (self.old, old), (self.new, new))
        self.update(Update(weights=weights))

    def add(self, name: str, old: int, new: int, others: Sequence[Route] = ()) -> None:
        """A virtual host that splits between the two backends what `others` leave; returns when it serves."""
        host, weights = split(name, (self.old, old), (self.new, new), others=others)
        self.update(Update(hosts={("http", name): host}, weights=weights))
        until(lambda: self.get(name)[0] == 200, what=f"{name} serves")

    def get(self, name: str) -> tuple[int, str]:
        """One request to a virtual host."""
        return get(self.address, self.port, f"{name}.example")

    def answers(self, name: str, count: int = 20) -> set[str]:
        """Who answers."""
        return {self.get(name)[1] for _ in range(count)}


@contextmanager
def xds_harness(folder: Path) -> Iterator[XdsHarness]:
    """An Envoy that serves, with a listener and no virtual host."""
    address = str(loopback_network()[1])
    with ControlPlane() as plane, plane.envoy(folder, address) as envoy:
        made = XdsHarness(plane, envoy, folder, address, free_port(address), plane.backend("old"), plane.backend("new"))
        plane.open()
        resources = {**made.old.resources(), **made.new.resources(), **listener(address, made.port)}
        made.update(Update(resources=resources, route_configurations=frozenset({"http"})))
        until(lambda: made.get("nobody")[0] == 404, what="the listener", running=envoy)
        yield made
