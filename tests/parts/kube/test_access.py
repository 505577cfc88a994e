"""Kubeconfigs, service accounts and exec plugins, as files and programs that are really there."""

import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate import pki
from headgate.api.core import Node
from headgate.kube import access
from headgate.kube.access import Access, AccessError
from headgate.kube.client import ApiError, Client
from headgate.kube.credentials import CredentialError, ExecPlugin, ExecSpec, TokenFile
from support.scripted_api import Reply, Request, ScriptedApi

NOW = 1_800_000_000.0


def kubeconfig(path: Path, *, name: str = "one", current: str | None = "one", **user: Any) -> Path:
    document = {
        "current-context": current,
        "clusters": [{"name": name, "cluster": {"server": f"http://{name}.example"}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


async def test_a_token_in_a_kubeconfig_is_a_bearer_token(tmp_path: Path) -> None:
    found = access.from_kubeconfig(kubeconfig(tmp_path / "config", token="abc"))
    assert (found.server, found.namespace) == ("http://one.example", "ns-one")
    assert await found.credentials.authorization() == "Bearer abc"


async def test_a_name_and_password_are_basic_authentication(tmp_path: Path) -> None:
    found = access.from_kubeconfig(kubeconfig(tmp_path / "config", username="me", password="pw"))
    assert await found.credentials.authorization() == "Basic bWU6cHc="


def test_a_context_can_be_named(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", current=None, token="abc")
    assert access.from_kubeconfig(path, "one").server == "http://one.example"


def test_a_context_that_is_not_there_is_named_with_the_file(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    with pytest.raises(AccessError, match=f"kubeconfig {path}: .*'two'"):
        access.from_kubeconfig(path, "two")


def test_a_kubeconfig_without_current_context_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="current context"):
        access.from_kubeconfig(kubeconfig(tmp_path / "config", current=None))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=r"nowhere: No such file"):
        access.from_kubeconfig(tmp_path / "nowhere")


def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("- 1")
    with pytest.raises(AccessError, match="expected a mapping"):
        access.from_kubeconfig(tmp_path / "config")


def test_of_several_files_the_first_that_sets_a_value_wins(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "first", name="two", current="one", token="second")
    second = kubeconfig(tmp_path / "second", token="first")
    paths = access.default_paths({"KUBECONFIG": f"{first}:{tmp_path / 'missing'}:{second}"})
    merged = access.merge([access.read(path) for path in paths if path.is_file()])
    assert merged["current-context"] == "one"
    assert [each["name"] for each in merged["users"]] == ["two", "one"]


async def test_paths_in_a_kubeconfig_are_relative_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "token").write_text("from-file\n")
    found = access.from_kubeconfig(kubeconfig(tmp_path / "deep" / "config", tokenFile="token"))
    assert await found.credentials.authorization() == "Bearer from-file"


def test_embedded_certificates_make_a_tls_context(tmp_path: Path) -> None:
    authority = pki.create_ca(NOW)
    mine = pki.certificate_data(pki.issue_client(authority, "spiffe://headgate.dev/ns/a/gateway/b", NOW))
    path = kubeconfig(
        tmp_path / "config", **{"client-certificate-data": mine["tls.crt"], "client-key-data": mine["tls.key"]}
    )
    document = yaml.safe_load(path.read_text())
    document["clusters"][0]["cluster"] = {
        "server": "https://one.example:6443/",
        "certificate-authority-data": mine["ca.crt"],
        "tls-server-name": "kubernetes",
    }
    path.write_text(yaml.safe_dump(document))
    found = access.from_kubeconfig(path)
    assert found.server == "https://one.example:6443"
    assert found.server_name == "kubernetes"
    assert found.tls is not None
    assert found.tls.verify_mode == ssl.CERT_REQUIRED
    assert len(found.tls.get_ca_certs()) == 1


def test_a_certificate_that_cannot_be_read_is_an_error_that_names_the_context(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    document = yaml.safe_load(path.read_text())
    document["clusters"][0]["cluster"] = {"server": "https://one.example", "certificate-authority-data": "bm9uZQ=="}
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(AccessError, match="context one"):
        access.from_kubeconfig(path)


def service_account(folder: Path) -> Path:
    folder.mkdir()
    (folder / "ca.crt").write_bytes(pki.create_ca(NOW).certificates)
    (folder / "namespace").write_text("headgate-system")
    (folder / "token").write_text("first")
    return folder


async def test_a_pod_is_let_in_by_its_service_account(tmp_path: Path) -> None:
    folder = service_account(tmp_path / "account")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    found = access.from_service_account(folder, environment)
    assert (found.server, found.namespace) == ("https://[fd00::1]:443", "headgate-system")
    assert await found.credentials.authorization() == "Bearer first"


def test_a_service_account_without_token_is_an_error(tmp_path: Path) -> None:
    folder = service_account(tmp_path / "account")
    (folder / "token").unlink()
    with pytest.raises(AccessError, match="token"):
        access.from_service_account(folder, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})


async def test_a_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    now = 0.0
    file = tmp_path / "token"
    file.write_text("first")
    credentials = TokenFile(file, clock=lambda: now)
    assert await credentials.authorization() == "Bearer first"
    file.write_text("second")
    assert await credentials.authorization() == "Bearer first"
    now = 61.0
    assert await credentials.authorization() == "Bearer second"


async def test_a_token_file_is_read_again_after_401(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")

    async def script(request: Request, reply: Reply) -> None:
        if request.headers["authorization"] == "Bearer second":
            await reply.json({"metadata": {"name": "a"}})
        else:
            file.write_text("second")
            await reply.refuse(401, "Unauthorized")

    async with ScriptedApi(script) as api, Client(Access(api.server, credentials=TokenFile(file))) as client:
        assert (await client.get(Node, "a")).metadata.name == "a"


def plugin(folder: Path, body: str) -> ExecSpec:
    """An exec plugin that is a Python program."""
    program = folder / "plugin.py"
    program.write_text(f"import json, os, pathlib, sys\nhere = pathlib.Path({str(folder)!r})\n{body}")
    return ExecSpec(command=sys.executable, args=(str(program), "argument"), env={"PLUGIN_SAYS": "hello"})


ANSWER = """
calls = here / "calls"
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
token = "-".join([os.environ["PLUGIN_SAYS"], sys.argv[1], info["kind"], str(len(calls.read_text()))])
status = {"token": token} | STATUS
print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": status}))
"""


async def test_an_exec_plugin_gets_its_arguments_and_gives_a_token(tmp_path: Path) -> None:
    credentials = ExecPlugin(plugin(tmp_path, ANSWER.replace("STATUS", "{}")), None)
    assert await credentials.authorization() == "Bearer hello-argument-ExecCredential-1"


async def test_an_exec_plugin_is_asked_again_only_when_its_token_ends(tmp_path: Path) -> None:
    now = 0.0
    answer = ANSWER.replace("STATUS", '{"expirationTimestamp": "1970-01-01T01:00:00Z"}')
    spec = plugin(tmp_path, answer)

    credentials = ExecPlugin(spec, None, clock=lambda: now)
    first = await credentials.authorization()
    assert await credentials.authorization() == first
    now = 3599.0
    assert await credentials.authorization() != first


async def test_the_error_of_a_failing_exec_plugin_has_its_message_and_no_secret(tmp_path: Path) -> None:
    spec = plugin(tmp_path, 'print("log in first", file=sys.stderr); sys.exit(3)')
    with pytest.raises(CredentialError, match="exited with 3: log in first"):
        await ExecPlugin(spec, None).authorization()


async def test_the_error_for_a_missing_exec_plugin_has_its_install_hint() -> None:
    spec = ExecSpec(command="/nowhere/plugin", install_hint="install it\n")
    with pytest.raises(CredentialError, match="No such file or directory; install it"):
        await ExecPlugin(spec, None).authorization()


async def test_an_exec_plugin_may_answer_with_a_client_certificate(tmp_path: Path) -> None:
    authority = pki.create_ca(NOW)
    mine = pki.issue_client(authority, "spiffe://headgate.dev/ns/a/gateway/b", NOW)
    status = {
        "token": None,
        "clientCertificateData": mine.certificate.decode(),
        "clientKeyData": mine.key.decode(),
    }
    spec = plugin(tmp_path, ANSWER.replace("STATUS", repr(status)))
    assert await ExecPlugin(spec, ssl.create_default_context()).authorization() is None


async def test_missing_credentials_are_an_api_error() -> None:
    nobody = ExecPlugin(ExecSpec(command="/nowhere/plugin"), None)
    async with Client(Access("http://127.0.0.1:1", credentials=nobody)) as client:
        with pytest.raises(ApiError, match="exec plugin /nowhere/plugin"):
            await client.get(Node, "a")


def test_loopback_has_no_proxy() -> None:
    assert access.proxy_of("https://127.3.2.1:6443") is None
    assert access.proxy_of("https://[::1]:6443") is None
    assert access.proxy_of("https://localhost:6443") is None
