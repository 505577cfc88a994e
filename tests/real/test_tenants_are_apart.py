"""Tenants of one cluster: the Envoys of each have its own certificates only, and nobody reaches their admin API.

On a real API, with Envoys and the tenants' pods as processes; the pods are on network stacks of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from golden import cases as golden
from headgate import pki
from support.control_plane import ControlPlane
from support.envoys import OverSocket
from support.installed import NAMESPACE, Installed
from support.observer import admin_socket, process_of_envoy
from support.waiting import until
from support.xds_client import ask

PODS, LOAD_BALANCERS = "10.244.128.0/17", "10.245.128.0/17"
TENANTS = tuple(f"tenant-{letter}" for letter in "abcdef")

#: What an admin API would answer, and ways around a path that is let through.
ADMIN = (
    "GET /config_dump",
    "GET /certs",
    "GET /clusters",
    "GET /",
    "POST /quitquitquit",
    "POST /logging?level=trace",
    "POST /stats/prometheus",
    "GET /stats/prometheus/../../config_dump",
    "GET /stats/prometheus/%2e%2e/%2e%2e/config_dump",
    "GET //config_dump",
    "GET /ready/../config_dump",
    "GET /ready/",
)

# Tries each door of another tenant's Envoy, with each question, and says what came.
INTRUDER = """
import http.client, json, sys
doors, questions = json.loads(sys.argv[1]), json.loads(sys.argv[2])
heard = []
for address, port in doors:
    for question in questions:
        method, path = question.split(" ", 1)
        connection = http.client.HTTPConnection(address, port, timeout=5)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            heard.append([port, question, answer.status, answer.read().decode(errors="replace")[:200]])
        except (OSError, http.client.HTTPException) as error:
            heard.append([port, question, 0, type(error).__name__])
print(json.dumps(heard), flush=True)
"""


def manifests(tenant: str) -> list[dict[str, Any]]:
    """A tenant's namespace, certificate, Gateway and route."""
    secret = golden.secret(f"{tenant}/tls", (f"{tenant}.example",))
    meta = {"namespace": tenant, "name": "edge"}
    listeners = [
        {"name": "plain", "protocol": "HTTP", "port": 80},
        {"name": "tls", "protocol": "HTTPS", "port": 443, "tls": {"certificateRefs": [{"name": "tls"}]}},
    ]
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": f"{tenant}.example", "statusCode": 302}}
    group = "gateway.networking.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": tenant, "name": "tls"},
            "type": secret.type,
            "data": dict(secret.data),
        },
        {
            "apiVersion": group,
            "kind": "Gateway",
            "metadata": meta,
            "spec": {"gatewayClassName": "headgate", "listeners": listeners},
        },
        {
            "apiVersion": group,
            "kind": "HTTPRoute",
            "metadata": meta,
            "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"filters": [redirect]}]},
        },
    ]


@pytest.fixture(scope="module")
def cluster(local_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("tenants")
    flags = (
        f"--pod-cidr={PODS}",
        f"--load-balancer-cidr={LOAD_BALANCERS}",
        "--pod-network=namespace",
        f"--image=python={sys.executable} -u",
    )
    with ControlPlane(folder / "kubernetes") as plane:
        plane.apply_crds()
        with Installed(plane, folder / "headgate", arguments=("--no-rollouts",), node=flags):
            plane.kubectl.apply(yaml.safe_dump_all(each for name in TENANTS for each in manifests(name)))
            for name in TENANTS:
                plane.kubectl("-n", name, "wait", "gateway/edge", "--for=condition=Programmed", "--timeout=60s")
                until(lambda name=name: name in admin(name, "/certs"), what=f"the certificate of {name}")  # type: ignore[misc]
            yield plane


def admin(tenant: str, path: str) -> str:
    """What the admin API of a tenant's Envoy says to whoever may open its socket."""
    connection = OverSocket(admin_socket(f"{tenant}/edge"))
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def doors(tenant: str) -> list[tuple[str, int]]:
    """Where the process of a tenant's Envoy listens for TCP."""
    pid, _ = process_of_envoy(f"{tenant}/edge")
    descriptors = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
    own = {each.removeprefix("socket:[").rstrip("]") for each in descriptors if each.startswith("socket:[")}
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    found = [line[1].split(":") for line in lines if line[3] == "0A" and line[9] in own]
    return sorted({(_dotted(address), int(port, 16)) for address, port in found})


def _dotted(hexadecimal: str) -> str:
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(hexadecimal)))


