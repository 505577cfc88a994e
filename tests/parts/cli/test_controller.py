"""`headgate controller` as a program beside `headgate api`: health, refusals, the Lease."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.api.coordination import Lease
from headgate.api.core import Container, Namespace, Pod, PodSpec
from headgate.api.meta import ObjectMeta
from headgate.kube.client import ApiError, Client
from support import waiting
from support.addresses import free_port
from support.local_cluster import HEADGATE
from support.processes import Program

NAMESPACE = "headgate-system"


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("api")
    file = folder / "kubeconfig"
    command = [*HEADGATE, "api", "--data", str(folder / "data"), "--kubeconfig-out", str(file)]
    with Program(command, log=folder / "api.log", name="headgate api") as api:
        waiting.until(file.exists, what="the kubeconfig", running=api)
        yield file


class Controller(Program):
    """A running controller and its health endpoint."""

    def __init__(self, kubeconfig: Path, folder: Path, *arguments: str, name: str = "controller") -> None:
        self.port = free_port()
        super().__init__(
            [
                *(*HEADGATE, "controller", "--kubeconfig", str(kubeconfig), "--health-port", str(self.port)),
                *("--xds-port", str(free_port())),
                *arguments,
            ],
            log=folder / f"{name}.log",
            name=name,
        )

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def until_ready(self) -> None:
        waiting.until(lambda: self.get("/readyz")[0] == 200, what="ready", running=self)


def controller(*arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HEADGATE, "controller", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


def pod(name: str) -> Pod:
    labels = {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/instance": "test"}
    return Pod(
        metadata=ObjectMeta(name=name, namespace=NAMESPACE, labels=labels),
        spec=PodSpec(containers=(Container(name="controller", image="headgate:1"),)),
    )


def test_it_is_ready_when_it_has_seen_the_whole_world(kubeconfig: Path, tmp_path: Path) -> None:
    with Controller(kubeconfig, tmp_path, "--no-lease") as running:
        running.until_ready()
        assert running.get("/healthz") == (200, "ok")


def test_metrics_are_those_of_flagger(kubeconfig: Path, tmp_path: Path) -> None:
    with Controller(kubeconfig, tmp_path, "--no-lease") as running:
        running.until_ready()
        assert "flagger_info" in running.get("/metrics")[1]


def test_it_listens_on_loopback_only_unless_asked(kubeconfig: Path, tmp_path: Path) -> None:
    with Controller(kubeconfig, tmp_path, "--no-lease") as running:
        running.until_ready()
        listening = _listening(running.pid)
        assert len(listening) == 2
        assert all(address.startswith("127.") for address in listening)


def _listening(pid: int) -> list[str]:
    """The addresses on which a process listens; gRPC's are IPv4 addresses within IPv6."""
    inodes = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}
    tables = [Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return [_address(row[1]) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]


def _address(text: str) -> str:
    host = text.partition(":")[0].removeprefix("0000000000000000FFFF0000")
    return socket.inet_ntoa(bytes.fromhex(host)[::-1]) if len(host) == 8 else host


def test_sigterm_is_an_ordinary_end(kubeconfig: Path, tmp_path: Path) -> None:
    with Controller(kubeconfig, tmp_path, "--no-lease") as running:
        running.until_ready()
        running.send(signal.SIGTERM)
        assert running.wait(20) == 0


def test_a_taken_health_port_is_one_sentence_and_exit_code_2(kubeconfig: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = controller("--kubeconfig", str(kubeconfig), "--health-port", str(port))
    assert done.returncode == 2
    assert f"headgate: port {port} of 127.0.0.1 is taken: choose another with --health-port\n" in done.stderr


def test_a_taken_xds_port_is_one_sentence_and_exit_code_2(kubeconfig: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = controller(
            *("--kubeconfig", str(kubeconfig), "--no-lease", "--xds-port", str(port)),
            *("--health-port", str(free_port())),
        )
    assert done.returncode == 2
    assert f"xDS port {port} of 127.0.0.1 cannot be used" in done.stderr.splitlines()[-1]


def test_no_kubeconfig_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    done = controller("--kubeconfig", str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr.startswith("headgate: ")
    assert len(done.stderr.splitlines()) == 1


def test_nothing_to_do_is_bad_usage() -> None:
    assert controller("--no-gateways", "--no-rollouts").returncode == 2


def holder_of(kubeconfig: Path) -> str:
    async def read() -> str:
        async with Client.from_kubeconfig(kubeconfig) as client:
            try:
                return (await client.get(Lease, "headgate-controller", NAMESPACE)).spec.holder_identity or ""
            except ApiError as error:
                assert error.status == 404
                return ""

    return asyncio.run(read())


def leaders(kubeconfig: Path) -> list[str]:
    async def read() -> list[str]:
        async with Client.from_kubeconfig(kubeconfig) as client:
            found = await client.list(Pod, NAMESPACE, label_selector="headgate.dev/leader=true")
            return [each.metadata.name for each in found.items]

    return asyncio.run(read())


async def create_pods(kubeconfig: Path) -> None:
    async with Client.from_kubeconfig(kubeconfig) as client:
        try:
            await client.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
        except ApiError as error:
            assert error.reason == "AlreadyExists"
        for name in ("one", "two"):
            await client.create(pod(name))


def test_the_holder_of_the_lease_bears_the_label_and_the_next_takes_both(kubeconfig: Path, tmp_path: Path) -> None:
    asyncio.run(create_pods(kubeconfig))
    with Controller(kubeconfig, tmp_path, "--pod", "one", name="one") as one:
        waiting.until(lambda: leaders(kubeconfig) == ["one"], what="one leads", running=one)
        with Controller(kubeconfig, tmp_path, "--pod", "two", name="two") as two:
            two.until_ready()  # although it does not lead
            assert holder_of(kubeconfig).startswith("one_")
            one.send(signal.SIGTERM)
            one.wait(20)
            waiting.until(lambda: leaders(kubeconfig) == ["two"], what="two leads", running=two)
