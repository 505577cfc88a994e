"""A real Kubernetes control plane on loopback: etcd, kube-apiserver and kube-controller-manager.

Nothing in it schedules or runs pods: `headgate node` does. The API refuses loopback addresses in EndpointSlices, so
pods have addresses of POD_NETWORK; `tests/real/netns` makes that range local in a network namespace of its own.
"""

from __future__ import annotations

import base64
import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support import tools
from support.addresses import free_port
from support.kubectl import Kubectl
from support.processes import Program
from support.waiting import until

POD_NETWORK = "10.244.0.0/16"
LOAD_BALANCER_NETWORK = "10.245.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"

ADMIN_TOKEN = "loopback-admin"
"""Of a user in system:masters: for what a cluster's administrator does, never for our own controllers."""

# Nodes here are the tests' own; what would judge, number or route them stays out.
WITHOUT_CONTROLLERS = (
    "node-ipam-controller",
    "node-lifecycle-controller",
    "node-route-controller",
    "cloud-node-lifecycle-controller",
    "service-lb-controller",
)


class ControlPlane:
    """Starts on entering, is ready then, and ends as a whole on leaving."""

    def __init__(self, folder: Path, *, api: tuple[str, ...] = ()) -> None:
        """Everything it stores and logs lies in `folder`; `api` are more arguments of kube-apiserver."""
        self.folder = folder
        self.api = api
        self.kubeconfig = folder / "admin.kubeconfig"
        self.port = free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self.etcd: Program
        self.apiserver: Program
        self.controller_manager: Program
        self._programs = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self._programs = starting
            self.etcd, client_url = self._start_etcd()
            self.apiserver = self._start_apiserver(client_url)
            write_kubeconfig(self.kubeconfig, self.server, self.authority, ADMIN_TOKEN)
            self.controller_manager = self._start_controller_manager()
            self._programs = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._programs.close()

    @property
    def authority(self) -> bytes:
        """The certificate in PEM that clients trust this API by."""
        return (self.folder / "certificates" / "apiserver.crt").read_bytes()

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as the cluster's administrator."""
        return Kubectl(self.kubeconfig)

    def helm(self, *arguments: str, kubeconfig: Path | None = None, stdin: str = "", timeout: float = 120.0) -> str:
        """Helm as the cluster's administrator; its standard output."""
        home = {name: str(self.folder / "helm") for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        done = subprocess.run(
            [tools.path("helm"), *arguments],
            env={**home, "KUBECONFIG": str(kubeconfig or self.kubeconfig), "HOME": str(self.folder)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, (
            f"helm {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def apply_crds(self, *modules: str) -> None:
        """Store official CRDs and wait until they are served; unless told Gateway API v1.7.0 (standard) and Flagger."""
        folders = [tools.crds(module) for module in modules or ("gateway-api-v1.7.0/standard", "flagger-v1.44.0")]
        files = sorted(
            file for folder in folders for file in folder.glob("*.yaml") if file.name != "kustomization.yaml"
        )
        # Server-side: the HTTPRoute CRD is larger than the annotation of a client-side apply may be.
        self.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with this ServiceAccount's rights and no others: its token comes from the API's TokenRequest."""
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", "--duration=24h").strip()
        path = self.folder / f"{namespace}.{name}.kubeconfig"
        write_kubeconfig(path, self.server, self.authority, token, namespace=namespace)
        return path

    def _start_etcd(self) -> tuple[Program, str]:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        etcd = self._start(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )
        until(lambda: _get(f"{client}/health") == b'{"health":"true","reason":""}', what="etcd's health", running=etcd)
        return etcd, client

    def _start_apiserver(self, etcd: str) -> Program:
        private, public = self._service_account_keys()
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')
        apiserver = self._start(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=10.244.255.1",
            f"--cert-dir={self.folder / 'certificates'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--endpoint-reconciler-type=none",
            # Pods here are processes that get their kubeconfig from the test, not from a projected volume.
            "--disable-admission-plugins=ServiceAccount",
            *self.api,
        )
        ready = f"{self.server}/readyz"
        until(lambda: _get(ready) == b"ok", deadline=90, what="kube-apiserver's /readyz", running=apiserver)
        return apiserver

    def _start_controller_manager(self) -> Program:
        port = free_port()
        controllers = ",".join(("*", *(f"-{name}" for name in WITHOUT_CONTROLLERS)))
        manager = self._start(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={self.folder / 'service-account.key'}",
            "--use-service-account-credentials=false",
            "--leader-elect=false",
            f"--controllers={controllers}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self.folder / 'certificates-of-manager'}",
        )
        healthy = f"https://127.0.0.1:{port}/healthz"
        until(lambda: _get(healthy) == b"ok", deadline=60, what="kube-controller-manager's /healthz", running=manager)
        return manager

    def _service_account_keys(self) -> tuple[Path, Path]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private, public = self.folder / "service-account.key", self.folder / "service-account.pub"
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        public.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        return private, public

    def _start(self, program: str, *arguments: str) -> Program:
        return self._programs.enter_context(
            Program([tools.path(program), *arguments], log=self.folder / f"{program}.log", cwd=self.folder)
        )


def write_kubeconfig(path: Path, server: str, authority: bytes, token: str, *, namespace: str = "default") -> None:
    """A kubeconfig for one user of one API; JSON is YAML."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2))


def _get(url: str) -> bytes:
    """The body of an answer from a program of ours, whose certificate is not known yet."""
    try:
        return httpx.get(url, verify=False, timeout=2, trust_env=False).content
    except httpx.HTTPError as error:
        raise OSError(f"{url}: {error}") from error
