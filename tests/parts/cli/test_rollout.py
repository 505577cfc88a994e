"""`headgate rollout get` on a local API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.local_api import Http, LocalApi
from support.rollout_world import canary


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An API with one Canary that is on its way."""
    with LocalApi(tmp_path_factory.mktemp("api")) as api:
        http = Http(api.kubeconfig)
        http.post("/api/v1/namespaces", {"metadata": {"name": "test"}})
        path = "/apis/flagger.app/v1beta1/namespaces/test/canaries"
        assert http.post(path, canary()).is_success
        status = {"phase": "Progressing", "canaryWeight": 20, "failedChecks": 1}
        assert http.patch(f"{path}/podinfo/status", {"status": status}).is_success
        http.close()
        yield api.kubeconfig


def headgate(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headgate", "rollout", *arguments, f"--kubeconfig={kubeconfig}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_table_says_where_each_release_stands(kubeconfig: Path) -> None:
    done = headgate(kubeconfig, "get")
    assert done.returncode == 0, done.stderr
    heading, row = done.stdout.splitlines()
    assert heading.split()[:4] == ["NAMESPACE", "NAME", "STATUS", "WEIGHT"]
    assert row.split()[:5] == ["test", "podinfo", "Progressing", "20", "1"]


def test_json_is_for_programs(kubeconfig: Path) -> None:
    (found,) = json.loads(headgate(kubeconfig, "get", "podinfo", "-n", "test", "-o", "json").stdout)
    assert (found["status"], found["weight"], found["failedChecks"]) == ("Progressing", 20, 1)


def test_a_canary_that_is_not_there_is_one_sentence_and_exit_code_1(kubeconfig: Path) -> None:
    done = headgate(kubeconfig, "get", "nobody", "-n", "test")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody" in done.stderr
    assert len(done.stderr.splitlines()) == 1
