"""What a start creates and a deletion removes: files of users stay, and a failed start changes nothing."""

import os
from pathlib import Path

import pytest

from headgate.cluster.data_folder import DataFolder
from headgate.cluster.errors import ClusterError
from headgate.cluster.lifecycle import (
    delete_cluster,
    find_cluster,
    find_or_register,
    read_state,
    registered,
    stop_cluster,
)
from headgate.cluster.registry import Registry
from headgate.host import process_records


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home")


def files(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def pretend_to_run(folder: DataFolder) -> None:
    """A component of a supervisor that was killed: the record of this process."""
    folder.create()
    process_records.write(folder.processes / "api.json", process_records.record_of(os.getpid()))


@pytest.mark.parametrize("name", ["api", "logs", "node", "processes", "kubeconfig", "up.log"])
def test_files_of_others_with_a_name_that_headgate_needs_are_refused_and_stay(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    project = tmp_path / "project"
    (project / name).mkdir(parents=True)
    (project / name / "main.py").write_text("my source")
    before = files(project)
    with (
        pytest.raises(ClusterError, match=rf"contains {name}, which Headgate did not create: choose another folder"),
        registered(registry, "test", project) as registration,
    ):
        registration.cluster.folder.create()
    assert files(project) == before
    assert registry.all() == {}


def test_other_files_in_a_shared_folder_stay(registry: Registry, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.py").write_text("my source")
    cluster = find_or_register(registry, "test", project)
    cluster.folder.create()
    (cluster.folder.api / "token").write_text("secret")
    assert delete_cluster(registry, cluster)
    assert files(project) == {"main.py": "my source"}
    assert list(project.iterdir()) == [project / "main.py"]


@pytest.mark.parametrize("existed", [True, False])
def test_the_folder_itself_is_removed_if_headgate_created_it(registry: Registry, tmp_path: Path, existed: bool) -> None:
    data = tmp_path / "data"
    if existed:
        data.mkdir()
    cluster = find_or_register(registry, "test", data)
    cluster.folder.create()
    cluster.folder.create()
    assert delete_cluster(registry, cluster)
    assert data.exists() is existed


def test_a_folder_without_a_mark_can_be_used_and_is_not_removed(registry: Registry, tmp_path: Path) -> None:
    cluster = find_or_register(registry, "test", tmp_path / "old")
    cluster.folder.api.mkdir(parents=True)
    cluster.folder.objects.write_text("objects")
    cluster.folder.create()
    assert not delete_cluster(registry, cluster)
    assert cluster.folder.objects.read_text() == "objects"
    assert find_cluster(registry, "test") is None


def test_a_linked_folder_is_not_emptied(registry: Registry, tmp_path: Path) -> None:
    cluster = find_or_register(registry, "test", tmp_path / "data")
    cluster.folder.create()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    cluster.folder.logs.rmdir()
    cluster.folder.logs.symlink_to(tmp_path / "mine")
    delete_cluster(registry, cluster)
    assert files(tmp_path / "mine") == {"file": "mine"}


def test_a_file_as_data_folder_is_refused_and_its_name_is_free(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with (
        pytest.raises(ClusterError, match=r"file is a file: choose a folder with --data"),
        registered(registry, "test", tmp_path / "file") as registration,
    ):
        registration.cluster.folder.create()
    assert find_cluster(registry, "test") is None
    assert (tmp_path / "file").read_text() == "mine"


def test_a_data_folder_that_cannot_be_looked_up_is_one_sentence(registry: Registry, tmp_path: Path) -> None:
    with (
        pytest.raises(ClusterError, match="cannot be created: File name too long"),
        registered(registry, "test", tmp_path / ("x" * 300)) as registration,
    ):
        registration.cluster.folder.create()
    assert registry.all() == {}


def test_a_registered_file_can_be_deleted(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    cluster = find_or_register(registry, "test", tmp_path / "file")
    assert read_state(cluster.folder) is None
    assert not stop_cluster(cluster)
    assert delete_cluster(registry, cluster)
    assert registry.all() == {}
    assert (tmp_path / "file").read_text() == "mine"


def test_a_running_cluster_keeps_its_data_folder(registry: Registry, tmp_path: Path) -> None:
    cluster = find_or_register(registry, "test", tmp_path / "data")
    pretend_to_run(cluster.folder)
    before = registry.all()
    with pytest.raises(ClusterError, match=r"running with the data folder .*data: end it with `headgate down"):
        find_or_register(registry, "test", tmp_path / "other")
    assert registry.all() == before
    (tmp_path / "link").symlink_to(tmp_path / "data")
    find_or_register(registry, "test", tmp_path / "link" / ".." / "data")  # the same folder


def test_a_failed_start_of_a_new_name_leaves_no_name_and_no_folder(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="failed"), registered(registry, "new", tmp_path / "data") as registration:
        registration.cluster.folder.create()
        raise ClusterError("failed")
    assert registry.all() == {}
    assert not (tmp_path / "data").exists()
    after = find_or_register(registry, "another", None)
    assert after.addresses == registration.cluster.addresses


def test_a_failed_start_of_a_known_name_keeps_its_entry_and_its_files(registry: Registry, tmp_path: Path) -> None:
    find_or_register(registry, "test", tmp_path / "data").folder.create()
    before = registry.all()
    with pytest.raises(ClusterError, match="failed"), registered(registry, "test", tmp_path / "other") as registration:
        registration.cluster.folder.create()
        raise ClusterError("failed")
    assert registry.all() == before
    assert (tmp_path / "data").exists()
    assert not (tmp_path / "other").exists()


def test_the_logs_of_a_failed_start_stay(registry: Registry, tmp_path: Path) -> None:
    with registered(registry, "new", tmp_path / "data") as registration:
        folder = registration.cluster.folder
        folder.create()
        folder.log("api").write_text("the reason")
    assert registry.all() == {}
    assert folder.log("api").read_text() == "the reason"


def test_a_start_that_succeeds_or_loses_to_another_keeps_the_name(registry: Registry, tmp_path: Path) -> None:
    with registered(registry, "one", tmp_path / "one") as registration:
        registration.kept = True
    with registered(registry, "two", tmp_path / "two") as registration:
        pretend_to_run(registration.cluster.folder)  # another `up` was faster
    assert set(registry.all()) == {"one", "two"}
