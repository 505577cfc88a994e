"""The served resources: versions, schemas, strategies."""

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

#: The value of a column.
Cell = str | int | float | bool | None


class Column(msgspec.Struct, frozen=True):
    """A column of a table; `read` takes the object and the time now (seconds since 1970)."""

    name: str
    read: Callable[[Object, float], Cell]
    type: str = "string"
    #: Above 0: printed only with `-o wide`.
    priority: int = 0
    description: str = ""


class Scale(msgspec.Struct, frozen=True):
    """The paths of the fields of the scale subresource."""

    replicas: str
    status_replicas: str
    selector: str = ""


class Strategy(msgspec.Struct, frozen=True):
    """Behaviour of a built-in kind beyond its schema. Functions get the new and the old object (None on create)."""

    #: Sets defaults and server-set fields, in place.
    prepare: Callable[[Object, Object | None], None] = lambda new, old: None
    #: The problems of an object.
    validate: Callable[[Object, Object | None], Iterable[Problem]] = lambda new, old: ()
    #: Warnings about a valid object.
    warnings: Callable[[Object], Iterable[str]] = lambda new: ()
    #: Whether changes of this kind increase `metadata.generation`.
    counts_generation: bool = False
    #: The status of a new object, for kinds whose status clients may not set.
    initial_status: Callable[[Object], Object | None] = lambda new: None


class Version(msgspec.Struct, frozen=True):
    """One version of a resource."""

    schema: Mapping[str, Any]
    columns: tuple[Column, ...] = ()
    #: A warning for every write.
    note: str = ""
    #: Its CEL rules.
    rules: Node | None = None


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource. The first version is the preferred one; `storage` is the stored one."""

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
    #: Its objects are answered and not stored (`reviews`).
    review: bool = False
    #: From a CustomResourceDefinition.
    custom: bool = False
    #: Its definition is being deleted and waits for its objects.
    terminating: bool = False
    strategy: Strategy = Strategy()

    @property
    def id(self) -> str:
        """`plural.group`, unique; the plural alone in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """The singular name."""
        return self.singular_name or self.kind.lower()

    @property
    def subresources(self) -> frozenset[str]:
        """The subresources."""
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
        """OpenAPI of the storage version, or of the first version if the storage version is not served."""
        found = self.versions.get(self.storage) or next(iter(self.versions.values()))
        return found.schema

    def serialized(self, record: Record, version: str) -> bytes:
        """The JSON of an object in a version. All versions of a resource have the same schema.

        An object that was stored before the storage version changed begins with the version of that time.
        """
        wanted = head(self, version)
        if record.body.startswith(wanted):
            return record.body
        return wanted + record.body[record.body.index(b'"metadata":') :]


def head(resource: Resource, version: str) -> bytes:
    """The beginning of the JSON of every object."""
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
    """The cache record of a stored object."""
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
    """All served resources. CustomResourceDefinitions add and remove resources."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources: dict[str, Resource] = {}
        #: The number of changes; discovery and OpenAPI are rebuilt when it changes.
        self.generation = 0
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def add(self, resource: Resource) -> None:
        """Serve a resource, or replace it."""
        self._resources[resource.id] = resource
        self.generation += 1

    def remove(self, resource: str) -> None:
        """Stop serving a resource."""
        del self._resources[resource]
        self.generation += 1

    def __getitem__(self, resource: str) -> Resource:
        """A resource by `plural.group`. Raises `KeyError`."""
        return self._resources[resource]

    def get(self, resource: str) -> Resource | None:
        """A resource by `plural.group`, or None."""
        return self._resources.get(resource)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """A resource by the parts of a URL; None if it is not served in that version."""
        found = self._resources.get(f"{plural}.{group}" if group else plural)
        return found if found and version in found.versions else None

    def of_kind(self, group: str, kind: str) -> Resource | None:
        """A resource by group and kind, as in owner references."""
        return next((r for r in self._resources.values() if r.group == group and r.kind == kind), None)
