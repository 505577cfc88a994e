"""`headgate api` for tests: in this process without HTTP, or as the program that users start."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec
import yaml

from headgate.api.meta import Key
from headgate.localapi.garbage_collector import GarbageCollector
from headgate.localapi.registry.api import Api, WriteOptions
from headgate.localapi.registry.strategy import DeleteOptions
from headgate.localapi.resources.served import Resource
from headgate.localapi.server import open_api
from headgate.localapi.storage.store import Store
from support.processes import Program
from support.waiting import until

START = 1_800_000_000.0
"""The time at which a `InProcessApi` begins (2027-01-15T08:00:00Z)."""


class InProcessApi:
    """The API without HTTP, with a clock that stands still unless it is moved, and garbage collected on demand."""

    def __init__(self, path: Path, crds: str = "") -> None:
        """Open the store at `path`; another desk may have left it there. `crds` is what `--crds` says."""
        self.now = START
        self.store = Store(path)
        self.api: Api = open_api(self.store, clock=lambda: self.now, crds=crds)
        self.garbage = GarbageCollector(self.api)

    def resource(self, plural: str) -> Resource:
        """`deployments.apps`, `pods`."""
        return self.api.registry[plural]

    def create(self, plural: str, obj: dict[str, Any], namespace: str = "default", **options: Any) -> dict[str, Any]:
        """POST."""
        resource = self.resource(plural)
        where = namespace if resource.namespaced else ""
        version = obj.get("apiVersion", "").rpartition("/")[2] or resource.storage
        return decoded(self.api.create(resource, version, where, obj, WriteOptions(**options)))

    def put(self, plural: str, obj: dict[str, Any], subresource: str = "", **options: Any) -> dict[str, Any]:
        """PUT."""
        resource, metadata = self.resource(plural), obj["metadata"]
        where = (metadata.get("namespace", ""), metadata["name"])
        return decoded(
            self.api.replace(resource, resource.storage, *where, obj, WriteOptions(**options), subresource=subresource)
        )

    def get(self, plural: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """GET."""
        return decoded(self.api.get(self.resource(plural), namespace, name))

    def there(self, plural: str, name: str, namespace: str = "default") -> bool:
        """Whether an object is there."""
        return self.api.record(self.resource(plural), namespace, name) is not None

    def delete(self, plural: str, name: str, namespace: str = "default", **how: Any) -> bool:
        """DELETE; whether the object is gone at once."""
        return self.api.delete(self.resource(plural), namespace, name, DeleteOptions(**how))[1]

    def names(self, plural: str, namespace: str = "") -> list[str]:
        """The names in a collection."""
        return [r.key.name for r in self.api.cache.collection(plural).after(Key("", ""), namespace)]

    def close(self) -> None:
        """Release the file."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decoded(record: Any) -> dict[str, Any]:
    """The object of a record."""
    obj: dict[str, Any] = msgspec.json.decode(record.body)
    return obj


class LocalApi:
    """`headgate api` as a program: starts on entering, answers then, ends on leaving."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Everything lies in `folder`; starting again there finds the objects of before."""
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.arguments = arguments
        self.program: Program

    def start(self) -> Self:
        """Start the program and wait until it answers."""
        self.kubeconfig.unlink(missing_ok=True)
        command = [sys.executable, "-m", "headgate", "api", f"--data={self.folder / 'data'}"]
        command += [f"--kubeconfig-out={self.kubeconfig}", *self.arguments]
        self.program = Program(command, log=self.folder / "api.log", name="headgate api")
        until(self.kubeconfig.exists, what="the API has written its kubeconfig", running=self.program)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.program.stop()


class Http:
    """An HTTP client of a `LocalApi` with the token and the authority of its kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        """Read the kubeconfig."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server: str = cluster["server"]
        self.token: str = user["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        headers = {"authorization": f"Bearer {self.token}"}
        self.client = httpx.Client(base_url=self.server, verify=self.tls, headers=headers, trust_env=False)

    def namespace(self) -> str:
        """A new namespace that no other test has."""
        answer = self.post("/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
        name: str = answer.json()["metadata"]["name"]
        return name

    def get(self, path: str, accept: str = "application/json") -> httpx.Response:
        """GET."""
        return self.client.get(path, headers={"accept": accept})

    def post(self, path: str, body: Any) -> httpx.Response:
        """POST of JSON."""
        return self.client.post(path, json=body)

    def patch(self, path: str, body: Any, kind: str = "merge-patch") -> httpx.Response:
        """PATCH: merge-patch, json-patch or strategic-merge-patch."""
        return self.client.patch(path, content=json.dumps(body), headers={"content-type": f"application/{kind}+json"})

    def delete(self, path: str, body: Any = None) -> httpx.Response:
        """DELETE."""
        return self.client.request("DELETE", path, json=body)

    @contextlib.contextmanager
    def watch(self, path: str, accept: str = "application/json") -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a watch, one by one."""
        join = "&" if "?" in path else "?"
        with self.client.stream("GET", f"{path}{join}watch=true", headers={"accept": accept}) as answer:
            assert answer.status_code == httpx.codes.OK, answer.read()
            yield (json.loads(line) for line in answer.iter_lines())

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
