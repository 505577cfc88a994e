"""`headgate node --pod-network namespace`: each pod on a network stack of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.local_node import PYTHON_IMAGE, Api, LocalNode, Plain, local_api, local_node, pod, python
from support.waiting import until

NETWORK = "10.246.7.0/24"
"""Not local to this machine: only what has a namespace can have one of these addresses."""

# Says on the wildcard address who it is.
SERVER = (
    "import http.server, os\n"
    "class Name(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200)\n"
    "        self.end_headers()\n"
    "        self.wfile.write(os.environ['HOSTNAME'].encode())\n"
    "http.server.HTTPServer(('0.0.0.0', 3000), Name).serve_forever()\n"
)
READY: dict[str, Any] = {"readinessProbe": {"httpGet": {"path": "/", "port": 3000}, "periodSeconds": 1}}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, LocalNode]]:
    folder: Path = tmp_path_factory.mktemp("machine")
    flags = (*PYTHON_IMAGE, "--pod-cidr", NETWORK, "--pod-network", "namespace")
    with local_api(folder) as api, local_node(api, folder, *flags) as node:
        yield api, node


@pytest.fixture
def space(machine: tuple[Api, LocalNode], request: pytest.FixtureRequest) -> Iterator[Api]:
    space = machine[0].within(f"t{abs(hash(request.node.name)) % 10**8}")
    yield space
    for each in space.all("Pod"):
        space.delete("Pod", each["metadata"]["name"], gracePeriodSeconds=0)


def address_when_ready(space: Api, name: str) -> str:
    def address() -> str:
        status: Plain = space.get("Pod", name)["status"]
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ()))
        return str(status["podIP"]) if ready else ""

    return until(address, what=f"{name} is ready", deadline=20)


def ask(address: str) -> str:
    return httpx.get(f"http://{address}:3000/", timeout=2, trust_env=False).text


def routes() -> str:
    return subprocess.run(
        ["ip", "route", "show", "table", "local"], capture_output=True, text=True, check=True, timeout=10
    ).stdout


def test_two_programs_bind_the_same_wildcard_port(space: Api) -> None:
    space.create(pod("one", **python(SERVER), **READY), pod("two", **python(SERVER), **READY))
    answers = {name: ask(address_when_ready(space, name)) for name in ("one", "two")}
    assert answers == {"one": "one", "two": "two"}


def test_a_pod_reaches_another_one(space: Api) -> None:
    space.create(pod("server", **python(SERVER), **READY))
    address = address_when_ready(space, "server")
    client = f"import urllib.request; print(urllib.request.urlopen('http://{address}:3000/', timeout=5).read())"
    space.create(pod("client", **python(client), spec={"restartPolicy": "Never"}))
    assert until(lambda: space.logs("client"), what="the client's output").strip() == "b'server'"


def test_the_command_of_a_probe_runs_in_the_pods_namespace(space: Api) -> None:
    connect = "import socket; socket.create_connection(('127.0.0.1', 3000), 2)"
    probe = {"exec": {"command": [sys.executable, "-c", connect]}, "periodSeconds": 1, "timeoutSeconds": 5}
    space.create(pod("probed", **python(SERVER), readinessProbe=probe))
    assert address_when_ready(space, "probed")


def test_the_route_to_a_pod_goes_with_it(space: Api) -> None:
    space.create(pod("ends", **python(SERVER), **READY))
    address = address_when_ready(space, "ends")
    space.delete("Pod", "ends")
    until(lambda: space.find("Pod", "ends") is None, what="the pod is gone")
    until(lambda: address not in routes(), what="the route to it is gone")


def test_a_killed_node_leaves_no_route_behind(machine: tuple[Api, LocalNode], space: Api) -> None:
    node = machine[1]
    space.create(pod("left", **python(SERVER), **READY))
    address = address_when_ready(space, "left")
    node.program.kill()
    space.delete("Pod", "left", gracePeriodSeconds=0)
    node.start(*PYTHON_IMAGE, "--pod-cidr", NETWORK, "--pod-network", "namespace")
    until(lambda: address not in routes(), what="the route to it is gone")