def from_a_pod(plane: ControlPlane, tenant: str, name: str, questions: tuple[str, ...], of: str) -> list[list[Any]]:
    """What a pod of one tenant hears at every door of another's Envoy."""
    arguments = ["-c", INTRUDER, json.dumps(doors(of)), json.dumps(questions)]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": tenant, "name": name},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "python", "args": arguments}]},
    }
    plane.kubectl.apply(json.dumps(pod))

    def phase() -> bool:
        return bool(plane.kubectl.json("-n", tenant, "get", "pod", name)["status"].get("phase") == "Succeeded")

    until(phase, deadline=60, what="the intruder has tried everything")
    heard: list[list[Any]] = json.loads(plane.kubectl("-n", tenant, "logs", name))
    return heard


def test_an_envoy_has_nothing_of_another_tenant(cluster: ControlPlane) -> None:
    for tenant in TENANTS:
        dump = admin(tenant, "/config_dump?include_eds")
        assert [name for name in TENANTS if name in dump] == [tenant]


def test_an_envoy_listens_where_its_gateway_says_and_at_the_door_for_probes(cluster: ControlPlane) -> None:
    gateway = cluster.kubectl.json("-n", "tenant-a", "get", "gateway", "edge")
    address = gateway["status"]["addresses"][0]["value"]
    assert {port for at, port in doors("tenant-a") if at == address} == {80, 443}
    assert [port for at, port in doors("tenant-a") if at != address] == [19001]


def test_the_admin_api_answers_no_pod_of_another_tenant(cluster: ControlPlane) -> None:
    heard = from_a_pod(cluster, "tenant-b", "intruder", ADMIN, of="tenant-a")
    assert len(heard) == len(doors("tenant-a")) * len(ADMIN)
    redirected = [each for each in heard if each[0] == 80]
    assert {status for _, _, status, _ in redirected} == {302}  # the tenant's own route takes all of it
    assert {status for port, _, status, _ in heard if port == 19001} == {404}
    assert {status for port, _, status, _ in heard if port == 443} == {0}  # plain text at a TLS listener
    assert process_of_envoy("tenant-a/edge")


def test_what_probes_and_prometheus_ask_is_answered(cluster: ControlPlane) -> None:
    heard = from_a_pod(cluster, "tenant-b", "prometheus", ("GET /ready", "GET /stats/prometheus"), of="tenant-a")
    assert {status for port, _, status, _ in heard if port == 19001} == {200}


def test_the_admin_socket_is_a_file_that_only_its_user_may_open(cluster: ControlPlane) -> None:
    assert admin_socket("tenant-a/edge").stat().st_mode & 0o777 == 0o600


def test_a_tenants_certificate_gets_nothing_of_another_tenant(cluster: ControlPlane) -> None:
    def certified(tenant: str) -> pki.IssuedCertificate:
        secrets = cluster.kubectl.json("-n", tenant, "get", "secrets", "-l", "app.kubernetes.io/component=envoy")
        return pki.load_certificate(secrets["items"][0]["data"])

    wanted = [f"tenant-a/{name}" for name in ("tls", "edge")]
    leader = cluster.kubectl.json("-n", NAMESPACE, "get", "pods", "-l", "headgate.dev/leader=true")["items"][0]
    server = f"{leader['status']['podIP']}:18000"
    pods = cluster.kubectl.json("-n", "tenant-a", "get", "pods")["items"]
    heard = ask(server, certified("tenant-b"), wanted, node_id=pods[0]["metadata"]["name"])
    assert "tenant-b" in heard
    assert "tenant-a" not in heard


def test_a_stream_without_a_tenants_certificate_gets_nothing(cluster: ControlPlane) -> None:
    data = cluster.kubectl.json("-n", NAMESPACE, "get", "secret", "headgate-xds-authority")["data"]
    authority = pki.load_ca(data)
    forged = pki.issue_client(pki.create_ca(time.time()), "spiffe://headgate.dev/ns/tenant-a/gateway/edge", time.time())
    stranger = pki.IssuedCertificate(
        certificate=forged.certificate, key=forged.key, ca_certificates=authority.certificates
    )
    leader = cluster.kubectl.json("-n", NAMESPACE, "get", "pods", "-l", "headgate.dev/leader=true")["items"][0]
    assert ask(f"{leader['status']['podIP']}:18000", stranger, [], node_id="edge-headgate") == ""


def test_the_tenants_are_served_all_the_while(cluster: ControlPlane) -> None:
    for tenant in TENANTS:
        gateway = cluster.kubectl.json("-n", tenant, "get", "gateway", "edge")
        answer = httpx.get(f"http://{gateway['status']['addresses'][0]['value']}/", trust_env=False)
        assert answer.headers["location"] == f"http://{tenant}.example/"
