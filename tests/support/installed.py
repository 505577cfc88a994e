"""Headgate on a real Kubernetes API as its users have it: the chart's controller in a pod, with the chart's rights.

`headgate node` stands in for the kubelets of that cluster: it runs the pods as processes, the controller's among them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.addresses import free_port
from support.control_plane import LOAD_BALANCER_NETWORK, POD_NETWORK, ControlPlane
from support.processes import Program
from support.waiting import until

CHART = Path(__file__).parents[2] / "charts" / "headgate"
NAMESPACE = "headgate-system"
NODE_ACCOUNT = ("kube-system", "headgate-node")
"""The ServiceAccount of `headgate node`: namespace and name, as in node_account.yaml."""
RELEASE = "headgate"
SECRET = "controller-api"
MOUNT = "/etc/headgate/api"
OWN_CLASS = "headgate.dev/gateway-controller"
ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
"""Another implementation's controllerName, for manifests that were written for it."""
APART = ("--pod-cidr=10.244.128.0/17", "--load-balancer-cidr=10.245.128.0/17")
"""Networks of a second cluster, beside the one that most tests share: `node` of `Installed`."""
HEADGATE = (sys.executable, "-m", "headgate")


class Installed:
    """The node and the chart on a control plane; ready on entering, everything ended on leaving."""

    def __init__(
        self, kubernetes: ControlPlane, folder: Path, *, arguments: tuple[str, ...] = (), node: tuple[str, ...] = ()
    ) -> None:
        """`arguments` are more arguments of `headgate controller`, `node` of `headgate node`."""
        self.kubernetes = kubernetes
        self.folder = folder
        self.arguments = arguments
        self.node_arguments = node
        self.node: Program

    def __enter__(self) -> Self:
        port = free_port()
        self.kubernetes.kubectl.apply((Path(__file__).parent / "node_account.yaml").read_text())
        account = self.kubernetes.service_account_kubeconfig(*NODE_ACCOUNT)
        self.node = Program(
            [
                *HEADGATE,
                "node",
                "--schedule",
                f"--kubeconfig={account}",
                f"--data={self.folder / 'node'}",
                f"--port={port}",
                f"--pod-cidr={POD_NETWORK}",
                f"--load-balancer-cidr={LOAD_BALANCER_NETWORK}",
                *self.node_arguments,
            ],
            log=self.folder / "node.log",
            name="headgate node",
            grace=45,
        )
        try:
            self._node_ready()
            self._install()
        except BaseException:
            self.node.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.kubernetes.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--ignore-not-found")
        finally:
            self.node.stop()

    def controller_log(self, lines: int = 200) -> str:
        """The last lines that the controller wrote, by `kubectl logs`; -1 for all of them."""
        return self.kubernetes.kubectl("logs", f"--namespace={NAMESPACE}", f"deployment/{RELEASE}", f"--tail={lines}")

    def _node_ready(self) -> None:
        def conditions() -> str:
            path = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
            return self.kubernetes.kubectl("get", "nodes", "-o", f"jsonpath={path}")

        until(lambda: conditions() == "True", what="a Ready node", running=self.node)

    def _install(self) -> None:
        kubectl = self.kubernetes.kubectl
        # The account must be there before its token can be asked for, so the Deployment comes with the second step.
        install = ("upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--create-namespace")
        self.kubernetes.helm(*install, "--set=replicas=0")
        # A pod here is a process without a file system of its own, so nothing mounts its token where clients look for
        # one by themselves: it comes as a kubeconfig in a Secret.
        kubeconfig = self.kubernetes.service_account_kubeconfig(NAMESPACE, RELEASE)
        kubectl(
            "create", "secret", "generic", SECRET, f"--namespace={NAMESPACE}", f"--from-file=kubeconfig={kubeconfig}"
        )
        values = self.folder / "values.json"
        values.write_text(json.dumps(self._values()))
        self.kubernetes.helm(*install, f"--values={values}")
        done = kubectl.run(
            "rollout", "status", f"deployment/{RELEASE}", f"--namespace={NAMESPACE}", "--timeout=60s", timeout=90
        )
        said = kubectl.run("logs", f"--namespace={NAMESPACE}", f"deployment/{RELEASE}", "--tail=50")
        assert done.returncode == 0, f"{done.stderr}\n{said.stdout}{said.stderr}\nnode:\n{self.node.tail()}"
        accepted = kubectl.run("wait", "--for=condition=Accepted", "gatewayclass/headgate", "--timeout=30s")
        assert accepted.returncode == 0, f"{accepted.stderr}\n{self.controller_log()}"

    def _values(self) -> dict[str, Any]:
        return {
            "args": [f"--kubeconfig={MOUNT}/kubeconfig", *self.arguments],
            "volumes": [{"name": "api", "secret": {"secretName": SECRET}}],
            "volumeMounts": [{"name": "api", "mountPath": MOUNT, "readOnly": True}],
        }
