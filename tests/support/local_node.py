"""A local API and a node as processes, and a small synchronous client for tests."""

from __future__ import annotations

import base64
import itertools
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.addresses import free_port, loopback_network
from support.processes import Program
from support.waiting import until

Plain = dict[str, Any]
HEADGATE = (sys.executable, "-m", "headgate")

_PATHS = {
    "Pod": "api/v1/{}pods",
    "Service": "api/v1/{}services",
    "Secret": "api/v1/{}secrets",
    "ConfigMap": "api/v1/{}configmaps",
    "Event": "api/v1/{}events",
    "Namespace": "api/v1/namespaces",
    "Node": "api/v1/nodes",
    "Deployment": "apis/apps/v1/{}deployments",
    "ReplicaSet": "apis/apps/v1/{}replicasets",
    "EndpointSlice": "apis/discovery.k8s.io/v1/{}endpointslices",
}


class Api:
    """A client of one API, for one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str = "default") -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._ca_certificate = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._token = user["token"]
        self.kubeconfig = kubeconfig
        self.server: str = cluster["server"]
        self.namespace = namespace
        self._client = httpx.Client(
            base_url=cluster["server"],
            headers={"Authorization": f"Bearer {self._token}"},
            verify=ssl.create_default_context(cadata=self._ca_certificate),
            timeout=20.0,
            trust_env=False,
        )

    def within(self, namespace: str) -> Api:
        """A client of the same API for another namespace, which is created."""
        other = Api(self.kubeconfig, namespace)
        other.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        return other

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._client.request(method, path, **options)
        if answer.status_code >= 400:
            raise OSError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def create(self, *bodies: Plain) -> None:
        for body in bodies:
            self.request("POST", self._path(body["kind"]), json=body)

    def get(self, kind: str, name: str) -> Plain:
        obj: Plain = self.request("GET", self._path(kind, name)).json()
        return obj

    def find(self, kind: str, name: str) -> Plain | None:
        """The object; None if there is none."""
        try:
            return self.get(kind, name)
        except OSError as error:
            if ": 404 " in str(error):
                return None
            raise

    def all(self, kind: str) -> list[Plain]:
        items: list[Plain] = self.request("GET", self._path(kind)).json()["items"]
        return items

    def patch(self, kind: str, name: str, patch: Plain, subresource: str = "") -> Plain:
        path = self._path(kind, name) + (f"/{subresource}" if subresource else "")
        headers = {"Content-Type": "application/merge-patch+json"}
        changed: Plain = self.request("PATCH", path, json=patch, headers=headers).json()
        return changed

    def delete(self, kind: str, name: str, **options: Any) -> None:
        self.request("DELETE", self._path(kind, name), json=options or None)

    def logs(self, pod: str, **parameters: Any) -> str:
        return self.request("GET", f"{self._path('Pod', pod)}/log", params=parameters).text

    def events(self, name: str) -> list[str]:
        """`Reason: message` of the events about an object."""
        return [
            f"{event['reason']}: {event['message']}"
            for event in self.all("Event")
            if event["involvedObject"]["name"] == name
        ]

    def _path(self, kind: str, name: str = "") -> str:
        path = "/" + _PATHS[kind].format(f"namespaces/{self.namespace}/")
        return f"{path}/{name}" if name else path


@contextmanager
def local_api(folder: Path) -> Iterator[Api]:
    """`headgate api` with everything in `folder`."""
    kubeconfig = folder / "kubeconfig"
    command = (*HEADGATE, "api", "--data", folder / "api", "--port", str(free_port()), "--kubeconfig-out", kubeconfig)
    with Program(command, log=folder / "api.log", name="headgate api") as program:
        until(kubeconfig.exists, what="the kubeconfig of the API", running=program)
        yield Api(kubeconfig)


class LocalNode:
    """`headgate node --schedule` beside an API; `start` again after `program.kill()` takes the same data folder."""

    def __init__(self, api: Api, folder: Path, name: str = "laptop") -> None:
        network = loopback_network()
        self.pods, self.balancers = network.subnets(new_prefix=21)
        self.folder = folder
        self.data = folder / "node"
        self._name = name
        self._api = api
        self._starts = itertools.count()
        self.program: Program

    def start(self, *flags: str) -> Program:
        command: tuple[str | Path, ...] = (
            *(*HEADGATE, "node", "--schedule", "--kubeconfig", self._api.kubeconfig, "--data", self.data),
            *("--name", self._name, "--pod-cidr", str(self.pods), "--load-balancer-cidr", str(self.balancers)),
            *flags,
        )
        number = next(self._starts)
        self.program = Program(command, log=self.folder / f"node-{number}.log", name="headgate node")
        until(lambda: "node registered" in self.program.output(), what="the node", running=self.program)
        return self.program

    def stop(self) -> None:
        self.program.stop()


@contextmanager
def local_node(api: Api, folder: Path, *flags: str, name: str = "laptop") -> Iterator[LocalNode]:
    """A node that is ended when the block ends."""
    node = LocalNode(api, folder, name)
    with ExitStack() as stack:
        node.start(*flags)
        stack.callback(node.stop)
        yield node


def pod(
    name: str, *, image: str = "headgate-echo:1.0", labels: dict[str, str] | None = None, **container: Any
) -> Plain:
    """A pod of one container `app`; keywords are fields of the container, those of the spec go into `spec`."""
    spec = container.pop("spec", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": name}},
        "spec": {
            "containers": [{"name": "app", "image": image, **container}],
            "terminationGracePeriodSeconds": 5,
            **spec,
        },
    }


def python(program: str, **fields: Any) -> dict[str, Any]:
    """Fields of a container that runs a Python program; for nodes with `--image python=PYTHON`."""
    return {"image": "python", "args": ["-c", program], **fields}


PYTHON_IMAGE = ("--image", f"python={sys.executable} -u")
