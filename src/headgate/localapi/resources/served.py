"""What is served: every resource, its versions, schemas and behaviour."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from headgate.api import json_pointer
from headgate.api.cel.rules import Node
from headgate.api.meta import Key
from headgate.api.problems import Problem
from headgate.localapi.storage.cache import Record
from headgate.localapi.storage.store import Row

Object = dict[str, Any]

#: What `kubectl get` prints of an object in one column.
Cell = str | int | float | bool | None


class Column(msgspec.Struct, frozen=True):
    """A column of a table; `read` takes the object and the time now (seconds since 1970)."""

    name: str
    read: Callable[[Object, float], Cell]
    type: str = "string"
    #: Above 0: shown only with `-o wide`.
    priority: int = 0
    description: str = ""


class Scale(msgspec.Struct, frozen=True):
    """Where the scale subresource finds its fields."""

    replicas: str
    status_replicas: str
    selector: str = ""


class Strategy(msgspec.Struct, frozen=True):
    """What a built-in kind does that no schema says. Functions take the new object and the old one (None on create)."""

    #: Fills in defaults and fields that the server sets; changes the object in place.
    prepare: Callable[[Object, Object | None], None] = lambda new, old: None
    #: What does not fit.
    validate: Callable[[Object, Object | None], Iterable[Problem]] = lambda new, old: ()
    #: What is good to know of an object that fits.
    warnings: Callable[[Object], Iterable[str]] = lambda new: ()
    #: Whether `metadata.generation` counts changes of this kind.
    counts_generation: bool = False
    #: The status of a new object, where clients may not set one.
    initial_status: Callable[[Object], Object | None] = lambda new: None


class Version(msgspec.Struct, frozen=True):
    """How one version of a resource looks."""

    schema: Mapping[str, Any]
    columns: tuple[Column, ...] = ()
    #: What every write is told.
    note: str = ""
    #: Its rules in CEL.
    rules: Node | None = None


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource. The first version is preferred, `storage` is how it is kept."""

    group: str
    kind: str
    plural: str
    singular_name: str = ""
    namespaced: bool
    versions: Mapping[str, Version]
    storage: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    scale: Scale | None = None
    #: Subresources that only this kind has (`binding`, `log`, `token`, …).
    subresource_names: tuple[str, ...] = ()
    #: Paths that field selectors may name besides metadata.name and metadata.namespace.
    selectable: tuple[str, ...] = ()
    #: Its objects are answered and not stored: `reviews`.
    review: bool = False
    #: From a CustomResourceDefinition.
    custom: bool = False
    #: Its definition goes when its last object has gone.
    terminating: bool = False
    strategy: Strategy = Strategy()

    @property
    def id(self) -> str:
        """`plural.group`, unique; the plural alone in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """The name of one object, for people."""
        return self.singular_name or self.kind.lower()

    @property
    def subresources(self) -> frozenset[str]:
        """The parts of an object that have URLs of their own."""
        found = set(self.subresource_names)
        if self.status:
            found.add("status")
        if self.scale:
            found.add("scale")
        return frozenset(found)

    def api_version(self, version: str) -> str:
        """`group/version`, or the version alone in the core group."""
        return f"{self.group}/{version}" if self.group else version

    def schema(self, version: str) -> Mapping[str, Any]:
        """OpenAPI of a version."""
        return self.versions[version].schema

    @property
    def storage_schema(self) -> Mapping[str, Any]:
        """OpenAPI of the version that objects are stored in, or of the first one where that is not served."""
        found = self.versions.get(self.storage) or next(iter(self.versions.values()))
        return found.schema

    def serialized(self, record: Record, version: str) -> bytes:
        """The JSON of an object in a version. Versions of one resource differ in nothing but their name here.

        An object that was stored before the storage version changed still begins with the one of that time.
        """
        wanted = head(self, version)
        if record.body.startswith(wanted):
            return record.body
        return wanted + record.body[record.body.index(b'"metadata":') :]


def head(resource: Resource, version: str) -> bytes:
    """How the JSON of every object begins."""
    return f'{{"apiVersion":"{resource.api_version(version)}","kind":"{resource.kind}",'.encode()


def encode(resource: Resource, obj: Object) -> bytes:
    """The JSON of an object in the storage version, `apiVersion` and `kind` first."""
    rest = {name: value for name, value in obj.items() if name not in {"apiVersion", "kind", "metadata"}}
    return head(resource, resource.storage) + msgspec.json.encode({"metadata": obj["metadata"]} | rest)[1:]


def lookup(obj: Any, path: str) -> Any:
    """The value at a dotted path (`spec.nodeName`), or None."""
    return json_pointer.lookup(obj, path.split("."))


def text(value: Any) -> str:
    """A value as field selectors compare it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def record(resource: Resource | None, row: Row) -> Record:
    """What the cache keeps of a stored object."""
    obj = msgspec.json.decode(row.body)
    metadata = obj["metadata"]
    fields = {"metadata.name": row.name, "metadata.namespace": row.namespace}
    if resource is not None:
        fields |= {path: text(lookup(obj, path)) for path in resource.selectable}
    return Record(
        key=Key(row.namespace, row.name),
        uid=metadata.get("uid", ""),
        revision=row.revision,
        body=row.body,
        labels=metadata.get("labels") or {},
        fields=fields,
        owners=tuple(owner["uid"] for owner in metadata.get("ownerReferences") or () if "uid" in owner),
    )


class Registry:
    """All resources that are served now; CustomResourceDefinitions come and go."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources: dict[str, Resource] = {}
        #: Counts changes, so that discovery and OpenAPI know when to write themselves anew.
        self.generation = 0
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def add(self, resource: Resource) -> None:
        """Serve a resource, or serve it differently."""
        self._resources[resource.id] = resource
        self.generation += 1

    def remove(self, resource: str) -> None:
        """Serve it no longer."""
        del self._resources[resource]
        self.generation += 1

    def __getitem__(self, resource: str) -> Resource:
        """By `plural.group`, of a resource that is always there."""
        return self._resources[resource]

    def get(self, resource: str) -> Resource | None:
        """By `plural.group`."""
        return self._resources.get(resource)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """By the parts of a URL; None when it is not served in that version."""
        found = self._resources.get(f"{plural}.{group}" if group else plural)
        return found if found and version in found.versions else None

    def of_kind(self, group: str, kind: str) -> Resource | None:
        """By group and kind, as owner references name it."""
        return next((r for r in self._resources.values() if r.group == group and r.kind == kind), None)
