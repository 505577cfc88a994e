"""The identity of an Envoy, and its state across restarts of its server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from headgate import pki
from headgate.api.meta import Key
from headgate.envoy import names
from headgate.envoy.discovery import METHOD, SERVICE
from headgate.xds.desired import Update
from headgate.xds.facts import Connected, Disconnected
from support.addresses import free_port, loopback_network
from support.waiting import until
from support.xds import GATEWAY, ControlPlane, Traffic, get, listener
from support.xds_harness import XdsHarness
from support.xds_harness import xds_harness as set_up

OTHER = Key("bank", "gate")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XdsHarness]:
    with set_up(tmp_path_factory.mktemp("envoy")) as made:
        made.add("first", 1, 0)
        yield made


def ask(plane: ControlPlane, certified: pki.IssuedCertificate, node_id: str = "envoy-0") -> grpc.StatusCode:
    """How a stream with this certificate ends that subscribes to everything."""
    credentials = grpc.ssl_channel_credentials(plane.authority.certificates, certified.key, certified.certificate)
    options = (("grpc.ssl_target_name_override", names.XDS_SERVER),)
    request = DeltaDiscoveryRequest(type_url=names.SECRET, resource_names_subscribe=["*"])
    request.node.id = node_id
    with grpc.secure_channel(f"127.0.0.1:{plane.port}", credentials, options) as channel:
        stream = channel.stream_stream(f"/{SERVICE}/{METHOD}")(iter([request.SerializeToString()]), timeout=10)
        with pytest.raises(grpc.RpcError) as ended:
            next(stream)
        code: grpc.StatusCode = ended.value.code()
        return code


def test_a_certificate_of_the_ca_that_names_no_gateway_gets_nothing(stage: XdsHarness) -> None:
    certified = pki.issue_client(stage.plane.authority, "spiffe://headgate.dev/ns/shop/sa/default", time.time())
    assert ask(stage.plane, certified) == grpc.StatusCode.PERMISSION_DENIED


def test_a_gateways_certificate_of_another_ca_gets_no_connection(stage: XdsHarness) -> None:
    forger = pki.create_ca(time.time())
    certified = pki.issue_client(forger, pki.spiffe_id(GATEWAY), time.time())
    assert ask(stage.plane, certified) == grpc.StatusCode.UNAVAILABLE


def test_an_envoy_with_another_node_id_gets_the_resources_of_its_certificates_gateway(
    stage: XdsHarness, tmp_path: Path
) -> None:
    address, port = str(loopback_network()[1]), free_port()
    stage.plane.update(Update(resources=listener(address, port), route_configurations=frozenset({"http"})), OTHER)
    with stage.plane.envoy(tmp_path, address, gateway=OTHER, node_id="envoy-0") as impostor:
        until(lambda: get(address, port, "first.example")[0] == 404, what="its own listener", running=impostor)
        assert str(stage.port) not in impostor.admin("/listeners")


def test_a_restarted_server_sends_nothing_again(stage: XdsHarness) -> None:
    with Traffic(stage.address, stage.port, "first.example") as traffic:
        before = _updates(stage)
        stage.plane.stop()
        stage.plane.start()
        for update in stage.updates:
            stage.plane.update(update)
        stage.plane.facts.clear()
        stage.plane.open()
        until(lambda: any(isinstance(fact, Connected) for fact in stage.plane.facts), what="Envoy is back")
        until(lambda: [fact for fact in stage.plane.outcomes() if fact.name == "http"], what="its routes are known")
        assert _updates(stage) == before
    assert traffic.failed == 0


def test_weights_change_again_after_a_restart(stage: XdsHarness) -> None:
    stage.weigh("first", 0, 1)
    until(lambda: stage.answers("first") == {"new"}, what="all traffic moved")


def test_a_server_that_is_not_open_removes_nothing(stage: XdsHarness) -> None:
    stage.plane.stop()
    stage.plane.facts.clear()
    stage.plane.start()
    until(lambda: any(isinstance(fact, Connected) for fact in stage.plane.facts), what="Envoy is back")
    assert stage.get("first") == (200, "new")
    for update in stage.updates:
        stage.plane.update(update)
    stage.plane.open()
    stage.add("later", 1, 0)
    assert stage.get("first") == (200, "new")


def test_a_server_uses_its_renewed_certificate_and_ends_no_stream(stage: XdsHarness, tmp_path: Path) -> None:
    plane = stage.plane
    plane.authority = pki.rotate_ca(plane.authority, time.time())
    plane.certified = pki.issue_server(plane.authority, [names.XDS_SERVER], time.time())
    plane.facts.clear()
    plane.call(plane.server.renew, plane.certified)
    with plane.envoy(tmp_path, str(loopback_network()[1]), node_id="envoy-1") as newcomer:
        until(
            lambda: any(isinstance(fact, Connected) for fact in plane.facts),
            what="an Envoy with a certificate of the new authority is let in",
            running=newcomer,
        )
        assert not any(isinstance(fact, Disconnected) for fact in plane.facts)


def test_an_envoy_reads_its_renewed_certificate_and_ca_from_its_files(stage: XdsHarness) -> None:
    plane = stage.plane
    plane.authority = pki.create_ca(time.time())
    plane.certified = pki.issue_server(plane.authority, [names.XDS_SERVER], time.time())
    plane.identity(stage.folder / "certificates")
    plane.facts.clear()
    plane.stop()
    plane.start()
    for update in stage.updates:
        plane.update(update)
    plane.open()
    until(lambda: any(isinstance(fact, Connected) for fact in plane.facts), what="both trust each other")
    stage.add("renewed", 1, 0)


def test_a_gateway_that_is_dropped_ends_its_streams_and_its_envoys_serve_on(stage: XdsHarness) -> None:
    stage.plane.facts.clear()
    stage.plane.call(stage.plane.server.drop, GATEWAY)
    until(lambda: any(isinstance(fact, Disconnected) for fact in stage.plane.facts), what="the stream ended")
    assert stage.get("first") == (200, "new")


def _updates(stage: XdsHarness) -> str:
    dump = json.loads(stage.envoy.admin("/config_dump"))
    return str([each for config in dump["configs"] for each in _dynamic(config)])


def _dynamic(config: dict[str, object]) -> list[object]:
    return [value for key, value in config.items() if key.startswith("dynamic_")]
