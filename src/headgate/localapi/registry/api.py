"""The API without HTTP: create, read, update, delete and watch objects.

All methods are synchronous and run in one event loop, so each call is atomic and needs no lock.
"""

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from headgate.api.meta import Key
from headgate.api.problems import Problem
from headgate.api.times import rfc3339
from headgate.localapi.admission.matching import AdmissionRequest
from headgate.localapi.resources import served
from headgate.localapi.resources.served import Object, Registry, Resource
from headgate.localapi.storage.cache import Cache, Record
from headgate.localapi.storage.store import Row, Store

from . import managed_fields, names, status_errors, strategy

#: The limit of a stored object, in bytes of JSON: the size of a request that etcd takes by default.
LARGEST_OBJECT = 1536 * 1024
#: Namespaces that always exist and cannot be deleted.
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class WriteOptions(msgspec.Struct):
    """Options of a write. `warnings` collects warnings for the client."""

    dry_run: bool = False
    validation: str = "Warn"
    warnings: list[str] = []
    #: The field manager of the write.
    manager: str = "unknown"
    #: The user of the token, for admission policies; empty for writes of the server, which no policy reviews.
    user: str = ""


class Api:
    """All objects and the operations on them."""

    def __init__(self, store: Store, registry: Registry, clock: Callable[[], float] = time.time) -> None:
        self.registry = registry
        self.clock = clock
        self.cache = Cache(store, lambda resource, row: served.record(registry.get(resource), row))
        #: Called before every write of a client; returns warnings, or raises `StatusError`.
        self.admission: Callable[[AdmissionRequest], list[str]] = lambda review: []
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
        """The record of an object, or None."""
        return self.cache.collection(resource.id).records.get(Key(namespace if resource.namespaced else "", name))

    def get(self, resource: Resource, namespace: str, name: str) -> Record:
        """The record of an object. Raises NotFound."""
        found = self.record(resource, namespace, name)
        if found is None:
            raise status_errors.not_found(resource.group, resource.plural, name)
        return found

    def object(self, resource: Resource, namespace: str, name: str) -> Object:
        """A mutable copy of an object in its storage version. Raises NotFound."""
        return decode(self.get(resource, namespace, name))

    # --- writing ------------------------------------------------------------------------------------------------------

    def create(
        self,
        resource: Resource,
        version: str,
        namespace: str,
        obj: Any,
        options: WriteOptions | None = None,
        *,
        managed: list[Object] | None = None,
    ) -> Record:
        """Create an object. `managed` is its `managedFields`, if any."""
        options = options or WriteOptions()
        draft = self._draft(resource, version, obj, options)
        if resource.terminating:
            why = "create not allowed while custom resource definition is terminating"
            raise status_errors.StatusError(405, "MethodNotAllowed", why)
        if resource.namespaced:
            self._namespace_takes(resource, namespace, draft["metadata"].get("name", ""))
        new = strategy.create(
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
            raise status_errors.already_exists(resource.group, resource.plural, name)
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
        options: WriteOptions | None = None,
        *,
        subresource: str = "",
    ) -> Record:
        """Replace an object, or its status."""
        if resource.custom and isinstance(obj, Mapping) and not (obj.get("metadata") or {}).get("resourceVersion"):
            self.get(resource, namespace, name)
            problem = Problem(
                "metadata.resourceVersion",
                "FieldValueInvalid",
                'Invalid value: "": must be specified for an update; take it from the object that you have read',
            )
            raise status_errors.invalid(resource.group, resource.kind, name, [problem])
        return self.change(resource, version, namespace, name, lambda old: obj, options, subresource=subresource)

    def change(
        self,
        resource: Resource,
        version: str,
        namespace: str,
        name: str,
        edit: Callable[[Object], Any],
        options: WriteOptions | None = None,
        *,
        subresource: str = "",
    ) -> Record:
        """Replace an object (in the given version), or its status, by the result of `edit`."""
        options = options or WriteOptions()
        record = self.get(resource, namespace, name)
        old = decode(record)
        asked = {**old, "apiVersion": resource.api_version(version)}
        draft = self._draft(resource, version, edit(asked), options)
        new = strategy.update(resource, version, _bare(old), draft, subresource)
        if new == _bare(old):
            return record
        managed_fields.update(resource, version, _bare(old), new, options.manager, subresource, rfc3339(self.clock()))
        self._admit("UPDATE", resource, version, new, old, options, subresource)
        return self._put(resource, new, old, options)

    def apply(
        self,
        resource: Resource,
        version: str,
        namespace: str,
        name: str,
        config: Any,
        options: WriteOptions,
        *,
        force: bool,
        subresource: str = "",
    ) -> tuple[Record, bool]:
        """Server-side apply. Returns the object and whether it was created."""
        draft = self._draft(resource, version, config, options)
        draft["metadata"]["name"] = draft["metadata"].get("name") or name
        record, now = self.record(resource, namespace, name), rfc3339(self.clock())
        if record is None:
            if subresource:
                raise status_errors.not_found(resource.group, resource.plural, name)
            managed = managed_fields.for_new(resource, version, draft, options.manager, now)
            return self.create(resource, version, namespace, draft, options, managed=managed), True
        old = _bare(decode(record))
        merged, managed = managed_fields.apply(
            resource, version, old, draft, options.manager, subresource, now, force=force
        )
        new = strategy.update(resource, version, old, merged, subresource)
        new["metadata"]["managedFields"] = managed
        if new == old:
            return record, False
        self._admit("UPDATE", resource, version, new, old, options, subresource)
        return self._put(resource, new, old, options), False

    def write(self, resource: Resource, old: Object, new: Object, options: WriteOptions | None = None) -> Record:
        """Store a change of the server itself (a binding, a removed finalizer)."""
        return self._put(resource, _bare(new), old, options or WriteOptions())

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        how: strategy.DeleteOptions,
        options: WriteOptions | None = None,
    ) -> tuple[Record, bool]:
        """Delete an object. Returns its last or its terminating state, and whether it is gone."""
        options = options or WriteOptions()
        record = self.get(resource, namespace, name)
        old = decode(record)
        self._may_delete(resource, record, how)
        self._admit("DELETE", resource, resource.storage, None, old, options)
        new = strategy.delete(resource, _bare(old), how, now=self.clock(), timestamp=rfc3339)
        if new is None:
            return self._remove(resource, old, options), True
        if new == _bare(old):
            return record, False
        record = self._put(resource, new, old, options)
        return record, False

    def _may_delete(self, resource: Resource, record: Record, how: strategy.DeleteOptions) -> None:
        name = record.key.name
        if resource.id == "namespaces" and name in NAMESPACES[:3]:
            raise status_errors.forbidden("", "namespaces", name, "this namespace may not be deleted")
        for wanted, found, word in (
            (how.uid, record.uid, "UID"),
            (how.revision, str(record.revision), "ResourceVersion"),
        ):
            if wanted and wanted != found:
                why = f"Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {found}"
                raise status_errors.conflict(resource.group, resource.plural, name, why)

    def _admit(
        self,
        operation: str,
        resource: Resource,
        version: str,
        new: Object | None,
        old: Object | None,
        options: WriteOptions,
        subresource: str = "",
    ) -> None:
        if not options.user:
            return
        metadata = (new or old or {})["metadata"]
        review = AdmissionRequest(
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

    def _draft(self, resource: Resource, version: str, obj: Any, options: WriteOptions) -> Object:
        draft = strategy.decode_draft(resource, version, obj)
        if draft.unknown:
            if options.validation == "Strict":
                raise strategy.strict_decoding_error(resource, version, draft.unknown)
            if options.validation == "Warn":
                options.warnings.extend(strategy.unknown_field_messages(draft.unknown))
        if note := resource.versions[version].note:
            options.warnings.append(note)
        return draft.object

    def _namespace_takes(self, resource: Resource, namespace: str, name: str) -> None:
        record = self.record(self.registry["namespaces"], "", namespace)
        if record is None:
            raise status_errors.not_found("", "namespaces", namespace)
        if record.fields.get("status.phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Problem("metadata.namespace", "NamespaceTerminating", f"namespace {namespace} is being terminated")
            raise status_errors.forbidden(resource.group, resource.plural, name, why, [cause])

    def _check_size(self, row: Row) -> None:
        """Refuse an object that is too large, unless it was and does not grow."""
        before = self.cache.collection(row.resource).records.get(Key(row.namespace, row.name))
        if len(row.body) > max(LARGEST_OBJECT, len(before.body) if before else 0):
            raise status_errors.too_large(f"the object has {len(row.body)} bytes; the limit is {LARGEST_OBJECT}")

    def _put(self, resource: Resource, new: Object, old: Object | None, options: WriteOptions) -> Record:
        options.warnings.extend(resource.strategy.warnings(new))
        if old is not None and strategy.is_finalized(resource, new):
            return self._remove(resource, new, options)
        if options.dry_run:
            before = int(old["metadata"]["resourceVersion"]) if old else 0
            row = self._row(resource, new, before)
            self._check_size(row)
            return served.record(resource, row)
        row = self._row(resource, new, self.cache.next_revision())
        self._check_size(row)
        record = self.cache.put(resource.id, row)
        self._tell(resource, new, old)
        return record

    def _remove(self, resource: Resource, old: Object, options: WriteOptions) -> Record:
        row = self._row(resource, old, self.cache.next_revision())
        if options.dry_run:
            return served.record(resource, row)
        record = self.cache.remove(resource.id, row)
        self._tell(resource, None, old)
        return record

    def _row(self, resource: Resource, obj: Object, revision: int) -> Row:
        metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
        if revision:
            metadata["resourceVersion"] = str(revision)
        body = served.encode(resource, {**obj, "metadata": metadata})
        return Row(resource.id, metadata.get("namespace", ""), metadata["name"], revision, body)

    def _tell(self, resource: Resource, new: Object | None, old: Object | None) -> None:
        for callback in self.written:
            callback(resource, new, old)


def decode(record: Record) -> Object:
    """The object of a record."""
    obj: Object = msgspec.json.decode(record.body)
    return obj


def _bare(obj: Object) -> Object:
    """An object without `apiVersion` and `kind`, which the URL already contains."""
    return {name: value for name, value in obj.items() if name not in {"apiVersion", "kind"}}
