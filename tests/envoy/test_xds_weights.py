"""Weights through their lane, on a real Envoy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from headgate.xds.desired import Update
from support.addresses import free_port, loopback_network
from support.envoys import Envoy
from support.waiting import until
from support.xds import Backend, ControlPlane, Traffic, get, listener, split


@dataclass
class Stage:
    plane: ControlPlane
    envoy: Envoy
    address: str
    port: int
    old: Backend
    new: Backend

    def weigh(self, name: str, old: int, new: int) -> None:
        _, weights = split(name, (self.old, old), (self.new, new))
        self.plane.update(Update(weights=weights))

    def add(self, name: str, old: int, new: int) -> None:
        host, weights = split(name, (self.old, old), (self.new, new))
        self.plane.update(Update(hosts={("http", name): host}, weights=weights))
        until(lambda: get(self.address, self.port, f"{name}.example")[0] == 200, says=f"{name} serves")

    def answers(self, name: str, count: int = 20) -> set[str]:
        return {get(self.address, self.port, f"{name}.example")[1] for _ in range(count)}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("envoy")
    address = str(loopback_network()[1])
    with ControlPlane() as plane, plane.envoy(folder, address) as envoy:
        old, new = plane.backend("old"), plane.backend("new")
        port = free_port(address)
        plane.open()
        plane.update(
            Update(
                resources={**old.resources(), **new.resources(), **listener(address, port)},
                route_configurations=frozenset({"http"}),
            )
        )
        until(lambda: get(address, port, "nobody.example")[0] == 404, says="the listener", running=envoy)
        yield Stage(plane, envoy, address, port, old, new)


def test_a_change_of_weights_reaches_envoy_without_touching_its_routes(stage: Stage) -> None:
    stage.add("lane", 1, 0)
    pushes = stage.envoy.counter("http.http-.*rds.*update_success")
    loads = stage.envoy.counter("runtime.load_success")
    stage.weigh("lane", 0, 1)
    until(lambda: stage.answers("lane") == {"new"}, says="all traffic moved")
    assert stage.envoy.counter("runtime.load_success") == loads + 1
    assert stage.envoy.counter("http.http-.*rds.*update_success") == pushes


def test_two_hundred_changes_of_weights_fail_no_request(stage: Stage) -> None:
    stage.add("steady", 50, 50)
    with Traffic(stage.address, stage.port, "steady.example") as traffic:
        for step in range(200):
            stage.weigh("steady", step % 101, 100 - step % 101)
        stage.weigh("steady", 0, 1)
        until(lambda: stage.answers("steady") == {"new"}, says="the last weights")
    assert traffic.failed == 0
    assert traffic.total > 200


def test_weights_survive_a_structural_push_and_leave_the_runtime(stage: Stage) -> None:
    stage.add("fold", 1, 0)
    stage.weigh("fold", 0, 1)
    until(lambda: stage.answers("fold") == {"new"}, says="all traffic moved")
    stage.add("other", 1, 0)
    until(lambda: "w.fold" not in stage.envoy.admin("/runtime"), says="the keys are withdrawn")
    assert stage.answers("fold") == {"new"}
