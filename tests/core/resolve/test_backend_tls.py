"""Which BackendTLSPolicy takes effect on a Service port, and the reasons that each policy reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from golden import cases
from headgate.api.meta import Key, Object, Ref
from headgate.ir.tls import UpstreamTLS
from support.manifests import decode_manifest

HEAD = "gateway.networking.k8s.io/v1"
AUTHORITY = {"group": "", "kind": "ConfigMap", "name": "bundle"}


def made(kind: str, name: str, spec: dict[str, Any], version: str = HEAD, created: str = "") -> Object:
    meta = {"name": name, "namespace": "shop", "generation": 1, "uid": f"uid-{name}", "creationTimestamp": created}
    return decode_manifest({"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec})


def gateway(name: str = "gate") -> Object:
    listeners = [
        {"name": "http", "port": 80, "protocol": "HTTP"},
        {"name": "tcp", "port": 9000, "protocol": "TCP"},
    ]
    return made("Gateway", name, {"gatewayClassName": cases.CLASS, "listeners": listeners})


def route(*ports: int, gateways: Iterable[str] = ("gate",), kind: str = "HTTPRoute", name: str = "web") -> Object:
    refs = [{"name": "web", "port": port} for port in ports]
    parents = [{"name": each} for each in gateways]
    return made(kind, name, {"parentRefs": parents, "rules": [{"backendRefs": refs}]})


def service(**ports: int) -> Object:
    found = [{"name": name, "port": port} for name, port in ports.items()]
    return made("Service", "web", {"ports": found}, "v1")


def policy(name: str, *sections: str, created: str = "2026-01-01T00:00:00Z", **fields: Any) -> Object:
    """One whose hostname is its name."""
    targets: list[dict[str, str]] = [
        {"group": "", "kind": "Service", "name": "web"} | ({"sectionName": each} if each else {})
        for each in sections or ("",)
    ]
    validation = {"hostname": f"{name}.example.com", "caCertificateRefs": [AUTHORITY]} | fields
    return made("BackendTLSPolicy", name, {"targetRefs": targets, "validation": validation}, created=created)


def world(*values: Object) -> cases.Running:
    found = cases.empty()
    for each in (
        cases.gateway_class(),
        gateway(),
        service(a=1, b=2),
        route(1, 2),
        cases.config_map("shop/bundle", "backends"),
        *values,
    ):
        found.put(each)
    return found.run()


def names(found: cases.Running) -> dict[int, str | None]:
    """The server name by port; None is plain text."""

    def name(tls: UpstreamTLS | None) -> str | None:
        return tls.server_name.partition(".")[0] if tls else None

    return {key[1].port: name(key[1].traffic.tls) for key, _ in found.outputs.routing.backends.items()}


def reasons(found: cases.Running, name: str) -> dict[str, list[str]]:
    """Reasons of Accepted and ResolvedRefs by Gateway."""
    entries = found.outputs.policy_statuses.get(Ref("BackendTLSPolicy", "shop", name)) or ()
    return {each.ancestor_ref.name: [condition.reason for condition in each.conditions] for each in entries}


GOOD = ["Accepted", "ResolvedRefs"]


def test_without_a_policy_backends_get_plain_text() -> None:
    assert names(world()) == {1: None, 2: None}


def test_a_policy_for_a_port_comes_before_an_older_one_for_the_service() -> None:
    found = world(policy("whole", created="2025-01-01T00:00:00Z"), policy("port", "b"))
    assert names(found) == {1: "whole", 2: "port"}
    assert reasons(found, "whole") == reasons(found, "port") == {"gate": GOOD}


@pytest.mark.parametrize("section", ["", "a"])
def test_the_older_policy_takes_effect_then_the_first_by_name(section: str) -> None:
    found = world(policy("late", section, created="2026-01-02T00:00:00Z"), policy("b", section), policy("a", section))
    assert names(found)[1] == "a"
    assert reasons(found, "a") == {"gate": GOOD}
    for loser in ("b", "late"):
        assert reasons(found, loser) == {"gate": ["Conflicted", "ResolvedRefs"]}


def test_the_next_policy_takes_effect_when_the_first_is_deleted() -> None:
    first = policy("a")
    found = world(first, policy("b"))
    found.world.backend_tls_policies.delete(first.key)
    found.run()
    assert names(found) == {1: "b", 2: "b"}
    assert reasons(found, "b") == {"gate": GOOD}


def test_an_effective_policy_that_is_invalid_is_not_replaced_by_another() -> None:
    broken = policy("a", caCertificateRefs=[{"group": "", "kind": "ConfigMap", "name": "missing"}])
    found = world(broken, policy("b"))
    assert names(found) == {1: "a", 2: "a"}
    assert all(not each.endpoints for _, each in found.outputs.routing.endpoints.items())
    assert reasons(found, "a") == {"gate": ["NoValidCACertificate", "InvalidCACertificateRef"]}
    assert reasons(found, "b") == {"gate": ["Conflicted", "ResolvedRefs"]}


def test_an_invalid_policy_does_not_change_the_status_of_the_route() -> None:
    found = world(policy("a", caCertificateRefs=[{"group": "", "kind": "ConfigMap", "name": "missing"}]))
    ((entry,),) = [status for _, status in found.outputs.route_statuses.items()]
    assert [(each.type, each.status) for each in entry.conditions] == [("Accepted", "True"), ("ResolvedRefs", "True")]


def test_a_policy_has_an_entry_for_each_gateway_that_uses_its_service_and_for_no_other() -> None:
    found = world(gateway("one"), gateway("two"), gateway("idle"), route(1, gateways=("one", "two")), policy("p"))
    assert reasons(found, "p") == {"one": GOOD, "two": GOOD}


def test_a_policy_has_entries_for_at_most_sixteen_gateways() -> None:
    many = [f"g{number:02}" for number in range(20)]
    found = world(*map(gateway, many), route(1, gateways=many), policy("p"))
    assert list(reasons(found, "p")) == many[:16]


def test_a_policy_of_a_service_that_no_gateway_uses_has_no_entry() -> None:
    unused = made(
        "BackendTLSPolicy",
        "p",
        {
            "targetRefs": [{"group": "", "kind": "Service", "name": "other"}],
            "validation": {"hostname": "x", "caCertificateRefs": [AUTHORITY]},
        },
    )
    assert reasons(world(unused), "p") == {}


def test_a_port_that_the_service_does_not_have_is_not_found() -> None:
    found = world(policy("p", "c"))
    assert names(found) == {1: None, 2: None}
    assert reasons(found, "p") == {"gate": ["TargetNotFound", "ResolvedRefs"]}


def test_a_tcp_route_originates_no_tls() -> None:
    found = world(policy("p"))
    found.put(route(1, kind="TCPRoute", name="tcp"))
    found.world.http_routes.delete(Key("shop", "web"))
    found.run()
    assert {key[1].traffic.tls for key, _ in found.outputs.routing.used.items()} == {None}
    assert reasons(found, "p") == {}


def test_a_grpc_backend_with_tls_speaks_http2() -> None:
    found = world(policy("p"), route(1, kind="GRPCRoute", name="grpc"))
    spoken = {key[1].protocol for key, _ in found.outputs.routing.backends.items() if key[1].port == 1}
    assert spoken == {"http1", "http2"}
    assert names(found)[1] == "p"
