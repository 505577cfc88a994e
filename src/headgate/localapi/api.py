"""The API without HTTP: create, read, change, delete and follow objects.

Everything here is synchronous. One event loop runs it, so each call is atomic and needs no lock.
"""

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from headgate.api.meta import Key
from headgate.api.schema import Problem
from headgate.api.times import rfc3339

from . import names, ownership, refusals, resources, writes
from .cache import Cache, Record
from .matching import Review
from .resources import Object, Registry, Resource
from .store import Row, Store

#: Namespaces that are there from the start and cannot be deleted.
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Options(msgspec.Struct):
    """How a client wants a write to be done; `warnings` collects what it should be told."""

    dry_run: bool = False
    validation: str = "Warn"
    warnings: list[str] = []
    #: Who writes, for objects whose fields have owners.
    manager: str = "unknown"
    #: Whose token it is, for admission policies; nobody's when the server itself writes, which is not asked.
    user: str = ""


class Api:
    """All objects and what may be done to them."""

    def __init__(self, store: Store, registry: Registry, clock: Callable[[], float] = time.time) -> None:
        self.registry = registry
        self.clock = clock
        self.cache = Cache(store, lambda resource, row: resources.record(registry.get(resource), row))
        #: Asked before every write of a client; gives warnings, or raises `Refusal`.
        self.admission: Callable[[Review], list[str]] = lambda review: []
        #: Called after every write with the resource, the new object (None: gone) and the old one (None: new).
        self.written: list[Callable[[Resource, Object | None, Object | None], None]] = []
        for name in NAMESPACES:
            self._ensure_namespace(name)

    def _ensure_namespace(self, name: str) -> None:
        namespaces = self.registry["namespaces"]
        if self.record(namespaces, "", name) is None:
            self.create(namespaces, "v1", "", {"metadata": {"name": name}})

    # --- reading ------------------------------------------------------------------------------------------------------

    def record(self, resource: Resource, namespace: str, name: str) -> Record | None:
        """The record of an object, if it is there."""
        return self.cache.collection(resource.id).records.get(Key(namespace if resource.namespaced else "", name))

    def get(self, resource: Resource, namespace: str, name: str) -> Record:
        """The record of an object; raises NotFound."""
        found = self.record(resource, namespace, name)
        if found is None:
            raise refusals.not_found(resource.group, resource.plural, name)
        return found

    def object(self, resource: Resource, namespace: str, name: str) -> Object:
        """An object in its storage version, to be changed freely; raises NotFound."""
        return decode(self.get(resource, namespace, name))

    # --- writing ------------------------------------------------------------------------------------------------------

    def create(
        self,
        resource: Resource,
        version: str,
        namespace: str,
        obj: Any,
        options: Options | None = None,
        *,
        managed: list[Object] | None = None,
    ) -> Record:
        """A new object; `managed` says who owns which of its fields, if anybody."""
        options = options or Options()
        draft = self._draft(resource, version, obj, options)
        if resource.ending:
            why = "create not allowed while custom resource definition is terminating"
            raise refusals.Refusal(405, "MethodNotAllowed", why)
        if resource.namespaced:
            self._namespace_takes(resource, namespace, draft["metadata"].get("name", ""))
        new = writes.create(
            resource,
            version,
            draft,
            namespace=namespace,
            now=rfc3339(self.clock()),
            uid=str(uuid.uuid4()),
            suffix="".join(secrets.choice(names.ALPHABET) for _ in range(names.SUFFIX)),
        )
        name = new["metadata"]["name"]
        if self.record(resource, namespace, name) is not None:
            raise refusals.already_exists(resource.group, resource.plural, name)
        if managed:
            new["metadata"]["managedFields"] = managed
        self._admit("CREATE", resource, version, new, None, options)
        return self._put(resource, new, None, options)

    def replace(
        self,
        resource: Resource,
        version: str,
        namespace: str,
        name: str,
        obj: Any,
        options: Options | None = None,
        *,
        subresource: str = "",
    ) -> Record:
        """An object, or its status, put in the place of what is there."""
        if resource.custom and isinstance(obj, Mapping) and not (obj.get("metadata") or {}).get("resourceVersion"):
            self.get(resource, namespace, name)
            problem = Problem(
                "metadata.resourceVersion",
                "FieldValueInvalid",
                'Invalid value: "": must be specified for an update; take it from the object that you have read',
            )
            raise refusals.invalid(resource.group, resource.kind, name, [problem])
        return self.change(resource, version, namespace, name, lambda old: obj, options, subresource=subresource)

    def change(
        self,
        resource: Resource,
        version: str,
        namespace: str,
        name: str,
        edit: Callable[[Object], Any],
        options: Options | None = None,
        *,
        subresource: str = "",
    ) -> Record:
        """What `edit` makes of an object (in that version), or of its status."""
        options = options or Options()
        record = self.get(resource, namespace, name)
        old = decode(record)
        asked = {**old, "apiVersion": resource.api_version(version)}
        draft = self._draft(resource, version, edit(asked), options)
        new = writes.update(resource, version, _bare(old), draft, subresource)
        if new == _bare(old):
            return record
        ownership.written(resource, version, _bare(old), new, options.manager, subresource, rfc3339(self.clock()))
        self._admit("UPDATE", resource, version, new, old, options, subresource)
        return self._put(resource, new, old, options)

    def apply(
        self,
        resource: Resource,
        version: str,
        namespace: str,
        name: str,
        config: Any,
        options: Options,
        *,
        force: bool,
        subresource: str = "",
    ) -> tuple[Record, bool]:
        """Server-side apply: the object with the configuration in it, and whether it is new."""
        draft = self._draft(resource, version, config, options)
        draft["metadata"]["name"] = draft["metadata"].get("name") or name
        record, now = self.record(resource, namespace, name), rfc3339(self.clock())
        if record is None:
            if subresource:
                raise refusals.not_found(resource.group, resource.plural, name)
            managed = ownership.first(resource, version, draft, options.manager, now)
            return self.create(resource, version, namespace, draft, options, managed=managed), True
        old = _bare(decode(record))
        merged, managed = ownership.applied(
            resource, version, old, draft, options.manager, subresource, now, force=force
        )
        new = writes.update(resource, version, old, merged, subresource)
        new["metadata"]["managedFields"] = managed
        if new == old:
            return record, False
        self._admit("UPDATE", resource, version, new, old, options, subresource)
        return self._put(resource, new, old, options), False

    def write(self, resource: Resource, old: Object, new: Object, options: Options | None = None) -> Record:
        """A change that the server itself has made (a binding, the end of a finalizer)."""
        return self._put(resource, _bare(new), old, options or Options())

    def delete(
        self, resource: Resource, namespace: str, name: str, how: writes.Deletion, options: Options | None = None
    ) -> tuple[Record, bool]:
        """The last or the waiting state of an object, and whether it is gone."""
        options = options or Options()
        record = self.get(resource, namespace, name)
        old = decode(record)
        self._may_delete(resource, record, how)
        self._admit("DELETE", resource, resource.storage, None, old, options)
        new = writes.delete(resource, _bare(old), how, now=self.clock(), timestamp=rfc3339)
        if new is None:
            return self._remove(resource, old, options), True
        if new == _bare(old):
            return record, False
        record = self._put(resource, new, old, options)
        return record, False

    def _may_delete(self, resource: Resource, record: Record, how: writes.Deletion) -> None:
        name = record.key.name
        if resource.id == "namespaces" and name in NAMESPACES[:3]:
            raise refusals.forbidden("", "namespaces", name, "this namespace may not be deleted")
        for wanted, found, word in (
            (how.uid, record.uid, "UID"),
            (how.revision, str(record.revision), "ResourceVersion"),
        ):
            if wanted and wanted != found:
                why = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}"
                raise refusals.conflict(resource.group, resource.plural, name, why)

    def _admit(
        self,
        operation: str,
        resource: Resource,
        version: str,
        new: Object | None,
        old: Object | None,
        options: Options,
        subresource: str = "",
    ) -> None:
        if not options.user:
            return
        metadata = (new or old or {})["metadata"]
        review = Review(
            operation=operation,
            resource=resource,
            version=version,
            subresource=subresource,
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            new=new,
            old=old,
            user=options.user,
            dry_run=options.dry_run,
        )
        options.warnings.extend(self.admission(review))

    def _draft(self, resource: Resource, version: str, obj: Any, options: Options) -> Object:
        draft = writes.read(resource, version, obj)
        if draft.unknown:
            if options.validation == "Strict":
                raise writes.strict(resource, version, draft.unknown)
            if options.validation == "Warn":
                options.warnings.extend(writes.unknown_sentences(draft.unknown))
        if note := resource.versions[version].note:
            options.warnings.append(note)
        return draft.object

    def _namespace_takes(self, resource: Resource, namespace: str, name: str) -> None:
        record = self.record(self.registry["namespaces"], "", namespace)
        if record is None:
            raise refusals.not_found("", "namespaces", namespace)
        if record.fields.get("status.phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Problem("metadata.namespace", "NamespaceTerminating", f"namespace {namespace} is being terminated")
            raise refusals.forbidden(resource.group, resource.plural, name, why, [cause])

    def _put(self, resource: Resource, new: Object, old: Object | None, options: Options) -> Record:
        options.warnings.extend(resource.behaviour.warnings(new))
        if old is not None and writes.finished(resource, new):
            return self._remove(resource, new, options)
        if options.dry_run:
            before = int(old["metadata"]["resourceVersion"]) if old else 0
            return resources.record(resource, self._row(resource, new, before))
        row = self._row(resource, new, self.cache.next_revision())
        record = self.cache.put(resource.id, row)
        self._tell(resource, new, old)
        return record

    def _remove(self, resource: Resource, old: Object, options: Options) -> Record:
        row = self._row(resource, old, self.cache.next_revision())
        if options.dry_run:
            return resources.record(resource, row)
        record = self.cache.remove(resource.id, row)
        self._tell(resource, None, old)
        return record

    def _row(self, resource: Resource, obj: Object, revision: int) -> Row:
        metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
        if revision:
            metadata["resourceVersion"] = str(revision)
        body = resources.encode(resource, {**obj, "metadata": metadata})
        return Row(resource.id, metadata.get("namespace", ""), metadata["name"], revision, body)

    def _tell(self, resource: Resource, new: Object | None, old: Object | None) -> None:
        for callback in self.written:
            callback(resource, new, old)


def decode(record: Record) -> Object:
    """The object of a record."""
    obj: Object = msgspec.json.decode(record.body)
    return obj


def _bare(obj: Object) -> Object:
    """An object without `apiVersion` and `kind`, which the URL says."""
    return {name: value for name, value in obj.items() if name not in {"apiVersion", "kind"}}
