"""`headgate up`, `down` and `kubeconfig` as programs: ready, side by side, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from headgate.cluster.data_folder import DataFolder
from headgate.host import process_records
from support import waiting
from support.local_cluster import HEADGATE, LocalCluster


def headgate(cluster: LocalCluster, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HEADGATE, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **cluster.environment},
        cwd=folder,
    )


def recorded(cluster: LocalCluster) -> list[process_records.ProcessRecord]:
    """The supervised processes and those of pods."""
    folder = DataFolder(cluster.data)
    return [
        *process_records.read_all(folder.processes).values(),
        *process_records.read_all(folder.node_processes).values(),
    ]


def left(records: list[process_records.ProcessRecord]) -> list[process_records.ProcessRecord]:
    return [record for record in records if process_records.is_group_running(record)]


def run_a_pod(cluster: LocalCluster) -> None:
    """A pod whose process must not outlive the cluster."""
    import asyncio  # noqa: PLC0415

    from headgate.api.core import Container, Pod, PodSpec  # noqa: PLC0415
    from headgate.api.meta import ObjectMeta  # noqa: PLC0415
    from headgate.kube.client import Client  # noqa: PLC0415

    pod = Pod(
        metadata=ObjectMeta(name="left-behind", namespace="default"),
        spec=PodSpec(containers=(Container(name="echo", image="headgate-echo:1"),)),
    )

    async def create() -> None:
        async with Client.from_kubeconfig(cluster.kubeconfig) as client:
            await client.create(pod)

    asyncio.run(create())
    folder = DataFolder(cluster.data).node_processes
    waiting.until(lambda: process_records.read_all(folder), what="the pod's process", running=cluster.up)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_cluster_with_its_pods_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with LocalCluster(tmp_path) as cluster:
        run_a_pod(cluster)
        records = recorded(cluster)
        cluster.up.send(number)
        assert cluster.up.wait(60) == 0
        assert len(records) == 5
        assert left(records) == []


def test_down_ends_what_a_kill_9_left_pods_included(tmp_path: Path) -> None:
    with LocalCluster(tmp_path) as cluster:
        run_a_pod(cluster)
        records = recorded(cluster)
        os.kill(cluster.up.pid, signal.SIGKILL)
        cluster.up.wait()
        assert len(left(records)) == 5
        assert headgate(cluster, "down", "--name", cluster.name).returncode == 0
        assert left(records) == []


def test_the_next_up_ends_what_a_kill_9_left_and_has_the_objects(tmp_path: Path) -> None:
    with LocalCluster(tmp_path) as cluster:
        run_a_pod(cluster)
        records = recorded(cluster)
        os.kill(cluster.up.pid, signal.SIGKILL)
        cluster.up.wait()
        (tmp_path / "up.log").rename(tmp_path / "first.log")
        cluster.start()
        assert left(records) == []
        waiting.until(
            lambda: process_records.read_all(DataFolder(cluster.data).node_processes), what="the pod runs again"
        )


def test_a_killed_part_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    with LocalCluster(tmp_path) as cluster:
        before = process_records.read_all(DataFolder(cluster.data).processes)
        controller = before[DataFolder(cluster.data).processes / "controller.json"]
        os.kill(controller.pid, signal.SIGKILL)
        waiting.until(lambda: cluster.up.output().count("controller   ready") == 2, running=cluster.up)
        after = process_records.read_all(DataFolder(cluster.data).processes)
        assert {file.stem for file in after if after[file] != before[file]} == {"controller"}


def test_two_clusters_live_side_by_side(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "one", name="one") as one, LocalCluster(tmp_path / "two", name="two") as two:
        ports = {line.split()[1] for up in (one, two) for line in up.up.output().splitlines() if "Ready: " in line}
        assert len(ports) == 2
        assert left(recorded(one)) == recorded(one)


def test_a_detached_cluster_is_ready_when_the_command_returns_and_down_ends_it(tmp_path: Path) -> None:
    cluster, folder = LocalCluster(tmp_path), tmp_path / "working directory"
    folder.mkdir()
    for name in ("json", "xds", "yaml"):  # no program of the cluster may execute them
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\nraise ImportError('planted')\n")
    done = headgate(cluster, "up", "--detach", "--name", cluster.name, "--data", str(cluster.data), folder=folder)
    try:
        assert done.returncode == 0, done.stderr
        assert len(records := recorded(cluster)) == 4
    finally:
        ended = headgate(cluster, "down", "--name", cluster.name, "--delete")
    assert ended.returncode == 0
    assert left(records) == []
    assert not cluster.data.exists()
    assert not (tmp_path / "executed").exists()


def test_the_kubeconfig_is_for_its_owner_only(tmp_path: Path) -> None:
    with LocalCluster(tmp_path) as cluster:
        said = headgate(cluster, "kubeconfig", "--name", cluster.name).stdout.strip()
        assert Path(said) == cluster.kubeconfig
        assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600


def test_a_taken_port_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = headgate(LocalCluster(tmp_path), "up", "--data", str(tmp_path / "data"), "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == (
        f"headgate: port {port} of 127.0.0.1 is in use by another program: choose another with --port\n"
    )


def test_the_same_sentence_ends_a_detached_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        data = str(tmp_path / "data")
        done = headgate(LocalCluster(tmp_path), "up", "--detach", "--data", data, "--port", str(port))
    assert done.returncode == 2
    assert done.stderr.startswith(f"headgate: port {port} of 127.0.0.1 is in use")
    assert not Path(data).exists()
    known = headgate(LocalCluster(tmp_path), "down")
    assert known.stderr == "headgate: there is no local cluster default; clusters: none\n"


def test_another_data_folder_for_a_running_cluster_is_refused(tmp_path: Path) -> None:
    with LocalCluster(tmp_path) as cluster:
        other = str(tmp_path / "other")
        for detach in ([], ["--detach"]):
            done = headgate(cluster, "up", *detach, "--name", cluster.name, "--data", other)
            assert done.returncode == 2
            assert f"is running with the data folder {cluster.data}: end it" in done.stderr
        assert not Path(other).exists()
        assert headgate(cluster, "down", "--name", cluster.name).stdout == f"{cluster.name} stopped\n"


def test_data_in_a_project_folder_that_has_an_api_folder_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "project" / "api" / "main.py"
    source.parent.mkdir(parents=True)
    source.write_text("my source")
    done = headgate(LocalCluster(tmp_path), "up", "--detach", "--data", str(tmp_path / "project"))
    assert done.returncode == 2
    assert "contains api, which Headgate did not create" in done.stderr
    assert [file for file in (tmp_path / "project").rglob("*") if file.is_file()] == [source]


def test_down_of_a_folder_without_a_mark_reports_what_stays(tmp_path: Path) -> None:
    cluster = LocalCluster(tmp_path)
    with cluster:
        (cluster.data / ".headgate.json").unlink()
    done = headgate(cluster, "down", "--name", cluster.name, "--delete")
    assert done.returncode == 0
    assert f"deleted; the files in {cluster.data} stay, because .headgate.json is missing there" in done.stdout
    assert (cluster.data / "api" / "objects.sqlite").exists()


def test_an_image_without_a_command_is_bad_usage(tmp_path: Path) -> None:
    done = headgate(LocalCluster(tmp_path), "up", "--image", "shop")
    assert done.returncode == 2
    assert "write NAME=COMMAND" in done.stderr


def test_down_of_a_cluster_that_never_was_fails_with_its_name(tmp_path: Path) -> None:
    done = headgate(LocalCluster(tmp_path), "down", "--name", "nobody")
    assert (done.returncode, done.stderr) == (1, "headgate: there is no local cluster nobody; clusters: none\n")


def test_kubeconfig_of_a_cluster_that_never_was_says_how_to_start_it(tmp_path: Path) -> None:
    done = headgate(LocalCluster(tmp_path), "kubeconfig", "--name", "nobody")
    assert done.returncode == 1
    assert "headgate up --name nobody" in done.stderr
