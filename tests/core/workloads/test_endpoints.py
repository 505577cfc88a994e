"""Service -> EndpointSlices."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.api.core import Pod, Service
from headgate.api.discovery import Endpoint, EndpointSlice
from support.fake_cluster import FakeCluster


@pytest.fixture
def world() -> FakeCluster:
    return FakeCluster()


HTTP = {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    spec = {"selector": {"app": "shop"}, "ports": list(ports or (HTTP,)), **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "labels": {"team": "a"}}, "spec": spec}


def pod(world: FakeCluster, name: str, *, ready: bool = True, port: int = 8080, address: str = "127.0.1.1") -> None:
    container = {"name": "app", "ports": [{"name": "web", "containerPort": port}]}
    world.add(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "shop"}},
            "spec": {"containers": [container]},
        }
    )
    world.start(name, ready=ready, address=address)


def slices(world: FakeCluster) -> list[EndpointSlice]:
    world.settle()
    return world.all(EndpointSlice)


def endpoint(world: FakeCluster) -> Endpoint:
    (piece,) = slices(world)
    (found,) = piece.endpoints
    return found


def conditions(world: FakeCluster) -> tuple[bool | None, bool | None, bool | None]:
    found = endpoint(world).conditions
    return found.ready, found.serving, found.terminating


def test_a_service_without_pods_has_one_empty_slice(world: FakeCluster) -> None:
    world.add(service())
    (piece,) = slices(world)
    assert piece.endpoints == ()


def test_an_endpoint_is_a_pods_address_with_its_name_and_node(world: FakeCluster) -> None:
    world.add(service())
    pod(world, "one", address="127.0.1.9")
    found = endpoint(world)
    assert found.addresses == ("127.0.1.9",)
    assert found.node_name == "laptop"
    assert found.target_ref is not None
    assert found.target_ref.name == "one"


def test_slices_say_whose_they_are_and_who_manages_them(world: FakeCluster) -> None:
    world.add(service())
    (piece,) = slices(world)
    assert piece.metadata.labels == {
        "team": "a",
        "kubernetes.io/service-name": "shop",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert piece.metadata.owner_references[0].kind == "Service"


def test_a_ready_pod_is_ready_and_serving(world: FakeCluster) -> None:
    world.add(service())
    pod(world, "one")
    assert conditions(world) == (True, True, False)


def test_a_pod_that_is_not_ready_is_listed_as_such(world: FakeCluster) -> None:
    world.add(service())
    pod(world, "one", ready=False)
    assert conditions(world) == (False, False, False)


def test_a_pod_under_deletion_still_serves_but_is_not_ready(world: FakeCluster) -> None:
    world.add(service())
    pod(world, "one")
    world.raw(Pod, "one")["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
    assert conditions(world) == (False, True, True)


def test_publish_not_ready_addresses_makes_every_endpoint_ready(world: FakeCluster) -> None:
    world.add(service(publishNotReadyAddresses=True))
    pod(world, "one", ready=False)
    assert conditions(world) == (True, False, False)


def test_a_pod_without_an_address_is_no_endpoint(world: FakeCluster) -> None:
    world.add(service())
    pod(world, "one")
    world.edit(Pod, "one", {"status": {"podIP": None}}, "status")
    (piece,) = slices(world)
    assert piece.endpoints == ()


def test_a_pod_that_ended_is_no_endpoint(world: FakeCluster) -> None:
    world.add(service())
    pod(world, "one")
    world.edit(Pod, "one", {"status": {"phase": "Succeeded"}}, "status")
    (piece,) = slices(world)
    assert piece.endpoints == ()


def test_a_target_port_may_be_the_name_of_a_container_port(world: FakeCluster) -> None:
    world.add(service({**HTTP, "targetPort": "web"}))
    pod(world, "one", port=9090)
    (piece,) = slices(world)
    assert [(port.name, port.port) for port in piece.ports] == [("http", 9090)]


def test_pods_with_different_numbers_for_a_name_are_in_different_slices(world: FakeCluster) -> None:
    world.add(service({**HTTP, "targetPort": "web"}))
    pod(world, "one", port=9090)
    pod(world, "two", port=9091)
    found = {piece.ports[0].port: piece.endpoints[0].target_ref for piece in slices(world)}
    assert {number: ref.name for number, ref in found.items() if ref} == {9090: "one", 9091: "two"}


def test_every_port_of_a_service_is_in_its_slice(world: FakeCluster) -> None:
    world.add(service(HTTP, {"name": "admin", "port": 81, "protocol": "TCP", "appProtocol": "http"}))
    pod(world, "one")
    (piece,) = slices(world)
    assert [(p.name, p.port, p.app_protocol) for p in piece.ports] == [("http", 8080, None), ("admin", 81, "http")]


def test_a_headless_service_has_slices_with_the_headless_label(world: FakeCluster) -> None:
    world.add(service(clusterIP="None"))
    pod(world, "one")
    (piece,) = slices(world)
    assert piece.metadata.labels["service.kubernetes.io/headless"] == ""
    assert len(piece.endpoints) == 1


def test_a_service_without_a_selector_is_left_alone(world: FakeCluster) -> None:
    world.add(service(selector={}))
    assert slices(world) == []


def test_slices_that_somebody_else_manages_are_left_alone(world: FakeCluster) -> None:
    labels = {"kubernetes.io/service-name": "shop", "endpointslice.kubernetes.io/managed-by": "me"}
    world.add(
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "mine", "labels": labels}}
    )
    world.add(service())
    assert "mine" in {piece.metadata.name for piece in slices(world)}


def test_more_than_a_hundred_endpoints_take_a_second_slice(world: FakeCluster) -> None:
    world.add(service())
    for number in range(101):
        pod(world, f"pod-{number:03}", address=f"127.0.1.{number}")
    assert sorted(len(piece.endpoints) for piece in slices(world)) == [1, 100]


def test_slices_that_are_no_longer_needed_are_deleted(world: FakeCluster) -> None:
    world.add(service())
    pod(world, "one")
    assert len(slices(world)[0].endpoints) == 1
    world.remove(Pod, "one")
    (piece,) = slices(world)
    assert piece.endpoints == ()


def test_a_label_that_the_service_lost_goes_from_its_slices(world: FakeCluster) -> None:
    world.add(service())
    world.settle()
    world.edit(Service, "shop", {"metadata": {"labels": {"team": None}}})
    (piece,) = slices(world)
    assert "team" not in piece.metadata.labels
