"""Backends to clusters."""

from __future__ import annotations

from headgate.api.meta import Key
from headgate.envoy import protos
from headgate.ir.routing import Backend, Endpoint, Endpoints
from headgate.rendering import cluster_name
from headgate.translate.clusters import assignment, cluster

WEB = Backend(Key("shop", "web"), 80)


def test_a_cluster_is_named_after_its_service_port_and_reports_without_dots() -> None:
    message = protos.Cluster.FromString(cluster(WEB).body)
    assert (message.name, message.alt_stat_name) == ("shop/web/80", "shop_web_80")


def test_another_protocol_is_another_cluster_with_the_same_name_in_statistics() -> None:
    h2c = Backend(Key("shop", "web"), 80, "http2")
    assert cluster_name(h2c) != cluster_name(WEB)
    assert protos.Cluster.FromString(cluster(h2c).body).alt_stat_name == "shop_web_80"
    assert "http2_protocol_options" in str(protos.HttpProtocolOptions.FromString(_options(cluster(h2c).body)))


def _options(body: bytes) -> bytes:
    (packed,) = protos.Cluster.FromString(body).typed_extension_protocol_options.values()
    value: bytes = packed.value
    return value


def test_endpoints_come_under_the_name_of_the_cluster() -> None:
    found = assignment(Endpoints(WEB, (Endpoint("10.0.0.1", 8080),)))
    assert found.name == cluster(WEB).name
    assert "10.0.0.1" in str(protos.ClusterLoadAssignment.FromString(found.body))
