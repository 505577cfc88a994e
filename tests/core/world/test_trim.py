"""What is left of objects in the world."""

from __future__ import annotations

from typing import Any

from headgate.api import codec, core, discovery, gateway
from headgate.world.objects import KIND_OF
from headgate.world.trim import Interner

NOW = "2026-01-01T00:00:00Z"


def about(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "shop", "resourceVersion": "7", "annotations": {"a": "b"}, **more}


def route(name: str, *, at: str = NOW) -> gateway.HTTPRoute:
    condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "lastTransitionTime": at}
    parent = {"parentRef": {"name": "gw"}, "controllerName": "example.com/us", "conditions": [condition]}
    rules = [{"matches": [{"path": {"value": f"/{name}"}}]}]
    plain = {
        "metadata": about(name, uid=name, generation=3, creationTimestamp=NOW),
        "spec": {"parentRefs": [{"name": "gw"}], "rules": rules},
        "status": {"parents": [parent]},
    }
    return codec.convert(gateway.HTTPRoute, plain)


def service(name: str, node_port: int) -> core.Service:
    ports = [{"port": 80, "targetPort": 8080, "nodePort": node_port, "appProtocol": "http"}]
    spec = {"type": "NodePort", "clusterIP": "10.0.0.1", "selector": {"app": name}, "ports": ports}
    return codec.convert(core.Service, {"metadata": about(name), "spec": spec})


def trimmed(value: Any, interner: Interner | None = None) -> Any:
    trim = KIND_OF[type(value)].trim
    assert trim is not None
    return trim(value, Interner() if interner is None else interner)


def test_a_route_keeps_its_spec_its_version_and_its_conditions() -> None:
    kept, found = trimmed(route("a")), route("a")
    assert kept.spec == found.spec
    assert (kept.key, kept.metadata.uid, kept.metadata.generation) == (found.key, "a", 3)
    assert kept.metadata.creation_timestamp == NOW
    assert [(each.type, each.reason) for each in kept.status.parents[0].conditions] == [("Accepted", "Accepted")]


def test_equal_parts_of_two_routes_are_one_object() -> None:
    interner = Interner()
    one, other = trimmed(route("a"), interner), trimmed(route("b", at="2026-02-02T00:00:00Z"), interner)
    assert one.spec.parent_refs is other.spec.parent_refs
    assert one.status is other.status


def test_a_service_keeps_its_type_and_its_ports() -> None:
    interner = Interner()
    one, other = trimmed(service("a", 30001), interner), trimmed(service("b", 30002), interner)
    assert (one.key.name, one.spec.type, one.spec.ports[0].port) == ("a", "NodePort", 80)
    assert one.spec.ports[0].app_protocol == "http"
    assert one.spec is other.spec


def test_endpoints_keep_their_service_their_addresses_and_their_conditions() -> None:
    plain = {
        "metadata": about("a-1", labels={"kubernetes.io/service-name": "a", "other": "label"}),
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}, "nodeName": "node"}],
        "ports": [{"port": 8080}],
    }
    kept = trimmed(codec.convert(discovery.EndpointSlice, plain))
    assert kept.metadata.labels == {"kubernetes.io/service-name": "a"}
    assert kept.endpoints[0].addresses == ("10.0.0.1",)
    assert kept.endpoints[0].conditions.ready is False
    assert kept.ports[0].port == 8080


def test_the_number_of_interned_values_is_limited() -> None:
    interner = Interner()
    for index in range(10_000):
        assert trimmed(route("a", at=str(index)), interner).key.name == "a"
        trimmed(service("a", index + 1), interner)
    assert len(interner) <= 4_096
