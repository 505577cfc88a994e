"""The life of a node: what it takes over, what it leaves behind (nothing), and when it does not start."""

from __future__ import annotations

import base64
import os
import signal
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from support.addresses import free_port
from support.local_node import HEADGATE, PYTHON_IMAGE, Api, LocalNode, local_api, local_node, pod, python
from support.processes import Program
from support.waiting import until

# A pod that says its pid, does not end by SIGTERM, and has a child in a session of its own.
STUBBORN = (
    "import os, signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    "print(os.getpid(), child.pid, flush=True)\n"
    "time.sleep(600)\n"
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with local_api(tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture
def node(api: Api, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LocalNode]:
    with local_node(api, tmp_path, *PYTHON_IMAGE, name=_name(request)) as node:
        yield node


def _name(request: pytest.FixtureRequest) -> str:
    return "n" + str(abs(hash(request.node.name)))[:8]


@pytest.fixture
def space(api: Api, request: pytest.FixtureRequest) -> Iterator[Api]:
    space = api.within(_name(request))
    yield space
    for each in space.all("Pod"):
        space.delete("Pod", each["metadata"]["name"], gracePeriodSeconds=0)


def run_pod(space: Api, body: dict[str, object]) -> list[int]:
    """Creates the pod and gives the pids that it says."""
    space.create(body)
    name = str(body["metadata"]["name"])  # type: ignore[index]
    return [int(word) for word in until(lambda: space.logs(name), what="the pod says its pids").split()]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def refused(folder: Path, *arguments: str | Path) -> str:
    """What `headgate node` says when it exits with code 2."""
    command = (*HEADGATE, "node", "--data", folder / "data", *arguments)
    with Program(command, log=folder / "refused.log") as program:
        assert program.wait(20) == 2, program.output()
        return program.output()


def test_sigterm_leaves_no_process_behind(node: LocalNode, space: Api) -> None:
    pids = run_pod(space, pod("one", **python(STUBBORN)))
    node.program.send(signal.SIGTERM)
    assert node.program.wait(20) == 0
    until(lambda: not runs(pids[0]), what="the pod's process is gone")


def test_what_a_killed_node_left_is_ended_by_the_next_one(node: LocalNode, space: Api) -> None:
    pids = run_pod(space, pod("one", **python(STUBBORN), spec={"restartPolicy": "Never"}))
    os.kill(node.program.pid, signal.SIGKILL)
    node.program.wait()
    assert all(runs(pid) for pid in pids), "nobody has ended them yet"
    node.start(*PYTHON_IMAGE)
    until(lambda: not any(runs(pid) for pid in pids), what="both processes are gone")


def test_what_a_killed_node_left_can_be_ended_without_an_api(node: LocalNode, space: Api) -> None:
    pids = run_pod(space, pod("one", **python(STUBBORN)))
    os.kill(node.program.pid, signal.SIGKILL)
    node.program.wait()
    with Program((*HEADGATE, "node", "--end", "--data", node.data), log=node.folder / "end.log") as end:
        assert end.wait(20) == 0
        assert "ended 2 processes" in end.output()
    assert not any(runs(pid) for pid in pids)


def test_a_process_that_only_has_the_pid_of_a_pod_is_left_alone(node: LocalNode, tmp_path: Path) -> None:
    node.stop()
    with Program((sys.executable, "-c", "import time; time.sleep(600)"), log=tmp_path / "stranger.log") as stranger:
        record = node.data / "processes" / f"{stranger.pid}.json"
        record.write_text(f'{{"pid": {stranger.pid}, "started": "another boot 1"}}')
        node.start()
        assert stranger.running
    assert not record.exists()


def test_a_pod_of_a_killed_node_is_started_again_with_its_address(node: LocalNode, space: Api) -> None:
    run_pod(space, pod("one", **python(STUBBORN)))
    address = space.get("Pod", "one")["status"]["podIP"]
    node.program.kill()
    node.start(*PYTHON_IMAGE)

    def restarted() -> bool:
        status = space.get("Pod", "one")["status"]
        container = status["containerStatuses"][0]
        return bool(container["restartCount"] == 1 and "running" in container["state"] and status["podIP"] == address)

    until(restarted, what="the pod runs again", tolerate=(OSError, KeyError))
    last = space.get("Pod", "one")["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert last["reason"] == "ContainerStatusUnknown"


def test_a_pod_that_must_not_be_restarted_fails_with_its_node(node: LocalNode, space: Api) -> None:
    run_pod(space, pod("one", **python(STUBBORN), spec={"restartPolicy": "Never"}))
    node.program.kill()
    node.start(*PYTHON_IMAGE)
    until(lambda: space.get("Pod", "one")["status"]["phase"] == "Failed")


def test_a_pod_that_was_removed_by_force_is_ended(node: LocalNode, space: Api) -> None:
    pids = run_pod(space, pod("one", **python(STUBBORN)))
    space.delete("Pod", "one", gracePeriodSeconds=0)
    until(lambda: not runs(pids[0]), what="the process is gone")


def test_a_pod_that_was_deleted_while_the_node_was_away_is_ended_and_confirmed(node: LocalNode, space: Api) -> None:
    run_pod(space, pod("one", **python(STUBBORN)))
    node.stop()
    space.delete("Pod", "one", gracePeriodSeconds=1)
    node.start(*PYTHON_IMAGE)
    until(lambda: space.find("Pod", "one") is None, what="the pod is gone")


def service(name: str, **spec: object) -> dict[str, object]:
    spec = {"type": "LoadBalancer", "selector": {"app": "x"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def address_of(space: Api, name: str) -> str:
    def address() -> str:
        ingress = space.get("Service", name).get("status", {}).get("loadBalancer", {}).get("ingress", [])
        return str(ingress[0]["ip"]) if ingress else ""

    return until(address, what=f"an address of Service {name}")


def test_a_load_balancer_keeps_its_address_over_a_restart(node: LocalNode, space: Api) -> None:
    space.create(service("one"), service("two"))
    before = address_of(space, "one"), address_of(space, "two")
    node.stop()
    node.start()
    space.create(service("three"))
    assert len({*before, address_of(space, "three")}) == 3
    assert (address_of(space, "one"), address_of(space, "two")) == before


def test_the_address_of_a_deleted_service_is_free_again(node: LocalNode, space: Api) -> None:
    space.create(service("one"))
    address = address_of(space, "one")
    space.delete("Service", "one")
    until(lambda: space.find("Service", "one") is None)
    space.create(service("two", loadBalancerIP=address))
    assert address_of(space, "two") == address


def test_the_node_object_says_where_its_logs_are_and_which_addresses_its_pods_have(node: LocalNode, api: Api) -> None:
    obj = next(obj for obj in api.all("Node") if obj["spec"]["podCIDR"] == str(node.pods))
    assert obj["status"]["addresses"] == [{"type": "InternalIP", "address": "127.0.0.1"}]
    assert obj["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] > 0
    assert {c["type"]: c["status"] for c in obj["status"]["conditions"]}["Ready"] == "True"


def test_with_a_client_ca_logs_are_for_its_clients_only(api: Api, tmp_path: Path) -> None:
    port = free_port()
    authority = tmp_path / "ca.crt"
    config = yaml.safe_load(api.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    with local_node(api, tmp_path, "--client-ca", str(authority), "--port", str(port), name="guarded"):
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        answer = httpx.get(f"https://127.0.0.1:{port}/containerLogs/a/b/c", verify=trusting, trust_env=False)
        assert answer.status_code == 403


def test_an_api_of_another_machine_is_refused(tmp_path: Path) -> None:
    config = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.1.2.3:6443"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "users": [{"name": "c", "user": {"token": "x"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    assert "--allow-remote-pods" in refused(tmp_path, "--kubeconfig", tmp_path / "kubeconfig")


def test_a_second_node_with_the_same_pod_network_is_refused(node: LocalNode, api: Api, tmp_path: Path) -> None:
    said = refused(tmp_path, "--kubeconfig", api.kubeconfig, "--pod-cidr", str(node.pods))
    assert "choose another --pod-cidr" in said


def test_a_port_that_is_taken_is_refused(api: Api, tmp_path: Path) -> None:
    taken = httpx.URL(api.server).port
    said = refused(tmp_path, "--kubeconfig", api.kubeconfig, "--pod-cidr", "127.99.7.0/24", "--port", str(taken))
    assert f"the log server cannot listen on 127.0.0.1:{taken}" in said


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--pod-cidr", "nonsense"), "not an IPv4 network"),
        (("--pod-cidr", "127.9.0.0/16", "--load-balancer-cidr", "127.9.1.0/24"), "overlap"),
        (("--pod-cidr", "127.9.0.0/24", "--pod-network", "namespace"), "is loopback"),
        (("--image", "shop"), "write NAME=COMMAND"),
        (("--image", "shop=it's"), "No closing quotation"),
        (("--kubeconfig", "/nowhere"), "kubeconfig /nowhere"),
    ],
)
def test_a_bad_flag_is_said_in_one_sentence(flags: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    said = refused(tmp_path, *flags)
    assert expected in said
    assert "Traceback" not in said
