"""The image `envoy`: how a bootstrap for a real cluster is fitted into this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.api.core import Pod, Service
from headgate.api.meta import ObjectMeta
from headgate.node.images.catalog import Launch, LaunchRequest, WaitingError, parse_image
from headgate.node.images.envoy import GATEWAY_LABEL, Envoy, low_ports_allowed, system_ca_bundle
from support.local_node import Api, LocalNode, pod
from support.waiting import until

ADDRESS = "127.99.0.1"


class FakeServices:
    """A directory with these Services and names."""

    def __init__(self, *services: Service, names: dict[str, list[tuple[str, int]]] | None = None) -> None:
        self.services = services
        self.names = names or {}

    def selecting(self, pod: Pod) -> Iterable[Service]:
        return self.services

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        if host not in self.names:
            raise WaitingError(f"no pod of {host}:{port} is ready")
        return self.names[host]

    async def wait_for_change(self) -> None:
        await asyncio.Event().wait()


def balancer(address: str = "") -> Service:
    status = {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {}
    body = {"metadata": {"name": "front", "namespace": "shop"}, "spec": {"type": "LoadBalancer"}, "status": status}
    return msgspec.convert(body, Service)


def bootstrap(host: str = "127.0.0.1") -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": host, "port_value": 18000}}}}
    assignment = {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [endpoint]}]}
    cluster = {"name": "xds", "type": "STRICT_DNS", "connect_timeout": "2s", "load_assignment": assignment}
    return {
        "node": {"metadata": {"bind": "pod", "kept": 1}},
        "admin": {"address": {"pipe": {"path": "/tmp/a.sock"}}},
        "static_resources": {"clusters": [cluster]},
    }


def launch(
    config: Any, folder: Path, services: FakeServices, *, gateway: bool = True, args: tuple[str, ...] = ()
) -> Launch:
    labels = {GATEWAY_LABEL: "front"} if gateway else {}
    text = config if isinstance(config, str) else json.dumps(config)
    request = LaunchRequest(
        pod=Pod(metadata=ObjectMeta(name="one", namespace="shop", labels=labels)),
        container="envoy",
        image=parse_image("docker.io/envoyproxy/envoy:v1.40.0"),
        command=(),
        args=(*args, "--config-yaml", text, "--disable-hot-restart"),
        environment={},
        address="127.20.0.3",
        folder=folder,
    )
    return asyncio.run(Envoy().launch(request, services))


def config_of(started: Launch) -> dict[str, Any]:
    bootstrap: dict[str, Any] = json.loads(started.argv[started.argv.index("--config-yaml") + 1])
    return bootstrap


def test_the_bootstrap_of_a_gateway_says_which_address_to_bind(tmp_path: Path) -> None:
    started = launch(bootstrap(), tmp_path, FakeServices(balancer(ADDRESS)))
    offset = 0 if low_ports_allowed(ADDRESS) else 10_000
    assert config_of(started)["node"]["metadata"] == {
        "bind": "service",
        "service_address": ADDRESS,
        "port_offset": offset,
        "system_authorities": system_ca_bundle(),
        "kept": 1,
    }


def test_the_authorities_of_the_system_are_the_first_file_that_is_there(tmp_path: Path) -> None:
    places = [str(tmp_path / name) for name in ("debian", "fedora", "macos")]
    assert system_ca_bundle(places) == places[0]
    Path(places[2]).touch()
    Path(places[1]).touch()
    assert system_ca_bundle(places) == places[1]


def test_everything_else_of_a_bootstrap_stays(tmp_path: Path) -> None:
    started = launch(bootstrap(), tmp_path, FakeServices(balancer(ADDRESS)), args=("--concurrency", "1"))
    assert config_of(started) == bootstrap() | {"node": config_of(started)["node"]}
    assert started.argv[1:3] == ("--concurrency", "1")


def test_a_gateways_envoy_waits_for_the_address_of_its_service(tmp_path: Path) -> None:
    with pytest.raises(WaitingError, match="waiting for an address of Service shop/front"):
        launch(bootstrap(), tmp_path, FakeServices(balancer()))


def test_a_gateways_envoy_waits_for_its_service(tmp_path: Path) -> None:
    with pytest.raises(WaitingError, match="waiting for a Service of type LoadBalancer"):
        launch(bootstrap(), tmp_path, FakeServices())


def test_an_envoy_of_nobody_is_started_as_it_is(tmp_path: Path) -> None:
    assert config_of(launch(bootstrap(), tmp_path, FakeServices(), gateway=False)) == bootstrap()


def test_a_bootstrap_may_be_yaml(tmp_path: Path) -> None:
    started = launch("node: {id: a}\nadmin: {}\n", tmp_path, FakeServices(), gateway=False)
    assert config_of(started) == {"node": {"id": "a"}, "admin": {}}


def test_a_cluster_of_a_services_name_reads_its_endpoints_from_a_file(tmp_path: Path) -> None:
    services = FakeServices(names={"headgate.system.svc": [("127.20.0.9", 18000)]})
    started = launch(bootstrap("headgate.system.svc"), tmp_path, services, gateway=False)
    (cluster,) = config_of(started)["static_resources"]["clusters"]
    file = Path(cluster["eds_cluster_config"]["eds_config"]["path_config_source"]["path"])
    (resource,) = json.loads(file.read_text())["resources"]
    (endpoint,) = resource["endpoints"][0]["lb_endpoints"]
    assert cluster["type"] == "EDS"
    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": "127.20.0.9", "port_value": 18000}


def test_a_name_that_leads_nowhere_yet_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(WaitingError, match=r"headgate\.system\.svc:18000"):
        launch(bootstrap("headgate.system.svc"), tmp_path, FakeServices(), gateway=False)


LISTENER = """
admin: {address: {pipe: {path: /run/envoy/admin.sock, mode: 384}}}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: $(POD_IP), port_value: 8080}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"""


def test_an_envoy_serves_in_a_pod_and_drains_before_it_ends(api: Api, node: LocalNode) -> None:
    body = pod(
        "front",
        image="docker.io/envoyproxy/envoy:v1.40.0",
        args=["--config-yaml", LISTENER, "--disable-hot-restart", "--drain-time-s", "1", "--concurrency", "1"],
        env=[{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        readinessProbe={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        volumeMounts=[{"name": "run", "mountPath": "/run/envoy"}],
        spec={"volumes": [{"name": "run", "emptyDir": {}}]},
    )
    api.create(body)

    def ready() -> bool:
        conditions = api.get("Pod", "front").get("status", {}).get("conditions", ())
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    until(ready, what="Envoy is ready")
    with ThreadPoolExecutor() as threads:
        log = threads.submit(api.logs, "front", follow="true")  # until the container has ended
        api.delete("Pod", "front")
        assert "drain" in log.result(60)
    until(lambda: api.find("Pod", "front") is None, what="the pod is gone")
