"""Make before break, and NACKs, on a real Envoy."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from headgate import pki
from headgate.api.meta import Ref
from headgate.envoy import clusters, listeners, routes
from headgate.envoy.names import CLUSTER, ENDPOINTS, LISTENER, ROUTES, SECRET
from headgate.envoy.resources import Resource, VirtualHost
from headgate.envoy.secrets import tls_certificate
from headgate.xds.desired import Update
from support.addresses import free_port
from support.waiting import until
from support.xds import Traffic, get, listener, split
from support.xds_harness import XdsHarness
from support.xds_harness import xds_harness as set_up


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XdsHarness]:
    with set_up(tmp_path_factory.mktemp("envoy")) as made:
        yield made


def broken(name: str, regex: str = "[") -> VirtualHost:
    """A virtual host that Envoy NACKs: its regular expression does not compile."""
    match = routes.Match(routes.PathMatch("regex", regex))
    return routes.virtual_host(
        name,
        [f"{name}.example"],
        [routes.route(name, match, routes.DirectResponse(200, "fine"))],
        origins=[Ref("HTTPRoute", "shop", name)],
    )


def test_swapping_the_cluster_of_a_route_twenty_times_fails_no_request(stage: XdsHarness) -> None:
    stage.add("swap", 1, 0)
    before = stage.old
    with Traffic(stage.address, stage.port, "swap.example") as traffic:
        for step in range(20):
            backend = stage.plane.backend(f"swap{step}")
            host, weights = split("swap", (backend, 1))
            gone = frozenset() if before is stage.old else frozenset(before.resources())
            stage.update(
                Update(
                    resources=backend.resources(),
                    removed_resources=gone,
                    hosts={("http", "swap"): host},
                    weights=weights,
                )
            )
            until(lambda: stage.get("swap")[1] == backend.name, what="the swap", every=0.01)  # noqa: B023
            before = backend
    assert traffic.failed == 0


def test_an_unwanted_cluster_is_removed_after_its_last_route(stage: XdsHarness) -> None:
    backend = stage.plane.backend("brief")
    host, weights = split("brief", (backend, 1))
    stage.update(Update(resources=backend.resources(), hosts={("http", "brief"): host}, weights=weights))
    until(lambda: stage.get("brief") == (200, "brief"), what="it serves")
    stage.update(Update(removed_resources=frozenset(backend.resources()), removed_hosts=frozenset({("http", "brief")})))
    until(lambda: backend.cluster not in stage.envoy.admin("/clusters"), what="the cluster is gone")
    assert stage.get("brief")[0] == 404


def test_a_cluster_that_changes_under_its_own_name_fails_no_request(stage: XdsHarness) -> None:
    backend = stage.plane.backend("same")
    host, weights = split("same", (backend, 1))
    stage.update(Update(resources=backend.resources(), hosts={("http", "same"): host}, weights=weights))
    until(lambda: stage.get("same") == (200, "same"), what="it serves")
    with Traffic(stage.address, stage.port, "same.example") as traffic:
        for timeout in (1.0, 2.0, 3.0):
            changed = clusters.cluster(backend.cluster, "shop_same_80", connect_timeout=timeout)
            stage.update(Update(resources={(CLUSTER, changed.name): changed}))
            until(
                lambda t=timeout: (
                    f'"connect_timeout": "{t:g}s"' in stage.envoy.admin("/config_dump?name_regex=.*same.*")
                ),  # type: ignore[misc]
                deadline=5,
                what="the change is in force",
            )
    assert traffic.failed == 0


def test_a_route_to_a_service_without_endpoints_answers_503_at_once(stage: XdsHarness) -> None:
    backend = stage.plane.backend("empty")
    empty = clusters.cluster_load_assignment(backend.cluster, [])
    host, weights = split("empty", (backend, 1))
    resources = backend.resources() | {(ENDPOINTS, empty.name): empty}
    stage.update(Update(resources=resources, hosts={("http", "empty"): host}, weights=weights))
    until(lambda: stage.get("empty")[0] == 503, deadline=5, what="503")


def test_a_nacked_virtual_host_stops_no_other(stage: XdsHarness) -> None:
    hosts = {("http", f"many{i}"): split(f"many{i}", (stage.old, 1)) for i in range(8)}
    stage.update(
        Update(
            hosts={key: host for key, (host, _) in hosts.items()} | {("http", "bad"): broken("bad")},
            weights={key: each for _, weights in hosts.values() for key, each in weights.items()},
        )
    )
    until(lambda: all(stage.get(f"many{i}") == (200, "old") for i in range(8)), what="all others serve")
    assert stage.get("bad")[0] == 500
    (refused,) = stage.plane.outcomes("missing ]")
    assert (refused.type_url, refused.name, refused.host, refused.origins) == (
        ROUTES,
        "http",
        "bad",
        (Ref("HTTPRoute", "shop", "bad"),),
    )


def test_a_nacked_change_leaves_a_virtual_host_unchanged(stage: XdsHarness) -> None:
    stage.add("kept", 1, 0)
    stage.update(Update(hosts={("http", "kept"): broken("kept", "(")}))
    until(lambda: [fact for fact in stage.plane.outcomes("missing )") if fact.host == "kept"], what="the refusal")
    assert stage.get("kept") == (200, "old")


def test_a_nacked_virtual_host_serves_again_when_it_is_fixed(stage: XdsHarness) -> None:
    stage.update(Update(hosts={("http", "mended"): broken("mended")}))
    until(lambda: stage.get("mended")[0] == 500, what="500 while it is refused")
    host, weights = split("mended", (stage.old, 1))
    stage.update(Update(hosts={("http", "mended"): host}, weights=weights))
    until(lambda: stage.get("mended") == (200, "old"), what="it serves")
    last = [fact for fact in stage.plane.outcomes() if fact.host == "mended"][-1]
    assert last.message == ""


def test_a_listener_on_a_port_in_use_is_nacked_and_the_others_are_added(stage: XdsHarness) -> None:
    taken = stage.plane.port
    other = free_port(stage.address)
    stage.update(Update(resources=listener("127.0.0.1", taken) | listener(stage.address, other)))
    until(lambda: get(stage.address, other, "x")[0] == 404, what="the other listener")
    (refused,) = until(lambda: stage.plane.outcomes("Address already in use"), what="the refusal")
    assert (refused.type_url, refused.name) == (LISTENER, f"l-{taken}")


def test_a_listener_on_a_port_in_use_serves_when_the_port_becomes_free(stage: XdsHarness) -> None:
    with socket.socket() as holder:
        holder.bind((stage.address, 0))
        holder.listen()
        port = holder.getsockname()[1]
        stage.update(Update(resources=listener(stage.address, port)))
        until(lambda: stage.plane.outcomes(f":{port}': Address already in use"), what="the refusal")
    until(lambda: get(stage.address, port, "x")[0] == 404, what="the listener, with nothing changed")


def certificate(host: str) -> Resource:
    """A self-signed certificate for a host, as a secret that always has the same name."""
    issued = pki.issue_server(pki.create_ca(time.time()), [host], time.time())
    return tls_certificate("web", issued.certificate, issued.key)


def shown(stage: XdsHarness, port: int) -> bytes:
    """The certificate that the server presents."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((stage.address, port), timeout=5) as plain,
        trusting.wrap_socket(plain, server_hostname="web.example") as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_is_used_without_changing_the_listener(stage: XdsHarness) -> None:
    port = free_port(stage.address)
    chain = listeners.FilterChain("web", "http", ("web.example",), ("web",))
    https = listeners.listener("https", stage.address, port, [chain])
    stage.update(Update(resources={(SECRET, "web"): certificate("one"), (LISTENER, "https"): https}))
    first = until(lambda: shown(stage, port), what="a certificate")
    listening = stage.envoy.counter("listener_manager.listener_modified")
    stage.update(Update(resources={(SECRET, "web"): certificate("two")}))
    until(lambda: shown(stage, port) != first, what="another certificate")
    assert stage.envoy.counter("listener_manager.listener_modified") == listening
