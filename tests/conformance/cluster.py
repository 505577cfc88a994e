"""The clusters that the suite tests: a real Kubernetes API with our node and chart, or `headgate up`.

The suite's backends are the real ones: echo-basic binds the wildcard address, so its pods have namespaces of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conformance import rights
from support import tools
from support.control_plane import LOAD_BALANCER_NETWORK, POD_NETWORK, ControlPlane
from support.installed import NAMESPACE, RELEASE, Installed
from support.kubectl import Kubectl
from support.local_cluster import LocalCluster
from support.waiting import until

Api = Literal["kube-apiserver", "headgate-up"]
Channel = Literal["standard", "experimental"]

CLASS = "headgate"
"""The GatewayClass of the chart, and of the manifest that a laptop's user applies."""

USABLE = "10.245.200.1"
"""An address of the load balancers' network, far from those that are given one after the other."""

UNUSABLE = "192.0.2.1"
"""Reserved for documentation: of no network here."""

_LAPTOP = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: {CLASS}}}
spec: {{controllerName: headgate.dev/gateway-controller}}
"""


@dataclass(frozen=True)
class Cluster:
    """A running one, as somebody beside it sees it: everything that is known of it lies in its folder."""

    api: Api
    channel: Channel
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """Of the cluster's administrator, who runs the suite."""
        if self.api == "kube-apiserver":
            return self.folder / "kubernetes" / "admin.kubeconfig"
        return self.folder / "up" / "data" / "kubeconfig"

    @property
    def kubectl(self) -> Kubectl:
        """As that administrator."""
        return Kubectl(self.kubeconfig)

    @property
    def audit(self) -> Path | None:
        """The audit log of our accounts, where the API writes one."""
        return self.folder / "audit.log" if self.api == "kube-apiserver" else None

    def logs(self) -> dict[str, str]:
        """What each of our programs said, by its name."""
        if self.api == "kube-apiserver":
            log = self.kubectl.run("logs", f"--namespace={NAMESPACE}", f"deployment/{RELEASE}", "--tail=-1")
            return {"node": _text(self.folder / "headgate" / "node.log"), "controller": log.stdout}
        names = ("api", "workloads", "node", "controller")
        return {name: _text(self.folder / "up" / "data" / "logs" / f"{name}.log") for name in names}

    def renew(self) -> None:
        """The controller starts again, from the program as it is now."""
        if self.api == "kube-apiserver":
            of = ("--namespace", NAMESPACE, f"deployment/{RELEASE}")
            self.kubectl("rollout", "restart", *of)
            self.kubectl("rollout", "status", *of, "--timeout=60s", timeout=90)
            until(self._is_renewed, what="the new controller holds the lease")
            self.features()

    def features(self) -> tuple[str, ...]:
        """What the GatewayClass says that it supports, once it says so."""

        def features() -> tuple[str, ...]:
            status = self.kubectl.json("get", "gatewayclass", CLASS).get("status", {})
            return tuple(each["name"] for each in status.get("supportedFeatures", ()))

        return until(features, what="supportedFeatures of the GatewayClass")

    def _is_renewed(self) -> bool:
        lease = self.kubectl.json("get", "lease", "headgate-controller", f"--namespace={NAMESPACE}")
        pods = self.kubectl.json("get", "pods", f"--namespace={NAMESPACE}")["items"]
        alive = [each["metadata"]["name"] for each in pods if "deletionTimestamp" not in each["metadata"]]
        return any(lease["spec"]["holderIdentity"].startswith(f"{name}_") for name in alive)


@contextmanager
def cluster(api: Api, channel: Channel, folder: Path) -> Iterator[Cluster]:
    """With the CRDs of the suite's own version."""
    starting: dict[Api, Callable[[Channel, Path], Iterator[None]]] = {"kube-apiserver": _real, "headgate-up": _laptop}
    with contextmanager(starting[api])(channel, folder):
        yield Cluster(api, channel, folder)


def _real(channel: Channel, folder: Path) -> Iterator[None]:
    """The chart's controller with the chart's rights, the node with those of its own account; the API audits both."""
    folder.mkdir(parents=True, exist_ok=True)
    policy = folder / "audit-policy.yaml"
    policy.write_text(rights.AUDIT_POLICY)
    auditing = (f"--audit-policy-file={policy}", f"--audit-log-path={folder / 'audit.log'}")
    with ControlPlane(folder / "kubernetes", api=auditing) as kubernetes:
        kubernetes.apply_crds(f"gateway-api-v1.7.0/{channel}", "flagger-v1.44.0")
        node = (f"--image=echo-basic={tools.path('echo-basic')}", "--pod-network=namespace")
        with Installed(kubernetes, folder / "headgate", node=node):
            yield


def _laptop(channel: Channel, folder: Path) -> Iterator[None]:
    arguments = (
        f"--image=echo-basic={tools.path('echo-basic')}",
        "--pod-network=namespace",
        f"--pod-cidr={POD_NETWORK}",
        f"--load-balancer-cidr={LOAD_BALANCER_NETWORK}",
        f"--crds={tools.crds(f'gateway-api-v1.7.0/{channel}')}",
    )
    with LocalCluster(folder / "up", *arguments, name="conformance") as laptop:
        kubectl = laptop.kubectl()
        kubectl.apply(_LAPTOP)
        kubectl("wait", "--for=condition=Accepted", f"gatewayclass/{CLASS}", "--timeout=30s")
        yield


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
