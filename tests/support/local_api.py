"""`headgate api` for tests: in this process without HTTP, or as the program that users start."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from headgate.api.meta import Key
from headgate.localapi.api import Api, Options
from headgate.localapi.garbage import Collector
from headgate.localapi.resources import Resource
from headgate.localapi.server import open_api
from headgate.localapi.store import Store
from headgate.localapi.writes import Deletion
from support.processes import Program
from support.waiting import until

START = 1_800_000_000.0
"""The time at which a `Desk` begins (2027-01-15T08:00:00Z)."""


class Desk:
    """The API without HTTP, with a clock that stands still unless it is moved, and garbage collected on demand."""

    def __init__(self, path: Path) -> None:
        """Open the store at `path`; another desk may have left it there."""
        self.now = START
        self.store = Store(path)
        self.api: Api = open_api(self.store, clock=lambda: self.now)
        self.garbage = Collector(self.api)

    def resource(self, plural: str) -> Resource:
        """`deployments.apps`, `pods`."""
        return self.api.registry[plural]

    def create(self, plural: str, obj: dict[str, Any], namespace: str = "default", **options: Any) -> dict[str, Any]:
        """POST."""
        resource = self.resource(plural)
        where = namespace if resource.namespaced else ""
        version = obj.get("apiVersion", "").rpartition("/")[2] or resource.storage
        return decoded(self.api.create(resource, version, where, obj, Options(**options)))

    def put(self, plural: str, obj: dict[str, Any], subresource: str = "", **options: Any) -> dict[str, Any]:
        """PUT."""
        resource, metadata = self.resource(plural), obj["metadata"]
        where = (metadata.get("namespace", ""), metadata["name"])
        return decoded(
            self.api.replace(resource, resource.storage, *where, obj, Options(**options), subresource=subresource)
        )

    def get(self, plural: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """GET."""
        return decoded(self.api.get(self.resource(plural), namespace, name))

    def there(self, plural: str, name: str, namespace: str = "default") -> bool:
        """Whether an object is there."""
        return self.api.record(self.resource(plural), namespace, name) is not None

    def delete(self, plural: str, name: str, namespace: str = "default", **how: Any) -> bool:
        """DELETE; whether the object is gone at once."""
        return self.api.delete(self.resource(plural), namespace, name, Deletion(**how))[1]

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
        until(self.kubeconfig.exists, says="the API has written its kubeconfig", running=self.program)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.program.stop()
