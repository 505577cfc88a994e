"""Who may ask, and how the program starts."""

from __future__ import annotations

import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from headgate.localapi.data_folder import DataFolder, StartError
from headgate.localapi.tokens import Tokens
from support.addresses import free_port
from support.local_api import Http, LocalApi


def headgate_api(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headgate", "api", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_without_a_token_nobody_gets_anything(http: Http) -> None:
    answer = httpx.get(f"{http.server}/api/v1/secrets", verify=http.tls, trust_env=False)
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")


def test_a_wrong_token_is_no_token(http: Http) -> None:
    headers = {"authorization": f"Bearer {http.token}x"}
    assert httpx.get(f"{http.server}/api", verify=http.tls, headers=headers, trust_env=False).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/livez", "/version"])
def test_health_and_version_are_open(http: Http, path: str) -> None:
    assert httpx.get(f"{http.server}{path}", verify=http.tls, trust_env=False).status_code == 200


def test_a_client_that_does_not_know_the_authority_does_not_connect(http: Http) -> None:
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{http.server}/healthz", trust_env=False)


def test_the_kubeconfig_and_the_secrets_are_for_their_owner_only(started: LocalApi) -> None:
    data = started.folder / "data"
    files = [started.kubeconfig, data / "token", data / "signing.key", data / "tls.key", data / "authority.json"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_token_stands_in_no_log(started: LocalApi, http: Http) -> None:
    assert http.token not in started.program.output()


def test_a_token_of_a_service_account_is_accepted(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    answer = http.post(path, {"spec": {"expirationSeconds": 600}})
    assert answer.status_code == 201, answer.text
    headers = {"authorization": f"Bearer {answer.json()['status']['token']}"}
    assert httpx.get(f"{http.server}/api", verify=http.tls, headers=headers, trust_env=False).status_code == 200


def test_the_authority_is_the_same_after_a_restart(tmp_path: Path) -> None:
    api = LocalApi(tmp_path)
    with api:
        before = Http(api.kubeconfig)
    with api:
        now = Http(api.kubeconfig)
        address = f"{now.server}/api"
        headers = {"authorization": f"Bearer {before.token}"}
        assert httpx.get(address, verify=before.tls, headers=headers, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("token", b"", "has 0 bytes, fewer than 16"),
        ("token", b"short", "has 5 bytes, fewer than 16"),
        ("token", bytes(43), "no printable ASCII"),
        ("signing.key", b"", "has 0 bytes, fewer than 32"),
        ("signing.key", b"x" * 31, "has 31 bytes, fewer than 32"),
        ("signing.key", bytes(32), "only zero bytes"),
        ("authority.json", b"", "is no CA"),
        ("authority.json", b'{"tls.crt":""}', "is no CA"),
    ],
)
def test_a_damaged_secret_is_refused_and_not_replaced(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    data = DataFolder(tmp_path)
    readers: dict[str, Callable[[], object]] = {
        "token": data.token,
        "signing.key": data.signing_key,
        "authority.json": lambda: data.authority(0.0),
    }
    with pytest.raises(StartError, match=problem) as error:
        readers[name]()
    assert str(error.value).startswith(f"{file} ")
    assert "delete it so that the next start makes a new one" in str(error.value)
    assert file.read_bytes() == content


def test_an_empty_signing_key_is_a_bad_environment(tmp_path: Path) -> None:
    (tmp_path / "signing.key").touch()
    done = headgate_api(f"--data={tmp_path}")
    assert done.returncode == 2
    assert "signing.key has 0 bytes" in done.stderr


def test_a_secret_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))  # as a full disk: the file is made, a write fails
    try:
        with pytest.raises(StartError, match=r"token cannot be written: File too large"):
            data.token()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert list(tmp_path.iterdir()) == []
    assert data.token() == DataFolder(tmp_path).token()


def test_without_a_token_or_a_key_there_are_no_tokens() -> None:
    for administrator, key in (("", b"key"), ("token", b"")):
        with pytest.raises(ValueError, match="would let every client in"):
            Tokens(administrator, key, lambda: 0.0)


def test_an_address_beyond_loopback_is_a_bad_environment(tmp_path: Path) -> None:
    done = headgate_api(f"--data={tmp_path}", "--address=0.0.0.0")
    assert done.returncode == 2
    assert "loopback" in done.stderr


def test_a_port_that_is_taken_is_a_bad_environment(http: Http, tmp_path: Path) -> None:
    port = http.server.rpartition(":")[2]
    done = headgate_api(f"--data={tmp_path}", f"--port={port}")
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert not (tmp_path / "objects.sqlite").exists()


def test_a_folder_that_another_api_uses_is_a_bad_environment(started: LocalApi) -> None:
    done = headgate_api(f"--data={started.folder / 'data'}")
    assert done.returncode == 2
    assert "another API" in done.stderr


def test_it_listens_on_the_port_that_it_was_told(tmp_path: Path) -> None:
    port = free_port()
    with LocalApi(tmp_path, f"--port={port}") as api:
        assert Http(api.kubeconfig).server == f"https://127.0.0.1:{port}"


def test_it_ends_on_sigterm_though_somebody_watches(tmp_path: Path) -> None:
    with LocalApi(tmp_path) as api:
        http = Http(api.kubeconfig)
        with http.watch("/api/v1/configmaps?resourceVersion=0"):
            assert api.program.stop() == 0
