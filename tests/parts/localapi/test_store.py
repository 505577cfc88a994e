"""What a crash leaves."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from headgate.localapi.storage.store import Row, Store
from support.local_api import Http, InProcessApi, LocalApi


def row(name: str, revision: int) -> Row:
    return Row("configmaps", "ns", name, revision, b"{}")


def test_objects_and_the_revision_are_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "o")
    store.put(row("a", 5))
    store.put(row("b", 6))
    store.remove(row("a", 7))
    store.close()
    again = Store(tmp_path / "o")
    assert ([found.name for found in again.rows()], again.revision) == (["b"], 7)


def test_one_file_serves_one_process(tmp_path: Path) -> None:
    store = Store(tmp_path / "o")
    store.put(row("a", 5))
    with pytest.raises(sqlite3.OperationalError):
        Store(tmp_path / "o").put(row("b", 6))
    store.close()


def test_the_revision_never_goes_back_after_a_deletion(tmp_path: Path) -> None:
    with InProcessApi(tmp_path / "o") as desk:
        desk.create("configmaps", {"metadata": {"name": "a"}})
        desk.delete("configmaps", "a")
        before = desk.store.revision
    with InProcessApi(tmp_path / "o") as desk:
        assert desk.store.revision == before


def test_every_answered_write_survives_a_kill(tmp_path: Path) -> None:
    api = LocalApi(tmp_path)
    with api:
        http = Http(api.kubeconfig)
        names = {f"c{number}" for number in range(50)}
        for name in names:
            http.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}})
        api.program.kill()
        http.close()
        api.start()
        http = Http(api.kubeconfig)
        found = http.get("/api/v1/namespaces/default/configmaps").json()["items"]
        http.close()
    assert {item["metadata"]["name"] for item in found} == names


def test_a_watch_from_before_a_restart_has_to_list_again(tmp_path: Path) -> None:
    api = LocalApi(tmp_path)
    path = "/api/v1/namespaces/default/configmaps"
    with api:
        http = Http(api.kubeconfig)
        revision = http.get(path).json()["metadata"]["resourceVersion"]
        http.post(path, {"metadata": {"name": "a"}})
        http.close()
        api.program.kill()
        api.start()
        http = Http(api.kubeconfig)
        with http.watch(f"{path}?resourceVersion={revision}") as events:
            event = next(events)
        http.close()
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
