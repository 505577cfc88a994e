"""Clusters and certificates that a real Envoy NACKs: reported once, with their origins; everything else is applied."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from cryptography import x509

from golden import cases as golden
from headgate.api import tls
from headgate.api.meta import Ref
from headgate.envoy import clusters, listeners, secrets
from headgate.envoy.names import CLUSTER, SECRET
from headgate.xds.desired import Update
from headgate.xds.facts import Outcome
from support.addresses import free_port
from support.insecure_tls import insecure_context
from support.waiting import until
from support.xds import split
from support.xds_harness import XdsHarness
from support.xds_harness import xds_harness as set_up

ODD = Ref("HTTPRoute", "shop", "odd")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XdsHarness]:
    with set_up(tmp_path_factory.mktemp("envoy")) as made:
        made.add("before", 1, 0)
        yield made


def refusals(stage: XdsHarness, type_url: str) -> list[Outcome]:
    return [each for each in stage.plane.outcomes() if each.type_url == type_url and each.message]


def test_a_nacked_cluster_is_reported_with_its_routes_and_others_serve(stage: XdsHarness) -> None:
    odd, fine = stage.plane.backend("odd"), stage.plane.backend("fine")
    bad = clusters.cluster(odd.cluster, "shop_odd_80", connect_timeout=0.0)
    resources = {**odd.resources(), (CLUSTER, bad.name): bad, **fine.resources()}
    odd_host, odd_weights = split("odd", (odd, 1), origins=[ODD])
    fine_host, fine_weights = split("fine", (fine, 1))
    stage.update(
        Update(
            resources=resources,
            hosts={("http", "odd"): odd_host, ("http", "fine"): fine_host},
            weights={**odd_weights, **fine_weights},
        )
    )
    until(lambda: stage.get("fine") == (200, "fine"), what="what came with it serves")
    until(lambda: stage.get("odd")[0] == 500, what="its own route answers 500")
    (refused,) = until(lambda: refusals(stage, CLUSTER), what="the refusal")
    assert (refused.name, refused.origins) == (odd.cluster, (ODD,))
    assert "connect_timeout" in refused.message.lower() or "ConnectTimeout" in refused.message


def test_a_nacked_cluster_is_not_sent_again_with_other_changes(stage: XdsHarness) -> None:
    before = stage.envoy.counter("cluster_manager.cds.update_rejected")
    stage.add("after", 1, 0)
    new = stage.plane.backend("new-one")
    host, weights = split("new-one", (new, 1))
    stage.update(Update(resources=new.resources(), hosts={("http", "new-one"): host}, weights=weights))
    until(lambda: stage.get("new-one") == (200, "new-one"), what="a new cluster is taken")
    assert stage.envoy.counter("cluster_manager.cds.update_rejected") == before > 0


def test_a_fixed_cluster_serves_and_its_routes_are_reported(stage: XdsHarness) -> None:
    odd = stage.plane.backend("odd")
    stage.update(Update(resources=odd.resources()))
    until(lambda: stage.get("odd") == (200, "odd"), what="it serves")
    last = [each for each in stage.plane.outcomes() if each.type_url == CLUSTER and each.name == odd.cluster][-1]
    assert (last.message, last.origins) == ("", (ODD,))


def test_a_nacked_certificate_is_reported_until_it_is_fixed_and_others_are_used(stage: XdsHarness) -> None:
    port = free_port(stage.address)
    good = tls.of_secret(golden.secret("shop/good", ("good.example",)))
    bad = secrets.tls_certificate("shop/bad", good.certificate + b"-----BEGIN CERTIFICATE-----\n", good.key)
    fine = secrets.tls_certificate("shop/good", good.certificate, good.key)
    chains = [listeners.FilterChain(each, "http", (f"{each}.example",), (f"shop/{each}",)) for each in ("good", "bad")]
    found = listeners.listener(f"l-{port}", stage.address, port, chains)
    stage.update(Update(resources={(each.type_url, each.name): each for each in (bad, fine, found)}))
    (refused,) = until(lambda: refusals(stage, SECRET), what="the refusal")
    assert refused.name == "shop/bad"
    until(lambda: shown(stage, port, "good.example") == ("good.example",), what="the other certificate is shown")
    assert stage.get("before") == (200, "old")
    mended = tls.of_secret(golden.secret("shop/bad", ("bad.example",)))
    stage.update(
        Update(resources={(SECRET, "shop/bad"): secrets.tls_certificate("shop/bad", mended.certificate, mended.key)})
    )
    until(lambda: shown(stage, port, "bad.example") == ("bad.example",), what="the mended certificate is shown")
    until(lambda: last_outcome(stage, SECRET, "shop/bad").message == "", what="the ACK is reported")


def last_outcome(stage: XdsHarness, type_url: str, name: str) -> Outcome:
    return [each for each in stage.plane.outcomes() if (each.type_url, each.name) == (type_url, name)][-1]


def shown(stage: XdsHarness, port: int, host: str) -> tuple[str, ...]:
    """The names of the certificate that the server presents."""
    with (
        socket.create_connection((stage.address, port), timeout=5) as plain,
        insecure_context().wrap_socket(plain, server_hostname=host) as secure,
    ):
        return tls.names_of(x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b""))
